# SPDX-License-Identifier: GPL-2.0
# Compares the selftests on two kernels, see upstream.sh.  Reads what was said on
# the console of each, with the variable "side" set to pristine or series, and
# "again" to 1 for the runs of a test alone that come after the first:
#
#	=== TEST			a test begins
#	ITEM TEST SKIP|FAIL NAME	a result of its own that is no success
#	COMPLAINT TEXT			the kernel complains
#	RESULT TEST KIND N/M TEXT	the test ends, with N of its M results good
#
# What comes before a test is about "boot".  Prints "VERDICT TEST PRISTINE OURS
# REMARK" for each test, with tabs in between.

BEGIN {
	OFS = "\t"
	n = split("PASS SKIP FAIL HUNG DIED", kinds, " ")
	for (i = 1; i <= n; i++)
		rank[kinds[i]] = i - 1
	test = "boot"
}

# rest: what comes after the first n words of the line
function rest(n,  s) {
	s = $0
	while (n-- > 0)
		sub(/^[^ ]+ */, "", s)
	return s
}

function begin(name) {
	test = name
	if (!(name in seen)) {
		seen[name] = 1
		order[++tests] = name
	}
}

# note: the part "item" of the test, or all of it if that is empty, has come as
# far as "how" says in this run
function note(item, how,  key) {
	key = test SUBSEP item
	if (!(key in known)) {
		known[key] = 1
		items[test, ++many[test]] = item
	}
	if (rank[how] > worst[side, again, key] + 0)
		worst[side, again, key] = rank[how]
	if (rank[how] > 0 && last[side, key] != runs[side, test] + 1) {
		last[side, key] = runs[side, test] + 1
		hits[side, key]++
	}
}

# ended: that was one run of the test
function ended() {
	runs[side, test]++
	if (again)
		repeated[test] = 1
}

/^=== /		{ begin($2) }
/^ITEM /	{ note(rest(3), $3) }
/^COMPLAINT /	{ begin(test); note("kernel: " rest(1), "FAIL") }
/^RESULT end /	{ test = "boot"; ended() }
/^RESULT / && $2 != "end" {
	begin($2)
	note("", $3)
	if (!runs[side, test]) {
		cell[side, test] = $3 ($4 ~ /\/0$/ ? "" : " " $4)
		text[side, test] = rest(4)
	}
	ended()
	# What follows is the next boot.
	if ($3 == "DIED")
		test = "boot"
}

# behind: the first part of a test that is further on "other" than on "one"; its
# number, or 0
function behind(one, other, name,  i, key) {
	for (i = 1; i <= many[name]; i++) {
		key = name SUBSEP items[name, i]
		if (worst[one, 0, key] + 0 > worst[other, 0, key] + 0)
			return i
	}
	return 0
}

# still_behind: the first that did so on ours more than once, and when the test
# ran again, but never on pristine
function still_behind(name,  i, key, ours) {
	for (i = 1; i <= many[name]; i++) {
		key = name SUBSEP items[name, i]
		ours = worst["series", 1, key] + 0
		if (hits["series", key] > 1 &&
		    ours > worst["pristine", 0, key] + 0 &&
		    ours > worst["pristine", 1, key] + 0)
			return i
	}
	return 0
}

# item: the name of a part, or what the test says of all of it
function item(side, name, i) {
	return items[name, i] == "" ? text[side, name] : items[name, i]
}

# often: in how many runs
function often(side, name, i) {
	return hits[side, name, items[name, i]] + 0 " of " \
		runs[side, name] + 0 " runs"
}

function judge(name,  i, j, verdict, remark) {
	if (!runs["series", name] || !runs["pristine", name]) {
		verdict = "worse"
		remark = "it did not run on both"
	} else if (i = behind("series", "pristine", name)) {
		j = still_behind(name)
		verdict = j || !repeated[name] ? "worse" : "flake"
		if (j)
			i = j
		remark = item("series", name, i) "; in " \
			often("series", name, i) " on ours, " \
			often("pristine", name, i) " on pristine"
	} else if (i = behind("pristine", "series", name)) {
		verdict = "better"
		remark = item("pristine", name, i) " on pristine"
	} else {
		verdict = "same"
		remark = text["series", name]
	}
	print verdict, name, cell["pristine", name], cell["series", name], remark
}

END {
	for (n = 1; n <= tests; n++)
		judge(order[n])
}

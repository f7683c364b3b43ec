# SPDX-License-Identifier: GPL-2.0
# Edits a file that Coccinelle cannot read (Kconfig, Makefile, rst, comments
# and preprocessor lines), by lines and at named anchors.
#
#	awk -v rules=FILE.lines -f lines.awk FILE > NEW
#
# A rule file is a sequence of
#
#	@@ NAME after ^regex$	the "+" lines below go after the line that matches
#	@@ NAME before ^regex$	... before it
#	@@ NAME replace ^regex$	... in its place
#	@@ NAME cut ^regex$	the line goes, and the "-" lines below (regexes,
#				each for one line) must be the lines after it,
#				which go too
#
# "#" lines are comments.  An anchor must match exactly once.

function fail(text) {
	printf "%s: rule %s: %s\n", rules, name[r], text > "/dev/stderr"
	failed = 1
	exit 1
}

function emit(r,   i) {
	for (i = 1; i <= added[r]; i++)
		print add[r, i]
}

BEGIN {
	n = 0
	while ((getline line < rules) > 0) {
		if (line ~ /^#/ || line == "")
			continue
		if (line ~ /^@@ /) {
			r = ++n
			split(line, word, " ")
			name[n] = word[2]
			verb[n] = word[3]
			anchor[n] = line
			sub(/^@@ [^ ]+ [^ ]+ ?/, "", anchor[n])
			if (verb[n] !~ /^(after|before|replace|cut)$/)
				fail("unknown verb " verb[n])
			if (anchor[n] == "")
				fail("no anchor")
		} else if (n && line ~ /^\+/ && verb[n] != "cut") {
			add[n, ++added[n]] = substr(line, 2)
		} else if (n && line ~ /^-/ && verb[n] == "cut") {
			cut[n, ++cuts[n]] = substr(line, 2)
		} else {
			r = n
			fail("cannot read: " line)
		}
	}
	if (!n) {
		printf "%s: no rule\n", rules > "/dev/stderr"
		failed = 1
		exit 1
	}
}

{
	if (cutting) {
		r = cutting
		if ($0 !~ cut[r, ++at])
			fail("line " FNR " is not " cut[r, at])
		if (at == cuts[r])
			cutting = 0
		next
	}
	keep = 1
	for (r = 1; r <= n; r++) {
		if ($0 !~ anchor[r])
			continue
		hits[r]++
		if (verb[r] == "before" || verb[r] == "replace")
			emit(r)
		if (verb[r] == "replace" || verb[r] == "cut")
			keep = 0
		if (verb[r] == "cut" && cuts[r]) {
			cutting = r
			at = 0
		}
	}
	if (keep)
		print
	for (r = 1; r <= n; r++)
		if (verb[r] == "after" && $0 ~ anchor[r])
			emit(r)
}

END {
	if (failed)
		exit 1
	for (r = 1; r <= n; r++)
		if (hits[r] != 1)
			fail("its anchor matches " hits[r] + 0 " lines, not 1")
	r = cutting
	if (r)
		fail("the file ends where it should have " cut[r, at + 1])
}

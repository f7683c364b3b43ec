# SPDX-License-Identifier: GPL-2.0
# Edits a file that Coccinelle cannot read (Kconfig, Makefile, rst, comments
# and preprocessor lines), by lines and at named anchors.
#
#	awk -v rules=FILE.lines -f lines.awk FILE > NEW
#
# A rule file is a sequence of
#
#	@@ NAME after ^regex$	the "+" lines below go behind the line that matches
#	@@ NAME before ^regex$	... in front of it
#	@@ NAME replace ^regex$	... in its place
#	@@ NAME cut ^regex$	the line goes, and the "-" lines below (regexes,
#				each for one line) must be the lines behind it,
#				which go too
#	@@ NAME top		the "+" lines go in front of the first line
#	@@ NAME end		... behind the last line
#
# "#" lines are comments.  An anchor must match exactly once; "N*" before the
# word (as in "@@ NAME 2*cut ^...") says how often it must match instead.

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
			n++
			split(line, word, " ")
			name[n] = word[2]
			verb[n] = word[3]
			expect[n] = 1
			if (match(verb[n], /^[0-9]+\*/)) {
				expect[n] = substr(verb[n], 1, RLENGTH - 1) + 0
				verb[n] = substr(verb[n], RLENGTH + 1)
			}
			anchor[n] = line
			sub(/^@@ [^ ]+ [^ ]+ ?/, "", anchor[n])
			r = n
			if (verb[n] !~ /^(after|before|replace|cut|top|end)$/)
				fail("unknown verb " verb[n])
			if ((verb[n] ~ /^(top|end)$/) != (anchor[n] == ""))
				fail("the anchor does not go with the verb")
		} else if (n && line ~ /^\+/) {
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
	for (r = 1; r <= n; r++)
		if (verb[r] == "top")
			emit(r)
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
		if (verb[r] ~ /^(top|end)$/ || $0 !~ anchor[r])
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
	for (r = 1; r <= n; r++) {
		if (verb[r] == "end")
			emit(r)
		else if (verb[r] != "top" && hits[r] != expect[r])
			fail("its anchor matches " hits[r] + 0 " lines, not " expect[r])
	}
}

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# layout.sh: every file of the project has its place.  The top level has what the
# section Layout of README.md names, and the usual files; a file at a path of the
# kernel's is part of a patch; all of base/ and series/ is used; and something
# refers to each file of the harness.  Prints those that have none.

. "$(dirname "$0")/../lib.sh"

usual=$(printf '%s\n' .ci/ .gitignore CHANGES CONTRIBUTING.md COPYING Makefile README.md)

# layout: the directories (with a slash) and files that the README names
layout() {
	awk -F '|' '
		/^## / { on = /^## Layout$/ }
		on && NF > 2 {
			n = split($2, part, "`")
			for (i = 2; i <= n; i += 2)
				print part[i]
		}' README.md
}

# homeless: the files at the top, or in a directory, that no place is named for
homeless() {
	sed 's|/.*|/|' "$tmp/files" | paste "$tmp/files" - |
		awk 'NR == FNR { place[$1]; next } !($2 in place) { print $1 }' \
			<(layout; echo "$usual") - |
		sed 's/$/: the layout in README.md has no place for it/'
}

# unpatched: the files at paths of the kernel's that no patch has
unpatched() {
	grep -vE '^(series|base|harness|\.ci)/' "$tmp/files" | grep -vxFf <(echo "$usual") |
		grep -vxFf <(files_of series/[0-9]* | sed 's/ -> .*//') |
		sed 's/$/: no patch of series\/ has it/'
}

# unused: what tree.sh and series.sh don't read
unused() {
	grep -E '^(series|base)/' "$tmp/files" |
		grep -vE '^series/([0-9].*|cover-letter)$' |
		grep -vE '^base/(removed|unifdef|calls\.(cocci|files)|.*\.lines|.*/.*\.cocci)$' |
		sed 's/$/: nothing reads it/'
}

# code: the lines of the harness that may refer to a file, each after the name of
# the file that it is from: all but comments, and what faults.sh makes up
code() {
	grep -rIHvE --exclude=faults.sh '^[[:space:]]*(#([[:space:]!]|$)|\*|/\*|//)' Makefile harness .ci |
		sed 's/:/\t/'
}

# unreferred: the files of the harness that no other file has the name of; a
# configuration goes by the name without suffix, and so does a check
unreferred() {
	code | awk -F '\t' '
	function part_of_word(c) { return c ~ /[A-Za-z0-9_]/ }
	function has_word(line, word,	at) {
		while ((at = index(line, word))) {
			if (!part_of_word(at > 1 ? substr(line, at - 1, 1) : "") &&
			    !part_of_word(substr(line, at + length(word), 1)))
				return 1
			line = substr(line, at + 1)
		}
		return 0
	}
	NR == FNR {
		if (/^harness\//) {
			word[$0] = $0
			sub(/.*\//, "", word[$0])
			if (/^harness\/config\//)
				sub(/\.config$/, "", word[$0])
		}
		next
	}
	{ code = substr($0, length($1) + 2) }
	$1 == "harness/check.sh" && code ~ /^[a-z_]*checks=/ {
		gsub(/[a-z-]+/, "&.sh", code)
	}
	{
		for (file in word)
			if (file != $1 && has_word(code, word[file]))
				delete word[file]
	}
	END {
		for (file in word)
			print file ": nothing refers to it"
	}' "$tmp/files" - | sort
}

cd "$top"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
project_files >"$tmp/files"
for kind in homeless unpatched unused unreferred; do
	$kind || true
done >"$tmp/strays"
if [ -s "$tmp/strays" ]; then
	cat "$tmp/strays"
	die "layout: $(wc -l <"$tmp/strays") files have no place"
fi
echo "$(wc -l <"$tmp/files") files, each in its place"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Writes the series as mail: build/series/*.patch with a cover letter, which
# "git am" applies to base, and base.patch, which takes pristine to base.

. "$(dirname "$0")/lib.sh"

out=$build/series

# format_patch ARGUMENT...: the same whatever else is in the repository
format_patch() {
	git -C "$linux" -c core.abbrev=12 format-patch -q --no-signature "$@"
}

# cover_letter FILE: fills in what git format-patch leaves open
cover_letter() {
	awk -v text="$top/series/cover-letter" '
		BEGIN {
			getline subject < text
			getline line < text
		}
		/\*\*\* SUBJECT HERE \*\*\*/ {
			sub(/\*\*\* SUBJECT HERE \*\*\*/, subject)
		}
		/\*\*\* BLURB HERE \*\*\*/ {
			while ((getline line < text) > 0)
				print line
			next
		}
		{ print }' "$1" > "$1.new"
	mv "$1.new" "$1"
}

"$top/harness/tree.sh"
fixed_git
rm -rf "$out"
mkdir "$out"
format_patch --cover-letter -o "$out" base..series
cover_letter "$out/0000-cover-letter.patch"
format_patch --stdout pristine..base > "$out/base.patch"
mails=("$out"/[0-9]*)
say "series: ${#mails[@]} files and base.patch in $out"

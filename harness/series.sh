#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Writes the series as mail: build/series/*.patch with a cover letter, which
# "git am" applies to base, and base.patch, which takes pristine to base.

. "$(dirname "$0")/lib.sh"

out=$build/series

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
rm -rf "$out"
mkdir "$out"
git -C "$linux" format-patch -q --cover-letter --no-signature \
	-o "$out" base..series
cover_letter "$out/0000-cover-letter.patch"
git -C "$linux" format-patch -q --no-signature --stdout pristine..base \
	> "$out/base.patch"
say "series: $(ls "$out" | grep -c '^[0-9]') files and base.patch in $out"

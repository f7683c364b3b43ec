#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# readme.sh: README.md agrees with the rest of the project.  Its table of targets
# has the help lines of the Makefile, word for word, its table of variables those
# that "make help" lists, and its picture is drawn from the source beside it.

. "$(dirname "$0")/../lib.sh"

readme=$top/README.md
picture=$top/harness/docs/architecture

# table HEAD: the rows of the table whose head begins with HEAD, "NAME TEXT"
table() {
	awk -F ' *\\| *' -v head="$1" '
		$2 == head { on = 1; next }
		!NF || $0 !~ /^\|/ { on = 0 }
		on && $2 ~ /[A-Za-z]/ { gsub(/`/, "", $2); print $2, $3 }' "$readme"
}

targets() { sed -n 's/^\([a-z-]*\):.*## /\1 /p' "$top/Makefile"; }
variables() { sed -n "s/^\t@echo '  \([A-Z_]*\)=.*/\1/p" "$top/Makefile"; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
differ() {
	comm -23 "$tmp/make" "$tmp/readme" | sed "s/^/NO ROW in README.md: /"
	comm -13 "$tmp/make" "$tmp/readme" | sed "s/^/NOT in the Makefile: /"
}
{
	targets | sort >"$tmp/make"
	table Target | sort >"$tmp/readme"
	differ
	variables | sort >"$tmp/make"
	table Variable | cut -d ' ' -f 1 | sort >"$tmp/readme"
	differ
	grep -qF "$(basename "$picture").dot $(hash <"$picture.dot")" "$picture.svg" ||
		echo "OLD $picture.svg: 'make picture' redraws it"
} >"$tmp/wrong"
if [ -s "$tmp/wrong" ]; then
	cat "$tmp/wrong"
	die "readme: $(wc -l <"$tmp/wrong") differences"
fi
echo "$(targets | wc -l) targets, $(variables | wc -l) variables and a picture"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Applies one file of the project to a kernel tree.
#
#	apply.sh TREE SOURCE PATH
#
# SOURCE is the file in the project, PATH the same file's path below the
# project (or below base/).  What happens follows from the name:
#
#	foo.c.cocci	a semantic patch for TREE/foo.c
#	foo.c.NAME.cocci the same; one of several for one file
#	foo.lines, foo.NAME.lines	line edits for TREE/foo, see lines.awk
#	anything else	a new file, copied to TREE/PATH
#
# In a semantic patch every rule has a name, declares "position p" and follows
# a line "// expect N", the number of places it must match.  A rule that
# matches more or fewer is an error that names the file and the rule, and the
# kernel's file stays as it was.

. "$(dirname "$0")/lib.sh"

tree=$1 source=$2 path=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# target SUFFIX: the kernel file that PATH is for
target() {
	local file=${path%."$1"}
	[ -e "$tree/$file" ] || file=${file%.*}
	[ -f "$tree/$file" ] ||
		die "$path: the tree has no file ${path%."$1"}"
	printf '%s\n' "$file"
}

# counted RULEFILE: the rule file, followed by a counter for every rule
counted() {
	cat "$1"
	expectations "$1" | while read -r rule _; do
		printf '\n@script:python@\np << %s.p;\n@@\n' "$rule"
		# The line alone won't do: in a function that an earlier rule
		# has changed it is relative to the start of that function.
		printf 'print("hit %s %%s %%s %%s" %% (p[0].current_element, ' "$rule"
		printf 'p[0].line, p[0].column), flush=True)\n'
	done
}

# expectations RULEFILE: "RULE N" for every rule
expectations() {
	awk '
		/^\/\/ expect [0-9]+$/ { n = $3; next }
		/^@[a-z_0-9]+.*@/ || /^@[a-z_0-9]+$/ {
			match($0, /^@[a-z_0-9]+/)
			print substr($0, 2, RLENGTH - 1), (n == "" ? "?" : n)
			n = ""
		}' "$1"
}

apply_cocci() {
	local file rule want got
	file=$(target cocci)
	cp "$tree/$file" "$tmp/in.c"
	counted "$source" > "$tmp/rules.cocci"
	spatch --very-quiet --no-includes --sp-file "$tmp/rules.cocci" \
		"$tmp/in.c" -o "$tmp/out.c" > "$tmp/hits" 2> "$tmp/errors" ||
		grep -q 'there are no modified files' "$tmp/errors" ||
		die "$path: spatch: $(grep -v -e '^$' -e '^warning:' "$tmp/errors" | head -n 1)"
	[ -n "$(expectations "$source")" ] || die "$path: no rule"
	while read -r rule want; do
		got=$(sort -u "$tmp/hits" | grep -c "^hit $rule " || true)
		[ "$want" != '?' ] ||
			die "$path: rule $rule does not say what it expects"
		[ "$got" = "$want" ] ||
			die "$file: rule $rule of $path matches $got places, not $want"
	done <<< "$(expectations "$source")"
	[ -s "$tmp/out.c" ] && ! cmp -s "$tmp/in.c" "$tmp/out.c" ||
		die "$file: $path changes nothing"
	cat "$tmp/out.c" > "$tree/$file"
}

apply_lines() {
	local file
	file=$(target lines)
	awk -v rules="$source" -f "$top/harness/lines.awk" "$tree/$file" \
		> "$tmp/out" 2> "$tmp/errors" ||
		die "$file: $(sed "s|$source|$path|" "$tmp/errors" | head -n 1)"
	cat "$tmp/out" > "$tree/$file"
}

case $path in
*.cocci) apply_cocci ;;
*.lines) apply_lines ;;
*)
	[ ! -e "$tree/$path" ] || die "$path: the tree has this file already"
	install -D -m 644 "$source" "$tree/$path"
	;;
esac

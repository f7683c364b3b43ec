#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel-doc.sh TREE: the kernel-doc comments of every file that the series
# adds are complete, and what its documents take from C files is there.

. "$(dirname "$0")/../lib.sh"

tree=$1
log=$logs/kernel-doc.txt

added() {
	git -C "$tree" diff --name-only --diff-filter=A base series -- "$@"
}

# directives RST: "FILE OPTION" for each kernel-doc directive of a document;
# OPTION is what selects from the file, as scripts/kernel-doc has it
directives() {
	awk '
		function flush() { if (file != "") print file, option; file = "" }
		/^\.\. kernel-doc::/ { flush(); file = $3; option = ""; next }
		/^[ \t]+:(identifiers|functions):/ {
			for (i = 2; i <= NF; i++)
				option = option " -function " $i
			next
		}
		/^[ \t]+:export:/ { option = " -export" }
		/^[ \t]+:internal:/ { option = " -internal" }
		/^[^ \t]/ { flush() }
		END { flush() }' "$1"
}

check() {
	local file rst option files=0

	cd "$tree" || return 1
	for file in $(added '*.c' '*.h'); do
		files=$((files + 1))
		scripts/kernel-doc -none -Werror "$file" || return 1
	done
	[ $files -gt 0 ] || { echo 'the series adds no file'; return 1; }
	for rst in $(added 'Documentation/*.rst'); do
		while read -r file option; do
			echo "$rst: $file $option"
			[ -f "$file" ] || { echo "$rst: no file $file"; return 1; }
			# shellcheck disable=SC2086	# several options
			scripts/kernel-doc -rst -Werror $option "$file" \
				>"$log.rst" || return 1
			[ -s "$log.rst" ] ||
				{ echo "$rst: $file documents nothing"; return 1; }
		done < <(directives "$rst")
	done
	echo "$files new files have sound kernel-doc comments"
}

status=0
check >"$log" 2>&1 || status=$?
rm -f "$log.rst"
if [ $status -eq 0 ]; then tail -n 1 "$log"; else cat "$log" >&2; fi
exit $status

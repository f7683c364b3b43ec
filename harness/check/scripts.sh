#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# scripts.sh [PROJECT]: ShellCheck finds nothing in the project's scripts.
# What it does not look for is in harness/.shellcheckrc, which it finds by itself.

. "$(dirname "$0")/../lib.sh"

cd "${1:-$top}"
[ -f harness/.shellcheckrc ] || die 'scripts: there is no harness/.shellcheckrc'

# In the emulated host parameters of the kernel are variables, some of them
# patterns; and options are words, as busybox's shell has no arrays.
host='--shell=dash --exclude=SC2013,SC2034,SC2046,SC2086,SC2154,SC2254'

# scripts PATTERN: those whose first lines say that they are for this shell
scripts() {
	find harness -type f | sort | while read -r file; do
		[[ $(head -n 3 "$file" | tr '\n' ' ') =~ $1 ]] && echo "$file"
	done
}

mapfile -t bash < <(scripts '^#!/[a-z/]*( |/)bash |shellcheck shell=bash')
mapfile -t sh < <(scripts '^#!/bin/sh ')
[ ${#bash[@]} -gt 0 ] || die 'scripts: no script'
status=0
shellcheck "${bash[@]}" || status=1
# shellcheck disable=SC2086	# several options
[ ${#sh[@]} -eq 0 ] || shellcheck $host "${sh[@]}" || status=1
[ $status -eq 0 ] || exit 1
echo "$((${#bash[@]} + ${#sh[@]})) scripts"

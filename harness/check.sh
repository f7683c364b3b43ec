#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [NAME...]: the static checks, all of them or those named.  Prints
# "ok NAME" or "FAIL NAME (log)" for each and exits with 1 if any failed.
#
#	layout		every file of the project has its place
#	readme		README.md has the targets as they are, and an up-to-date picture
#	scripts		ShellCheck finds nothing in the scripts
#	top		mmu_notifier_top reads all samples, and prints what it should
#	programs	the programs of the harness compile without a warning
#	cocci		every semantic patch of the project can be read
#	rules		a semantic patch or line edit that doesn't fit is an error
#	complaints	what a kernel says counts as a complaint unless it was expected
#	front-door	make, as a new user may call it
#	faults		the checks below can fail, except for those that compile
#	base		the base has nothing left of MMU notifiers
#	parity		what notified in the pristine kernel still does, alike
#	hooks		the documentation lists every hook, and tests that exist
#	statics		no static function of KVM has become global
#	checkpatch	every patch passes checkpatch --strict
#	kernel-doc	the new files are documented soundly
#	consumers	the drivers that subscribe compile unmodified
#	warnings	gcc W=1 and sparse have nothing new to say
#
# A check that the same tree, project files and tools have passed is not run again.

. "$(dirname "$0")/lib.sh"

# Those of the project itself, and those of the tree that it makes
harness_checks='layout readme scripts programs top cocci rules complaints front-door'
# Those that keep all processors busy by themselves; of the others as many run at a
# time as there are processors.
compiling_checks='consumers warnings'
checks="$harness_checks faults base parity hooks statics checkpatch kernel-doc $compiling_checks"
here=$top/harness/check
passed=$build/check/passed

# inputs CHECK: a hash of all that its result depends on
inputs() {
	{
		case $1 in
		layout|readme|scripts|programs|top|cocci|rules|complaints|front-door) ;;
		faults) git -C "$linux" rev-parse pristine ;;
		base)	git -C "$linux" rev-parse base ;;
		*)	git -C "$linux" rev-parse pristine base series ;;
		esac
		gcc --version
		sparse --version
		spatch --version
		cd "$top"
		find harness/check harness/check.sh harness/lib.sh Kconfig \
			harness/arches.sh harness/kconfig.sh harness/config -type f | sort | xargs cat
		case $1 in
		layout)	project_files
			project_files | xargs cat ;;
		scripts)
			shellcheck --version
			find harness -type f | sort | xargs cat ;;
		programs)
			find harness -name '*.[chS]' -o -name Makefile -o \
				-name '*.lds' | sort | xargs cat ;;
		readme)	cat README.md Makefile harness/docs/* ;;
		top)	python3 --version
			cat tools/mm/mmu_notifier_top* ;;
		cocci)	find . -path ./build -prune -o -path ./.git -prune -o \
				-name '*.cocci' -print | sort | xargs cat ;;
		rules|front-door)
			for tool in bash make git tar awk; do
				$tool --version
			done
			cat Makefile harness/*.* ;;
		esac
	} 2>&1 | sha256sum
}

run() {
	case $1 in
	base)	"$here/base.sh" "$linux" base ;;
	parity)	"$here/parity.sh" "$linux" pristine series ;;
	hooks|statics|checkpatch|kernel-doc|warnings) "$here/$1.sh" "$linux" ;;
	*)	"$here/$1.sh" ;;
	esac
}

check() {
	local name=$1 key

	key=$(inputs "$name")
	if [ "$(cat "$passed/$name" 2>/dev/null)" = "$key" ]; then
		echo "ok $name (unchanged)"
		return
	fi
	rm -f "$passed/$name"
	if step "check $name" "check-$name.log" run "$name"; then
		echo "$key" >"$passed/$name"
		echo "ok $name: $(tail -n 1 "$logs/check-$name.log")"
	else
		grep -a '^FAIL ' "$logs/check-$name.log" >&2 || true
		echo "FAIL $name ($logs/check-$name.log)"
		return 1
	fi
}

read -ra names <<<"${*:-$checks}"
for name in "${names[@]}"; do
	[[ " $checks " == *" $name "* ]] || die "check: no check $name; there are: $checks"
done

"$top/harness/setup.sh" tree kernel check
for name in "${names[@]}"; do
	[[ " $harness_checks " != *" $name "* ]] || continue
	"$top/harness/tree.sh"
	break
done
mkdir -p "$passed"
alone=() others=()
for name in "${names[@]}"; do
	if [[ " $compiling_checks " == *" $name "* ]]; then
		alone+=("$name")
	else
		others+=("$name")
	fi
done
in_parallel check "${others[@]}"
failed=$failures
for name in "${alone[@]}"; do
	check "$name" || failed=$((failed + 1))
done
[ "$failed" -eq 0 ]

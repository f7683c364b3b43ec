#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [NAME...]: the static checks, all of them or those named.  Prints
# "ok NAME" or "FAIL NAME (log)" for each and exits with 1 if any failed.
#
#	cocci		every semantic patch of the project can be read
#	base		the base has nothing left of MMU notifiers
#	parity		what notified in the pristine kernel still does, alike
#	checkpatch	every patch passes checkpatch --strict
#	kernel-doc	the new files are documented soundly
#	consumers	the drivers that subscribe compile unmodified
#	warnings	gcc W=1 and sparse have nothing new to say
#
# A check that was passed by the same tree, project files and tools is not run
# again.

. "$(dirname "$0")/lib.sh"

checks='cocci base parity checkpatch kernel-doc consumers warnings'
here=$top/harness/check
passed=$build/check/passed

# inputs CHECK: a hash of all that its result depends on
inputs() {
	{
		case $1 in
		cocci)	;;
		base)	git -C "$linux" rev-parse base ;;
		*)	git -C "$linux" rev-parse pristine base series ;;
		esac
		gcc --version
		sparse --version
		spatch --version
		cd "$top"
		find harness/check harness/check.sh harness/lib.sh Kconfig \
			harness/config -type f | sort | xargs cat
		[ "$1" != cocci ] ||
			find . -path ./build -prune -o -path ./.git -prune -o \
				-name '*.cocci' -print | sort | xargs cat
	} 2>&1 | sha256sum
}

run() {
	case $1 in
	base)	"$here/base.sh" "$linux" base ;;
	parity)	"$here/parity.sh" "$linux" pristine series ;;
	cocci|consumers) "$here/$1.sh" ;;
	*)	"$here/$1.sh" "$linux" ;;
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
		echo "FAIL $name ($logs/check-$name.log)"
		return 1
	fi
}

for name; do
	[[ " $checks " == *" $name "* ]] || die "no check $name; there are: $checks"
done

"$top/harness/setup.sh"
"$top/harness/tree.sh"
mkdir -p "$passed"
failed=0
for name in ${*:-$checks}; do
	check "$name" || failed=1
done
exit $failed

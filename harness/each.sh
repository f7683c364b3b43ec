#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# each.sh: compile every patch of the series, with CONFIG_MMU_NOTIFIER and without.
# Goes through the commits between base and series and compiles the directories
# that the series touches.
#
# Prints "ok PATCH with|without" for each; SKIP where the tree has no such option
# yet.  Stops at the first that does not compile.

. "$(dirname "$0")/lib.sh"

out=$build/each
src=$out/linux
parts="mm/ fs/proc/ kernel/fork.o kernel/events/ arch/x86/mm/"

kmake() { kernel_make "$src" "$out/$1" "${@:2}"; }

# test_device: the objects of the software secondary MMU
test_device() {
	(cd "$src" && find lib -name 'test_mmu_notifier_*.c') | sed 's/c$/o/'
}

has() { grep -q "^$2=y" "$out/$1/.config"; }

# configure WHICH CONFIG: options that the kernel does not have yet are left out
configure() {
	mkdir -p "$out/$1"
	cp "$build/kernel-$2/wanted.config" "$out/$1/wanted.config"
	KCONFIG_ALLCONFIG=$out/$1/wanted.config kmake "$1" allnoconfig
}

compile() {
	local also=''
	! has "$1" CONFIG_KVM || also="$also arch/x86/kvm/"
	! has "$1" CONFIG_TEST_MMU_NOTIFIER || also="$also $(test_device)"
	# shellcheck disable=SC2086	# several goals
	kmake "$1" -j"$jobs" $parts $also
}

# patch WHICH CONFIG NAME
patch() {
	local log=each-$1.log
	step "$3: configure $1" "$log" configure "$1" "$2"
	if [ "$1" = with ] && ! has with CONFIG_MMU_NOTIFIER; then
		echo "SKIP $3 with: it has no such option yet"
		return
	fi
	step "$3: compile $1" "$log" compile "$1"
	echo "ok $3 $1"
}

for config in host nommu_notifier; do
	[ -f "$build/kernel-$config/wanted.config" ] ||
		die "each.sh: kernel $config is not built: run make each"
done
rm -rf "$src"
mkdir -p "$out"
git clone -q -s "$linux" "$src"

n=0
for commit in $(git -C "$linux" rev-list --reverse base..series); do
	n=$((n + 1))
	git -C "$src" checkout -q "$commit"
	name=$(printf 'patch-%02d' $n)
	patch with host "$name"
	patch without nommu_notifier "$name"
done
rm -rf "$src"

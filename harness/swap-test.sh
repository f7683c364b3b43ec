#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# swap-test.sh MODE [KERNEL]: a KVM guest with more memory than its emulated
# host has, in the paging mode MODE:
#
#	npt	nested paging, by the TDP MMU
#	notdp	nested paging, by the shadow MMU's code
#	shadow	no nested paging: KVM shadows the guest's page tables
#	checks	no guest that must work, but some that must fail
#
# The kernel built in $build/kernel-KERNEL (host) and the initramfs must be
# there.  Prints one line for each result.

. "$(dirname "$0")/lib.sh"

mode=${1:-}
kernel=${2:-host}
boot=(bash "$top/harness/boot.sh" -k "$kernel" -d 1024)

case $mode in
npt)	"${boot[@]}" -l swap-npt swap mode=npt 'args="--passes 1"' ;;
notdp)	"${boot[@]}" -l swap-notdp swap mode=notdp kvm.tdp_mmu=0 \
		'args="--passes 1"' ;;
# Small pages in the guest's own page tables are what shadow paging is about:
# they are shadowed one by one, and are swapped themselves.
shadow)	"${boot[@]}" -l swap-shadow swap mode=shadow kvm_amd.npt=0 \
		'args="--passes 1 --small"' ;;
checks)	"${boot[@]}" -m 128 -l swap-checks swap-checks ;;
*)	die "usage: swap-test.sh npt|notdp|shadow|checks [KERNEL]" ;;
esac

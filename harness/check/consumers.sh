#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# consumers.sh: every subscriber that the pristine kernel has outside the parts
# that the series rewrites is as it was there, and compiles on x86-64.  Only
# their objects are built.

. "$(dirname "$0")/../lib.sh"

# Where subscribers live.  lib/ and mm/ also hold files of the series, so that
# the ones that count there are named.
places='drivers lib/test_hmm.c mm/hmm.c include/linux/hmm.h
	arch/x86/kernel/cpu/sgx'

# shellcheck disable=SC2086	# several places
changed=$(git -C "$linux" diff --name-only pristine series -- $places)
# shellcheck disable=SC2086	# one line
[ -z "$changed" ] || die "consumers: modified:" $changed
"$top/harness/arches.sh" -u x86_64

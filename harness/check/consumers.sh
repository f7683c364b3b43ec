#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# consumers.sh: the subscribers that the pristine kernel has for x86-64, outside the
# parts that the series rewrites, compile unmodified.

. "$(dirname "$0")/../lib.sh"

said=$("$top/harness/arches.sh" -u x86_64) || { echo "$said" >&2; exit 1; }
echo "${said#ok x86_64: } of subscribers compile unmodified"

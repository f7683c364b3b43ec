#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# statics.sh TREE: no function of KVM that is static in the pristine kernel is global
# in the series.

. "$(dirname "$0")/../lib.sh"

tree=$1
places=(virt/kvm 'arch/*/kvm')

# functions TAG: "static NAME" or "global NAME" for each that is defined
functions() {
	git -C "$tree" grep -hE '^[a-z][a-z0-9_ *]*[ *][a-z0-9_]+\(' "$1" -- \
		"${places[@]/%//*.c}" |
		sed -nE '/;$/d
			s/^(static )?[a-z0-9_ *]*[ *]([a-z0-9_]+)\(.*/\1\2/p' |
		sed '/^static /!s/^/global /' | sort -u
}

# named KIND LIST
named() { sed -n "s/^$1 //p" <<<"$2" | sort; }

before=$(functions pristine)
after=$(functions series)
secrets=$(comm -23 <(named static "$before") <(named global "$before"))
[ -n "$secrets" ] || die 'statics: there is no static function in KVM'
exposed=$(comm -12 <(echo "$secrets") <(named global "$after"))
if [ -n "$exposed" ]; then
	while read -r name; do
		echo "$name is static in the pristine kernel" >&2
	done <<<"$exposed"
	exit 1
fi
echo "$(wc -l <<<"$secrets") static functions of KVM, none is global"

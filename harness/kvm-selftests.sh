#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kvm-selftests.sh MODE [SOURCE]: run the KVM selftests that the kernel tree
# carries, those that touch guest memory, in the emulated host with KVM in MODE:
#
#	npt	nested paging, mapped by the TDP MMU
#	shadow	shadow paging, kvm_amd.npt=0
#	notdp	nested paging without the TDP MMU, kvm.tdp_mmu=0
#
# kvm-selftests.sh build [SOURCE]: only build what that needs.
#
# Prints one line for each test: "ok NAME", "FAIL NAME REASON" or "SKIP NAME
# REASON".  ONLY=NAME runs one test alone.  The kernel is that of config "host".

. "$(dirname "$0")/lib.sh"
. "$top/harness/kselftest.sh"

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: kvm-selftests.sh MODE [SOURCE]"
mode=$1
src=$(realpath -e "${2:-$linux}" 2>/dev/null) ||
	die "kvm-selftests.sh: there is no kernel source at ${2:-$linux}"
out=$build/kvm-selftests
root=$out/root
list=$top/harness/host/tests/kvm-selftests
tools=$src/tools/testing/selftests/kvm

# names: every test that the host is to report on
names() {
	echo mode
	if [ -n "${ONLY:-}" ]; then
		echo "$ONLY"
	else
		sed -n 's/^run \([^ ]*\) .*/\1/p' "$list"
	fi
}

# programs: what the list runs, scripts included, of what the tree has: ours is
# not in the kernel's own
programs() {
	sed -n '/^run /,/[^\\]$/p' "$list" | tr -s '[:blank:]' '\n' |
		grep -E '_test(\.sh)?$' | sort -u | while read -r p; do
			[ ! -e "$tools/${p%.sh}.c" ] || echo "$p"
		done
}

# compiled: the programs that need compiling
compiled() { programs | sed 's/\.sh$//' | sort -u; }

compile() {
	local goals
	mapfile -t goals < <(compiled | sed "s|^|$out/obj/kvm/|")
	kselftest_compile "$src" "$out" kvm "${goals[@]}"
}

# overlay: what goes on top of the host's root directory
overlay() {
	local p
	rm -rf "$root"
	mkdir -p "$root/kvm-selftests/x86_64" "$root/etc"
	for p in $(compiled); do
		strip -o "$root/kvm-selftests/$p" "$out/obj/kvm/$p"
	done
	for p in $(programs | grep '\.sh$'); do
		cp "$tools/$p" "$root/kvm-selftests/$p"
	done
	# The scripts ask whoami.
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
}

build_all() {
	mkdir -p "$out"
	exec 8>"$out/.lock"
	flock 8
	step "KVM selftests: kernel headers" kvm-selftests-headers.log \
		kselftest_headers "$src" "$out"
	step "KVM selftests: compile" kvm-selftests-build.log compile
	overlay
	"$top/harness/initramfs.sh" -o kvm-selftests "$root" >&2
	exec 8>&-
}

# parameters: what makes a host of this mode.  The host ends at a multiple of
# 64 pages (mem=), as the bitmap of idle pages can't be read beyond.
parameters() {
	echo "mem=2040M mode=$mode"
	case $mode in
	npt)	echo "kvm_amd.npt=1 kvm.tdp_mmu=1" ;;
	shadow)	echo "kvm_amd.npt=0" ;;
	notdp)	echo "kvm_amd.npt=1 kvm.tdp_mmu=0" ;;
	esac
	[ -z "${ONLY:-}" ] || echo "only=$ONLY"
	[ "$src" = "$(realpath "$linux")" ] || echo "missing=skip"
}

boot() {
	local parameters
	mapfile -t parameters < <(parameters | tr ' ' '\n')
	"$top/harness/boot.sh" -q -i kvm-selftests -l "$logname" -m 2048 -n 256 -d 256 \
		kvm-selftests "${parameters[@]}" 2>&1 | tee "$out/$mode.err" >&2
}

# report_tests: a line for each test; fails if one failed
report_tests() {
	local name kind text status=0
	for name in $(names); do
		read -r kind text < <(sed -n "s/^RESULT $name //p" "$log") || true
		case ${kind:-} in
		PASS)	echo "ok $name" ;;
		SKIP)	echo "SKIP $name ${text:-it gives no reason}" ;;
		*)	echo "FAIL $name ${text:-no result};" \
				"log: $(excerpt "$log" "$name" "^=== $name: " "^RESULT $name ")"
			status=1 ;;
		esac
	done
	return $status
}

case $mode in
build)	build_all; exit 0 ;;
npt|shadow|notdp) ;;
*)	die "kvm-selftests.sh: the modes are npt, shadow and notdp, not $mode" ;;
esac

logname=kvm-selftests-$mode
log=$logs/$logname.log
build_all
status=0
boot || status=$?
result=0
report_tests || result=1
report_host host $status "$out/$mode.err" "$log" || result=1
exit $result

# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests that run inside the emulated host.

# result NAME PASS|FAIL|SKIP TEXT...: one line that the harness understands
result() { echo "RESULT $*"; }

parameter() { cat "/sys/module/$1/parameters/$2" 2>/dev/null || echo none; }

# paging_mode: how this host's KVM really maps guest memory
paging_mode() {
	case "$(parameter kvm_amd npt) $(parameter kvm tdp_mmu)" in
	'Y Y') echo npt ;;
	'Y N') echo notdp ;;
	'N N') echo shadow ;;
	*)     echo unknown ;;
	esac
}

# use_swap: swap to the disk
use_swap() {
	mkswap /dev/vda >/dev/null && swapon /dev/vda
}

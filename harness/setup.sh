#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Make sure that the Debian packages the project needs are installed.

. "$(dirname "$0")/lib.sh"

# Coccinelle loads the library of Python for position checks.
packages="
bc bison busybox-static bzip2 ccache coccinelle cpio e2fsprogs flex gcc git
kmod libc6-dev libcap-dev libelf-dev libnuma-dev libpython3.11 libssl-dev
liburing-dev linux-source-6.12 make patch perl python3 qemu-system-x86 rsync
sparse spin unifdef util-linux xz-utils
"

# missing: the packages that are not installed
missing() {
	local have
	have=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' $packages \
		2>/dev/null | sed -n 's/^ii *//p') || true
	comm -23 <(printf '%s\n' $packages | sort -u) <(sort -u <<<"$have")
}

command -v dpkg-query >/dev/null ||
	die "this is not a Debian system; install the equivalents of:" $packages

need=$(missing)
[ -n "$need" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	say "These Debian packages are missing; to install them, run:"
	say "    sudo apt-get install" $need
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
step "apt-get update" apt-update.log apt-get update
step "install $(wc -w <<<"$need") packages" apt-install.log \
	apt-get install -y --no-install-recommends $need
need=$(missing)
[ -z "$need" ] || die "still missing after apt-get install:" $need

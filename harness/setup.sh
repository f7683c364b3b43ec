#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# setup.sh [GROUP...]: look for what these groups need, which are listed below;
# "test", the default, stands for those that "make test" and test-upstream need.
#
# On Debian, root gets what is missing installed, and anybody else is told how.
# On other systems it is listed.  SETUP=no skips all this.

. "$(dirname "$0")/lib.sh"
. "$top/harness/source.sh"

test_groups='tree kernel boot model check arches upstream'

# What each group needs: a probe, and the Debian package that has it.
# A probe is the name of a program, header:NAME, static:LIBRARY (one that can be
# linked statically), or run:FUNCTION, which is below.
table='
tree	git				git
tree	make				make
tree	spatch				coccinelle
tree	run:python_library		libpython3.11
tree	unifdef				unifdef
tree	xz				xz-utils
tree	bzip2				bzip2
tree	run:debian_kernel		linux-source-6.12
kernel	gcc				gcc
kernel	ccache				ccache
kernel	make				make
kernel	bc				bc
kernel	bison				bison
kernel	flex				flex
kernel	flock				util-linux
kernel	perl				perl
kernel	patch				patch
kernel	depmod				kmod
kernel	mkfs.ext4			e2fsprogs
kernel	header:stdio.h			libc6-dev
kernel	header:libelf.h			libelf-dev
kernel	header:openssl/opensslv.h	libssl-dev
arches	clang-19			clang-19
arches	ld.lld-19			lld-19
arches	llvm-nm-19			llvm-19
boot	qemu-system-x86_64		qemu-system-x86
boot	run:static_busybox		busybox-static
boot	cpio				cpio
boot	static:c			libc6-dev
kunit	python3				python3
model	spin				spin
model	gcc				gcc
model	make				make
check	sparse				sparse
check	perl				perl
check	shellcheck			shellcheck
check	python3				python3
check	bison				bison
check	flex				flex
docs	sphinx-build			python3-sphinx
docs	perl				perl
docs	dot				graphviz
torture	stress-ng			stress-ng
bench	gnuplot				gnuplot-nox
upstream	rsync			rsync
upstream	static:cap		libcap-dev
upstream	static:numa		libnuma-dev
upstream	static:uring		liburing-dev
'

# Coccinelle loads it to report where a rule has matched.
python_library() { [[ $(ldconfig -p) == *libpython3* ]]; }
debian_kernel() { [ -n "${LINUX:-}" ] || [ -f "$debian" ]; }
static_busybox() { [ -x /bin/busybox ] && ! ldd /bin/busybox; }

there() {
	local name=${1#*:}
	case $1 in
	header:*) echo "#include <$name>" | gcc -E -x c - ;;
	static:*) [ -f "$(gcc -print-file-name="lib$name.a")" ] ;;
	run:*)	"$name" ;;
	*)	type -P "$name" ;;
	esac >/dev/null 2>&1
}

# missing GROUP...: "PROBE PACKAGE" of what is not there
missing() {
	local group probe package
	while read -r group probe package; do
		[[ " $* " != *" $group "* ]] || there "$probe" ||
			echo "$probe $package"
	done <<<"$table" | sort -u
}

probes() { cut -d ' ' -f 1 <<<"${1//run:/}" | sort -u | paste -sd ' '; }
packages() { cut -d ' ' -f 2 <<<"$1" | sort -u | paste -sd ' '; }

install_packages() {
	export DEBIAN_FRONTEND=noninteractive
	say "setup: these Debian packages are going to be installed: $1"
	step "apt-get update" apt-update.log apt-get update
	# shellcheck disable=SC2086	# several packages
	step "install $(wc -w <<<"$1") packages" apt-install.log \
		apt-get install -y --no-install-recommends $1
}

read -ra groups <<<"${*:-test}"
for group in "${groups[@]}"; do
	[ "$group" = test ] || [[ $table == *$'\n'"$group"$'\t'* ]] ||
		die "setup.sh: no group $group; there are: test" \
			"$(cut -f 1 <<<"$table" | sort -u | paste -sd ' ')"
done
[[ " ${groups[*]} " != *' test '* ]] || read -ra groups <<<"${groups[*]} $test_groups"
[[ " ${groups[*]} " != *' tree '* ]] || check_kind
[ "${SETUP:-}" != no ] || exit 0

# The directories of what only root runs
PATH=$PATH:/usr/sbin:/sbin
need=$(missing "${groups[@]}")
[ -n "$need" ] || exit 0
if ! type -P dpkg >/dev/null || ! type -P apt-get >/dev/null; then
	die "these are missing: $(probes "$need"); install them" \
		"(for debian_kernel, set LINUX instead; SETUP=no goes on without them)"
elif [ "$(id -u)" -ne 0 ]; then
	die "packages are missing; to install them:" \
		"sudo apt-get install $(packages "$need")"
fi
install_packages "$(packages "$need")"
need=$(missing "${groups[@]}")
[ -z "$need" ] || die "still missing after apt-get install: $(probes "$need")"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# initramfs.sh [-o NAME] [DIRECTORY...]: make $build/NAME.cpio.gz (default:
# initramfs), what the emulated host runs: busybox, our programs, init and the
# tests of harness/host, and on top of them the contents of each DIRECTORY.

. "$(dirname "$0")/lib.sh"

archive=initramfs
if [ "${1:-}" = -o ]; then
	archive=$2
	shift 2
fi
root=$build/$archive.root

fill() {
	rm -rf "$root"
	mkdir -p "$root"/{bin,sbin,dev,proc,sys,tests,tmp,etc}
	cp /bin/busybox "$root/bin/"
	ln -s busybox "$root/bin/sh"
	cp "$build/guest/swapguest" "$root/bin/"
	cp "$top/harness/host/init" "$top/harness/host/lib.sh" "$root/"
	cp "$top/harness/host/tests/"* "$root/tests/"
	local dir
	for dir; do
		cp -a "$dir/." "$root/"
	done
}

pack() {
	(cd "$root" && find . | sort |
		cpio --quiet --reproducible -o -H newc -R 0:0) |
		gzip -1 >"$build/$archive.cpio.gz.new"
	mv "$build/$archive.cpio.gz.new" "$build/$archive.cpio.gz"
	rm -rf "$root"
}

make_initramfs() {
	mkdir -p "$build/guest"
	make -C "$top/harness/guest" O="$build/guest" "$build/guest/swapguest"
	fill "$@"
	pack
}

exec 9>"$build/.$archive.lock"
flock 9
step "make $archive" "$archive.log" make_initramfs "$@"

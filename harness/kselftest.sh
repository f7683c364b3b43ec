# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts that compile selftests of a kernel tree, with the tree's
# own Makefiles.

# kselftest_headers SOURCE OUT: the headers that they include, to OUT/headers
kselftest_headers() {
	make -C "$1" O="$2/headers" ARCH=x86_64 -j"$jobs" headers
}

# kselftest_compile SOURCE OUT DIRECTORY [ARGUMENT...]: what ARGUMENTs name of the
# selftests in DIRECTORY, by default all, to OUT/obj/DIRECTORY; linked statically,
# as the emulated host has no libraries
kselftest_compile() {
	local obj=$2/obj/$3
	mkdir -p "$obj"
	make -C "$1/tools/testing/selftests/$3" -j"$jobs" OUTPUT="$obj" \
		CC="ccache gcc -static" LDFLAGS="-pthread -no-pie" \
		KHDR_INCLUDES="-isystem $2/headers/usr/include" "${@:4}"
}

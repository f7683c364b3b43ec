# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts that compile selftests of a kernel tree, with the tree's
# own Makefiles, and run them in the emulated host.

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

# report_host NAME STATUS ERRORS LOG: a line for the host itself, whose boot.sh ended
# with STATUS; a test that failed there is not its fault
report_host() {
	local text
	text=$(sed -n 's/^.*error: boot [^:]*: //p' "$3" | tail -n 1)
	if [ "$2" -eq 0 ] || [[ $text =~ ^[a-z0-9_.-]+\ FAIL\  ]]; then
		echo "ok $1"
	else
		echo "FAIL $1 ${text:-boot.sh ended with status $2; log: $4}"
		return 1
	fi
}

# report TEST KERNEL STATUS ERRORS: a line for each result, and for the host; fails
# if one failed, or there is none
report() {
	local log=$logs/$1-$2.log name kind text status=0 any=
	while read -r name kind text; do
		any=1
		case $kind in
		PASS)	echo "ok $name${text:+ $text}" ;;
		SKIP)	echo "SKIP $name ${text:-it gives no reason}" ;;
		*)	echo "FAIL $name ${text:-no reason given}; log: $(tap "$log" "$name")"
			status=1 ;;
		esac
	done < <(sed -n 's/^RESULT //p' "$log")
	[ -n "$any" ] || status=1
	report_host "$1-host" "$3" "$4" "$log" || status=1
	return $status
}

# tap LOG NAME: what the selftest NAME has printed, and the kernel at that time
tap() { excerpt "$1" "$2" "^#  *RUN  *$2 " "^not ok .* $2\>"; }

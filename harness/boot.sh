#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# boot.sh [OPTION...] TEST [PARAMETER...]: boot a kernel in QEMU, which emulates
# an AMD machine with SVM, and run the test TEST of harness/host/tests there.
# Each PARAMETER goes on the kernel's command line.
#
#	-k KERNEL	the kernel built in $build/kernel-KERNEL (host)
#	-i NAME		the initramfs $build/NAME.cpio.gz (initramfs)
#	-l NAME		the console goes to $logs/NAME.log (boot-TEST)
#	-m MIB		memory (256)
#	-n MIB		how much of it, at its end, is a node without processors (0)
#	-c CPUS		processors (2)
#	-d MIB		size of the swap disk /dev/vda (0: none)
#	-s MINUTES	silence of the test that counts as a hang (10)
#	-x CPUS		processors that are possible, if more (as many as there are)
#	-t		the time-stamp counter counts instructions: one for each
#			nanosecond, and time jumps ahead while the machine idles
#	-p		the processors run in parallel; not for KVM
#	-q		do not show the results
#
# Succeeds when the test ended with status 0, none of its results is FAIL, the
# machine powered itself off and the kernel complained of nothing.  An oops, a
# stall or a lockup ends the machine at once.

. "$(dirname "$0")/lib.sh"

kernel=host initramfs=initramfs logname='' memory=256 far=0 cpus=2 disk=0
silence=10 possible='' counted='' quiet='' thread=single
while getopts k:i:l:m:n:c:d:s:x:tpq option; do
	case $option in
	k) kernel=$OPTARG ;;
	i) initramfs=$OPTARG ;;
	l) logname=$OPTARG ;;
	m) memory=$OPTARG ;;
	n) far=$OPTARG ;;
	c) cpus=$OPTARG ;;
	d) disk=$OPTARG ;;
	s) silence=$OPTARG ;;
	x) possible=$OPTARG ;;
	t) counted=1 cpus=1 ;;
	p) thread=multi ;;
	q) quiet=1 ;;
	*) die "boot.sh: its options are listed at its head" ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || die "usage: boot.sh [OPTION...] TEST [PARAMETER...]"
run=$1
shift
log=$logs/${logname:=boot-$run}.log
bzimage=$build/kernel-$kernel/arch/x86/boot/bzImage
image=$build/swap-$logname.img
qemu=
# What stops a broken machine
deadly=(softlockup_panic=1 sysctl.kernel.hung_task_panic=1
	sysctl.kernel.panic_on_rcu_stall=1)

# our_functions: the functions of the files that the series adds
our_functions() {
	local file
	git -C "$linux" diff --diff-filter=A --name-only base series -- '*.c' |
		while read -r file; do
			file=$build/kernel-$kernel/${file%.c}.o
			[ ! -f "$file" ] || nm "$file"
		done | awk 'NF == 3 && $2 ~ /[tT]/ { print $3 }' | sort -u
}

# not_elsewhere: standard input without the data races (KCSAN) that involve no
# function of ours: 6.12 has many
not_elsewhere() {
	awk '
	FILENAME != "-" { ours[$1] = 1; next }
	!/BUG: KCSAN: / { print; next }
	{
		n = split($0, word, /[ +]/)
		for (i = 1; i <= n; i++)
			if (word[i] in ours) {
				print
				break
			}
	}' <(our_functions) -
}

finish() {
	[ -z "$qemu" ] || { kill "$qemu" && wait "$qemu"; } 2>/dev/null || true
	rm -f "$image"
}
trap finish EXIT
trap 'exit 130' INT TERM

tsc_khz() {
	[ -z "$counted" ] || { echo 1000000; return; }
	[ "$build/tsc-khz" -nt "$top/harness/tsc-khz.c" ] ||
		{ gcc -O2 -Wall -o "$build/tsc-khz.$$" "$top/harness/tsc-khz.c" &&
		  mv "$build/tsc-khz.$$" "$build/tsc-khz"; } ||
		die "boot.sh: cannot build tsc-khz"
	"$build/tsc-khz"
}

# start_qemu: one thread emulates all processors in turn, unless -p is given.
# With a thread for each, QEMU 7.2 now and then saves the host's registers as
# those of the guest when a guest exits (a guest dies of a triple fault, on any
# kernel), and may go on executing a breakpoint that another processor has put
# into the kernel's code and removed.
start_qemu() {
	local args=(-accel "tcg,thread=$thread" -cpu "max,+svm,+npt"
		-smp "${possible:-$cpus}"
		-m "$memory" -display none -vga none -qmp stdio -nic none -no-reboot
		-serial "file:$log" -kernel "$bzimage"
		-initrd "$build/$initramfs.cpio.gz")
	# On a busy machine the kernel can check neither its timer nor the speed
	# of its clock, which is that of this machine's.
	local params=(console=ttyS0 panic=-1 tsc=reliable no_timer_check
		"tsc_early_khz=$(tsc_khz)" "${deadly[@]}" "run=$run" "$@")

	# Those that are only possible are there, and stay off: the kernel ignores
	# what could be plugged in, unless it has found a hypervisor.
	[ -z "$possible" ] || params+=("maxcpus=$cpus")
	if [ -n "$counted" ]; then
		# Nothing of this machine's must show: neither its clock nor chance.
		args+=(-icount "shift=0,sleep=off" -seed 1
			-rtc "base=2026-01-01,clock=vm")
	fi
	if [ "$far" -gt 0 ]; then
		args+=(-object "memory-backend-ram,id=near,size=$((memory - far))M"
			-object "memory-backend-ram,id=far,size=${far}M"
			-numa "node,cpus=0-$((cpus - 1)),memdev=near"
			-numa "node,memdev=far")
	fi
	if [ "$disk" -gt 0 ]; then
		rm -f "$image"
		truncate -s "${disk}M" "$image"
		# A full disk is an I/O error for the guest, not a silent stop.
		args+=(-drive "file=$image,format=raw,if=virtio,cache=unsafe,werror=report,rerror=report")
	fi
	: >"$log"
	# QEMU's monitor says why the machine stopped: the kernel's last words
	# may not reach the console.  The monitor must not see the end of
	# its input.
	rm -f "$log.monitor"
	mkfifo "$log.monitor"
	exec 7<>"$log.monitor"
	rm -f "$log.monitor"
	echo '{"execute":"qmp_capabilities"}' >&7
	qemu-system-x86_64 "${args[@]}" -append "${params[*]}" \
		>"$log.qemu" 2>&1 <&7 &
	qemu=$!
}

fail() {
	[ ! -t 2 ] || printf '\r\033[K' >&2
	say "error: boot $logname: $*; log: $log"
	exit 1
}

disk_full() { [ "$(df -k --output=avail "$build" | tail -n 1)" -lt 256 ]; }

# booting: whether no test has begun yet, and the kernel has not complained
booting() {
	! grep -aq "^START $run " "$log" &&
		[ -z "$(complaints <(tr -d '\r' <"$log"))" ]
}

# spoken: how many lines show that the machine is alive.  Once it has booted only
# those of the test do: a kernel that is stuck may repeat itself.
spoken() {
	if booting; then
		wc -l <"$log"
	else
		grep -a $'\r$' "$log" | grep -avcE "^$stamp" || true
	fi
}

# watch: wait for QEMU to end, or stop it when the test was silent for too long.
# A hang differs from slow emulation by its silence, not by the time.
# On a full disk the console is silent too, as its log can't grow.
watch() {
	local begin=$SECONDS spoke=$SECONDS next=30 size=0 lines=0 now
	while kill -0 "$qemu" 2>/dev/null; do
		sleep 0.5
		now=$(stat -c %s "$log")
		if [ "$now" -ne "$size" ]; then
			size=$now
			now=$(spoken)
			[ "$now" -eq "$lines" ] || spoke=$SECONDS
			lines=$now
		fi
		[ $((SECONDS - spoke)) -lt $((silence * 60)) ] ||
			fail "hang: nothing from the test for $silence minutes," \
				"last: $(last_line "$log")"
		! disk_full || fail "the disk is full"
		if [ -t 2 ] || [ $((SECONDS - begin)) -ge $next ]; then
			show_step "$logname" $((SECONDS - begin)) "$(last_line "$log")"
			next=$((SECONDS - begin + 30))
		fi
	done
}

powered_off() { grep -q '"reason": "guest-shutdown"' "$log.qemu"; }

[ -f "$bzimage" ] ||
	die "boot.sh: kernel $kernel is not built: run harness/kernel.sh $kernel"
[ -f "$build/$initramfs.cpio.gz" ] ||
	die "boot.sh: initramfs $initramfs is not built: no $build/$initramfs.cpio.gz"

begin=$SECONDS
start_qemu "$@"
watch
status=0
wait "$qemu" || status=$?
qemu=
[ ! -t 2 ] || printf '\r\033[K' >&2
sed -i 's/\r$//' "$log"

[ $status -eq 0 ] || fail "QEMU failed: $(last_line "$log.qemu")"
line=$(complaints "$log" | not_elsewhere | sed -n 1p)
! grep -aq 'Kernel panic' "$log" || fail "panic: $line"
[ -z "$line" ] || fail "the kernel complains: $line"
end=$(sed -n "s/^END $run //p" "$log" | tail -n 1)
[ -n "$end" ] || fail "the test did not end: $(last_line "$log")"
powered_off || fail "the machine stopped but did not power off"
[ -n "$quiet" ] || sed -n 's/^RESULT //p' "$log"
line=$(grep -a '^RESULT [^ ]* FAIL' "$log" | head -n 1 || true)
[ -z "$line" ] || fail "${line#RESULT }"
[ "$end" = 0 ] || fail "the test ended with status $end"
grep -aq '^RESULT ' "$log" || fail "the test gave no result"
say "boot $logname: done in $((SECONDS - begin))s"

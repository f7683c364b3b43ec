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

# index_tests: note which program of /selftests has which test, from the columns
# of what the programs list
index_tests() {
	for program in $(cat /selftests/tests); do
		"/selftests/$program" -l 2>&1 | awk -v program="$program" '
		function column(at, width,  text) {
			text = substr($0, at, width)
			gsub(/ /, "", text)
			return text
		}
		/^[#-]/ { next }
		column(1, 20) { fixture = column(1, 20) }
		column(48, 80) { print fixture "." column(48, 80), program }'
	done >/tmp/tests.index
}

# program_of FIXTURE[.VARIANT].TEST: the program that has the test
program_of() {
	awk -v test="${1%%.*}.${1##*.}" '$1 == test { print "/selftests/" $2 }' \
		/tmp/tests.index
}

# verdicts PREFIX: the results in the TAP on standard input; the first message of a
# test is why it failed.  $failed is 1 if one has.
verdicts() {
	while read -r line; do
		case $line in
		'# '*': '*)	why=${why:-$line} ;;
		esac
		name=${line#*ok }
		name=$1${name#* }
		case $line in
		'ok '*' # SKIP '*)
			result "${name%% *}" SKIP "${name#*# SKIP }" ;;
		'ok '*)
			result "$name" PASS ;;
		'not ok '*)
			result "${name%% *}" FAIL "${why#\# }"
			failed=1 ;;
		*)
			continue ;;
		esac
		why=
	done
}

# kunit_verdicts PREFIX: of the KUnit tests, which ran when the kernel booted
kunit_verdicts() {
	for suite in /sys/kernel/debug/kunit/*; do
		sed -n 's/^    \([^ ]\)/\1/p' "$suite/results" >$out ||
			failed=1
		verdicts "$1${suite##*/}." <$out
	done
}

kmemleak=/sys/kernel/debug/kmemleak

# no_leaks: check that the kernel leaked no memory.  With $leaks, on a kernel with
# kmemleak=on, which reports only what is five seconds old and had not changed
# since the last scan.
no_leaks() {
	[ -n "$leaks" ] || return 0
	for scan in 1 2 3; do
		sleep 6
		echo scan >$kmemleak || {
			result leaks FAIL "there is no kmemleak, or it has given up"
			return 1
		}
	done
	if ! grep -q ^unreferenced $kmemleak; then
		result leaks PASS
		return 0
	fi
	cat $kmemleak
	result leaks FAIL $(sed -n '/^ *backtrace/,/^unreferenced/s/^ *\(\[.*\] \)\?//p' \
		$kmemleak | sed -n '2,6p')
	return 1
}

# A program that hangs is recognised by its CPU time, not by the clock, as nobody
# knows how fast the machine below is.  One that has used none for five minutes is
# stuck; one that has used half an hour, where none needs more than a few minutes,
# loops.  Both are killed, so that what comes after them still runs.
stuck_polls=60			# of 5 seconds each
limit_ticks=180000		# USER_HZ is 100

# cpu_ticks SID: the CPU time used so far by all processes of a session
cpu_ticks() {
	cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^.*) //' |
		awk -v sid="$1" '$4 == sid { n += $12 + $13 + $14 + $15 }
				 END { print n + 0 }'
}

# watch SID: show that the session makes progress, and end it when it makes none
watch() {
	local last=-1 now idle=0
	while sleep 5; do
		now=$(cpu_ticks "$1")
		if [ "$now" -eq "$last" ]; then
			idle=$((idle + 1))
		else
			idle=0
			echo "... $((now / 100))s of CPU time"
		fi
		last=$now
		if [ $idle -ge $stuck_polls ]; then
			echo "stuck: no CPU time used for a long time" >$out.hang
		elif [ "$now" -ge $limit_ticks ]; then
			echo "endless: used $((now / 100))s of CPU time" >$out.hang
		else
			continue
		fi
		kill -KILL "-$1"
		return
	done
}

# show: what the program printed, without the lines it rewrote in place
show() {
	sed 's/^.*\r\(.\)/\1/; s/\r//' $out | tail -n 80 | sed 's/^/  /'
}

# skip_reason: what a program that exits with 4 said about it
skip_reason() {
	sed -n 's/^.*# SKIP[ -]*//p' $out | tail -n 1
}

# watched DIRECTORY COMMAND...: a program in a session of its own, with its
# output in $out; why it was ended, if it was, is in $out.hang
watched() {
	local dir=$1 pid watcher status=0 begin
	shift
	rm -f $out.hang
	begin=$(date +%s)
	(cd "$dir" && exec setsid "$@") >$out 2>&1 </dev/null &
	pid=$!
	watch $pid &
	watcher=$!
	wait $pid || status=$?
	kill $watcher 2>/dev/null
	wait $watcher 2>/dev/null
	show
	echo "... ended with status $status after $(($(date +%s) - begin))s"
	return $status
}

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# top.sh: mmu_notifier_top compiles without a warning, and makes of samples what it
# should: those of a healthy system, of one that is stuck, of a later kernel, and
# those that are cut off or have been tampered with.  What it prints as JSON is JSON,
# it says in one line what it lacks, and a terminal is left as it was.
#
# All samples are made up, here.  Prints "FAIL CASE" and what was said for each case
# that fails.

. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$tmp"' EXIT
tool=$tmp/mmu_notifier_top
export ASAN_OPTIONS=detect_leaks=0	# which takes most of the time
cases=0 failed=0

# compile PROGRAM OPTION...
compile() {
	gcc -Wall -Wextra -Werror -DMOUNTS="\"$tmp/mounts\"" -o "$1" "${@:2}" \
		"$top"/tools/mm/mmu_notifier_top*.c
}

# sample: two mms, one with something stuck
sample() {
	cat <<'END'
mm 4242 qemu-system-x86
  subscriber kvm_mmu_notifier_ops [kvm]
  intervals 2 7f0000000000-7f00001fffff
  range 7f1200000000-7f1200200000 UNMAP blockable 4242 4243 CPU\0400/KVM 2500000
  range 7f1300000000-7f1300001000 CLEAR nonblock 99 99 oom_reaper 1000000
  call kvm_mmu_notifier_invalidate_range_start [kvm] 4242 4243 CPU\0400/KVM 2400000
  ranges UNMAP=12 CLEAR=3456 PROTECTION_VMA=0 MIGRATE=4
  callbacks 69166 123456789 4567890 kvm_mmu_notifier_invalidate_range_start [kvm]
  young 17
  waits 3 4500
  retries 12
mm 77 train
  subscriber gru_mmuops
  subscriber other_ops
  ranges UNMAP=100000
  callbacks 5 9123456789 5567890 gru_start
  young 0
  waits 0 0
  retries 0
END
}

# later: the same, later, when the second process has run another program, and there
# is a new one
later() {
	sample | sed 's/UNMAP=12 /UNMAP=112 /; s/^mm 77 .*/mm 77 other/
		s/UNMAP=100000/UNMAP=50/; s/callbacks 5 .*/callbacks 0 0 0 -/'
	printf 'mm 78 new\n  ranges CLEAR=200\n'
}

# future: the same, with more in it than is known
future() {
	echo 'version 9'
	sample | sed 's/^  young.*/&\n  colour blue 3\n\tnested 1 2 3\n/'
	echo 'end of file'
}

# hostile: names and lines that somebody could have thought of
hostile() {
	printf 'mm 1 "a\\\\b",}]\\040\\042\\n\\x1b[31m\\377\\303\\251\\\n'
	printf '  ranges "=1 \\=2 "=3\n'
	printf '  subscriber a"b\\c\n'
	printf '  callbacks 1 2 3 %s\n' '"'
	printf 'mm 2 \033]0;title\007\r\377\300\200\355\240\200\364\220\200\200\302\205\n'
	printf '  call f 1 2 a b  c 5\n  call f 1 2  5\n  call f 1 2 5\n'
	printf '  range 0-ffffffffffffffff X blockable 1 1 mm\\0401 7\n'
	printf 'mm 3\n\n  young 5\n  young -1\n  young 99999999999999999999\n  young\n'
	printf '  retries 7 x\n  retries 0x7\n  ranges A=1 B C=x D= =5 A=2 E=3=4\n'
	printf 'mm 4 nul\0byte\n  waits 1\n  range 1-2\n  range 1 CLEAR\n  call\n'
	printf 'mm x\n  young 6\n'
}

# huge: lines of a megabyte
huge() {
	printf 'mm 1 '
	head -c 1000000 /dev/zero | tr '\0' x
	printf '\n  ranges'
	seq -f ' E%g=1' 3000 | tr -d '\n'
	printf '\n  junk '
	head -c 1000000 /dev/zero
	printf '\n  young 1\nmm 2 last\n  retries 3\n'
}

wrong() {
	failed=$((failed + 1))
	echo "FAIL $1"
	head -c 2000 "$tmp/said" | tr -cd '[:print:]\n' | sed 's/^/     | /'
}

# exits NAME STATUS PATTERN ARGUMENT...: the tool must end so, with one line that
# matches PATTERN
exits() {
	local status=0
	cases=$((cases + 1))
	"${run[@]}" "$tool" "${@:4}" >"$tmp/said" 2>&1 </dev/null || status=$?
	[ $status -eq "$2" ] && [ "$(wc -l <"$tmp/said")" -eq 1 ] &&
		grep -qE -e "$3" "$tmp/said" || wrong "$1: status $status"
}
run=()

# shows NAME PATTERN ARGUMENT...: the table must have a line that matches PATTERN
shows() {
	cases=$((cases + 1))
	"$tool" --once "${@:3}" >"$tmp/said" 2>&1 </dev/null &&
		grep -qE -e "$2" "$tmp/said" || wrong "$1"
}

# json NAME EXPECTED EXPRESSION ARGUMENT...: of the document d with the mms m, the
# expression must have the value EXPECTED
json() {
	cases=$((cases + 1))
	"$tool" --once --json "${@:4}" >"$tmp/json" 2>"$tmp/said" </dev/null &&
		python3 -c 'import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
m = d["mms"]
print(json.dumps(eval(sys.argv[2])))' "$tmp/json" "$3" >"$tmp/said" 2>&1 &&
		[ "$(cat "$tmp/said")" = "$2" ] || wrong "$1"
}

# holds NAME COMMAND...: COMMAND must succeed
holds() {
	cases=$((cases + 1))
	"${@:2}" >"$tmp/said" 2>&1 </dev/null || wrong "$1"
}

tables() {
	shows 'a row' '^ +77 train +9\.12s +100000 +5 +0 +5\.6ms +0ns +0$' -f "$tmp/sample"
	shows 'the total' '^ +total +9\.25s +103472 ' -f "$tmp/sample"
	shows 'a range that is stuck' '^ +STUCK range 7f12.* UNMAP for 2\.50s' -f "$tmp/sample"
	shows 'a callback that is stuck' '^ +STUCK in kvm_.*4242/4243' -f "$tmp/sample"
	shows 'a range that is not' '^ +range 7f13.* CLEAR nonblock for' -f "$tmp/sample"
	shows 'one process' '^mms: 1, stuck: 0' -f "$tmp/sample" -p 77
	shows 'no process' '^mms: 0,' -f "$tmp/sample" -p 7
	shows 'an empty file' '^mms: 0,' -f /dev/null
	shows 'rates' 'TIME/s' -f "$tmp/sample" -i 0.1
	holds 'the stuck one is first' [ "$("$tool" -1f "$tmp/sample" |
		awk '$1 ~ /^[0-9]+$/ { print $1; exit }')" = 4242 ]
	"$tool" --once -f "$tmp/hostile" >"$tmp/table" || true
	holds 'there is a table of hostile names' grep -q ' 4 nul?byte ' "$tmp/table"
	holds 'the table is printable' [ -z "$(tr -d '\n -~' <"$tmp/table")" ]
}

documents() {
	json 'no rates' '[null, null]' '[d["seconds"], m[0]["rates"]]' -f "$tmp/sample"
	json 'by time' '[77, 4242]' '[x["pid"] for x in m]' -f "$tmp/sample" -s time
	json 'by ranges' '[77, 4242]' '[x["pid"] for x in m]' -f "$tmp/sample" -s ranges
	json 'by longest' '[4242, 78, 77]' '[x["pid"] for x in m]' -f "$tmp/longest" -s longest
	json 'totals' '[3472, 69166, 123456789, 17, 3, 4500, 12]' \
		'[m[1]["totals"][k] for k in ("ranges", "callbacks", "callback_ns", "young",
		"waits", "wait_us", "retries")]' -f "$tmp/sample"
	json 'events' '{"UNMAP": 12, "CLEAR": 3456, "PROTECTION_VMA": 0, "MIGRATE": 4}' \
		'm[1]["totals"]["events"]' -f "$tmp/sample"
	json 'a range' '["0x7f1200000000", "0x7f1200200000", "UNMAP", true]' \
		'list(m[1]["in_progress"][0].values())[:4]' -f "$tmp/sample"
	json 'its task' '[4242, 4243, "CPU 0/KVM", 2500000, true]' \
		'list(m[1]["in_progress"][0].values())[4:]' -f "$tmp/sample"
	json 'what is stuck' '[[true, false], [true]]' \
		'[[x["stuck"] for x in m[1][k]] for k in ("in_progress", "running")]' \
		-f "$tmp/sample"
	json 'modules' '[["kvm_mmu_notifier_ops [kvm]"], true]' \
		'[m[1]["subscribers"], m[1]["longest"]["callback"] ==
		"kvm_mmu_notifier_invalidate_range_start [kvm]"]' -f "$tmp/sample"
	json 'intervals' '[null, [2, "0x7f0000000000", "0x7f00001fffff"]]' \
		'[m[0]["intervals"], list(m[1]["intervals"].values())]' -f "$tmp/sample"
	json 'no longest callback' '{"ns": 0, "callback": null}' 'm[-1]["longest"]' \
		-f "$tmp/later" -p 77
	json 'a later kernel' true \
		"[m, d['unreadable']] == [json.load(open('$tmp/good'))['mms'], 0]" -f "$tmp/future"
	json 'hostile: all mms' 4 'len(m)' -f "$tmp/hostile"
	json 'escapes' '"\"a\\b\",}] \"\n\u001b[31m\ufffd\u00e9\\"' \
		'[x["comm"] for x in m if x["pid"] == 1][0]' -f "$tmp/hostile"
	json 'bytes' '"\u001b]0;title\u0007\r'"$(printf '%0.s\\ufffd' {1..10})"'\u0085"' \
		'[x["comm"] for x in m if x["pid"] == 2][0]' -f "$tmp/hostile"
	json 'names of tasks' '["a b  c", ""]' \
		'[y["comm"] for x in m for y in x["running"]]' -f "$tmp/hostile"
	json 'strange events' '{"\"": 3, "\\": 2}' \
		'[x["totals"]["events"] for x in m if x["pid"] == 1][0]' -f "$tmp/hostile"
	json 'numbers that are none' '[5, 7, 2, {"A": 2}]' \
		'[[x[k] for k in ("young", "retries", "ranges", "events")] for x in
		[y["totals"] for y in m if y["pid"] == 3]][0]' -f "$tmp/hostile"
	json 'unreadable lines' 12 'd["unreadable"]' -f "$tmp/hostile"
	json 'long lines' '[1000000, 3000, 1, 3]' '[len(m[0]["comm"]),
		m[0]["totals"]["ranges"], m[0]["totals"]["young"], m[1]["totals"]["retries"]]' \
		-f "$tmp/huge" -s ranges
}

# cut_off: the sample, cut off at every third place, has no figure that isn't in all of it
cut_off() {
	local i size
	size=$(wc -c <"$tmp/sample")
	for ((i = 24; i <= size; i += 3)); do
		head -c "$i" "$tmp/sample" >"$tmp/cut"
		"$tool.quick" -1jf "$tmp/cut" || return 1
	done >"$tmp/lines"
	python3 -c 'import json, sys
good = {m["pid"]: m for m in json.load(open(sys.argv[1]))["mms"]}
n = 0
for line in open(sys.argv[2]):
    d = json.loads(line)
    n += d["unreadable"]
    for m in d["mms"]:
        g = good[m["pid"]]
        for k, v in m["totals"].items():
            assert k == "events" or v in (0, g["totals"][k]), (k, v)
        assert m["comm"] == g["comm"], m
        assert all(r in g["in_progress"] for r in m["in_progress"]), m
assert n > 200, n' "$tmp/good" "$tmp/lines"
}

# changes: of an mm that changes, one that becomes another, and one that is new,
# beginning with the sample in which they do, there are the right rates
changes() {
	local begin=$SECONDS
	cp "$tmp/sample" "$tmp/now"
	"$tool" -j -i 0.1 -f "$tmp/now" >"$tmp/rates" &
	pid=$!
	while [ ! -s "$tmp/rates" ]; do
		sleep 0.05
		[ $((SECONDS - begin)) -lt 60 ] || return 1
	done
	cp "$tmp/later" "$tmp/new"
	mv "$tmp/new" "$tmp/now"
	while ! grep -q '"pid":78,.*"pid":78,' <(paste -sd ' ' "$tmp/rates"); do
		sleep 0.05
		[ $((SECONDS - begin)) -lt 60 ] || return 1
	done
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	pid=
	python3 -c 'import json, sys
lines = [json.loads(s) for s in open(sys.argv[1]) if s.endswith("\n")]
at = [any(m["pid"] == 78 for m in d["mms"]) for d in lines].index(True)
def ranges(d):
    return {m["pid"]: round(m["rates"]["ranges"] * d["seconds"], -1) for m in d["mms"]}
assert at > 0 and ranges(lines[0]) == {4242: 0, 77: 0}, lines[0]
assert ranges(lines[at]) == {4242: 100, 77: 50, 78: 200}, lines[at]
assert ranges(lines[at + 1]) == {4242: 0, 77: 0, 78: 0}, lines[at + 1]' "$tmp/rates"
}

# errors: what is missing is told in one line
errors() {
	: >"$tmp/mounts"
	exits 'no debugfs' 1 'not mounted.*mount -t debugfs' -1
	echo "debug $tmp/debug debugfs rw 0 0" >"$tmp/mounts"
	mkdir "$tmp/debug"
	exits 'no option' 1 'CONFIG_MMU_NOTIFIER_STATS=y' -1
	mkdir "$tmp/debug/mmu_notifier"
	sample >"$tmp/debug/mmu_notifier/mms"
	shows 'debugfs elsewhere' '^mms: 2' --once
	chmod 700 "$tmp/debug"
	chmod 711 "$tmp"
	if [ "$(id -u)" -eq 0 ]; then
		run=(setpriv --reuid 65534 --clear-groups)
	else
		chmod 0 "$tmp/debug/mmu_notifier/mms"
	fi
	exits 'not root' 1 'only root .*sudo' -1
	run=()
	exits 'no file' 1 'No such file' -1f "$tmp/none"
	exits 'a directory' 1 'Is a directory' -1f "$tmp"
	echo 'root:x:0:0' >"$tmp/passwd"
	exits 'another file' 1 'no mm in it' -1f "$tmp/passwd"
	exits 'no terminal' 1 'use --once or --json' -f "$tmp/sample"
	exits 'an unknown option' 2 unrecognized --none
	exits 'an argument' 2 argument 1
	exits 'a sort key' 2 'sort by' -s pid
	exits 'an interval' 2 'interval' -i 0
	exits 'no interval' 2 'interval' -i nan
	exits 'a PID' 2 'PID' -p -1
	holds 'a full disk' [ "$("$tool" -1f "$tmp/sample" 2>&1 >/dev/full; echo $?)" = \
		$'mmu_notifier_top: can\'t write the output: No space left on device\n1' ]
	holds 'help' "$tool" --help
}

# manual: the page has all options that --help has, and the other way round
manual() {
	[ "$("$tool" --help | grep -oE -e '--[a-z]+' | sort -u)" = \
		"$(sed -n 's/^\.BR .*\\-\\-\([a-z]*\).*/--\1/p' \
			"$top/tools/mm/mmu_notifier_top.8" | sort -u)" ]
}

compile "$tool.quick" -O2 || die 'top: it does not compile'
compile "$tool" -g -fsanitize=address,undefined -fno-sanitize-recover=all
sample >"$tmp/sample"
later >"$tmp/later"
future >"$tmp/future"
hostile >"$tmp/hostile"
huge >"$tmp/huge"
{
	sed 's/5567890/67890/' "$tmp/sample"
	printf 'mm 78 new\n  callbacks 1 99999 99999 f\n'
} >"$tmp/longest"
"$tool" -1jf "$tmp/sample" >"$tmp/good" || die 'top: the sample is not read'
tables
documents
holds 'no memory is lost' env ASAN_OPTIONS= "$tool" --once -i 0.1 -f "$tmp/hostile"
holds 'a file that is cut off' cut_off
holds 'mms that come, go and change' changes
errors
holds 'the manual page' manual
holds 'a terminal' python3 "$top/harness/check/top-terminal.py" "$tool" "$tmp/sample"
[ $failed -eq 0 ] || die "top: $failed of $cases cases"
echo "$cases cases"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mutate.sh [PATTERN]: check that every hook is needed, and that a test notices when
# it is missing.  Boots the debug kernel, silences each hook in turn and runs the
# tests that should notice.  PATTERN, a shell pattern, selects hooks; FIXTURE=mn or
# young selects tests.
#
# Prints a line for each hook: "ok HOOK caught by TEST, N s", or "FAIL HOOK
# REASON"; one that harness/mutate.known names is "SKIP HOOK REASON".  The table
# of hooks in the documentation is left in $build/mutate.rst, with what this run
# has found.
#
# A kernel that dies, or complains, because a hook is silent has noticed it too.
# The machine is then booted again and continues after that hook.  If other hooks
# had their turn earlier in the same boot, one of them may be to blame, and the
# hook has its turn again in a boot of its own.

. "$(dirname "$0")/lib.sh"

[ $# -le 1 ] || die "usage: mutate.sh [PATTERN]"
pattern=${1:-}
known=$top/harness/mutate.known
results=$build/mutate.results
table=$build/mutate.rst
document=$top/Documentation/mm/mmu_notifier_hooks.rst
log=$logs/mutate.log
notes=$build/mutate-notes

# pack: the initramfs, with the notes of earlier boots
pack() {
	"$top/harness/initramfs.sh" -o mutate "$build/selftests/root" \
		"$build/kvm-selftests/root" "$notes" >&2
}

# boot [HOOK]: continues after HOOK.  Its status does not matter: the kernel often
# complains when a hook is missing.
boot() {
	: >"$log"
	"$top/harness/boot.sh" -q -k debug -i mutate -l mutate -m 2048 -n 256 -d 512 \
		mutate mem=2040M ${1:+"after=$1"} \
		${pattern:+"only=$pattern"} \
		${FIXTURE:+"fixture=$FIXTURE"} >&2 || true
	sed -i 's/\r$//' "$log"
	cat "$log" >>"$logs/mutate-all.log"
}

# said KIND: the lines of this kind in the last boot, without the kind
said() { sed -n "s/^$1 //p" "$log"; }

# keep_notes: the findings of the first boot
keep_notes() {
	[ ! -s "$notes/mutate.notes" ] || return 0
	grep -a '^NOTE ' "$log" >"$notes/mutate.notes" || true
	pack
}

# reason: what the kernel complained of, if it did
reason() {
	local line
	line=$(complaints "$log" | sed -n 1p | sed 's/^\[[^]]*\] *//' | cut -c 1-60)
	echo "${line:-the machine hangs}"
}

# judge: the results of a boot that ended at its last hook, if they are that hook's
# own.  Sets $after to the hook to continue after.
judge() {
	local hooks last
	mapfile -t hooks < <(said HOOK)
	[ ${#hooks[@]} -gt 0 ] || die "mutate: the host ended early; log: $log"
	last=${hooks[-1]}
	if [ ${#hooks[@]} -gt 1 ]; then
		said RESULT | grep -v "^$last " >>"$results" || true
		after=${hooks[-2]}
		return
	fi
	said RESULT >>"$results"
	grep -q "^$last " "$results" || echo "$last PASS kernel: $(reason)" >>"$results"
	after=$last
}

run() {
	local after=
	: >"$results"
	: >"$logs/mutate-all.log"
	boot
	until said RESULT | grep '^mutate ' >/dev/null; do
		judge
		keep_notes
		boot "$after"
	done
	said RESULT >>"$results"
	sort -u -o "$results" "$results"
}

# report: a line for each hook
report() {
	local name hook kind text status=0 why
	while read -r name kind text; do
		case $name,$kind in
		mutate,PASS)	continue ;;
		*,PASS)		echo "ok $name caught by $text" ;;
		*)	case $name in
			kvm:*)	hook=$name ;;
			*)	hook=${name%:*} ;;
			esac
			why=$(sed -n "s/^$hook //p" "$known" | head -n 1)
			if [ -n "$why" ]; then
				echo "SKIP $name $why"
			else
				echo "FAIL $name $text; log: $logs/mutate-all.log"
				status=1
			fi ;;
		esac
	done <"$results"
	return $status
}

# tabulate: the table of hooks in the documentation, with what this run has found
# in its last column.  Of two hooks with one name the first line is the first row.
tabulate() {
	sort -t : -k 1,2 -k 3n "$results" | awk -v document="$document" '
	$1 ~ /:/ {
		split($1, part, ":")
		hook = part[1] == "kvm" ? "KVM" : part[1] "()"
		sub(/^arch_invalidate_/, "", part[2])
		test = $2 != "PASS" ? "none" : $3 == "kernel:" ? "kernel" : $3
		sub(/^(kvm|batch|(mn|young)\.[a-z_]*)\./, "", test)
		tests[hook, part[2]] = tests[hook, part[2]] test " "
	}
	END {
		while ((getline line <document) > 0) {
			if (line ~ /^=+ =+ =+ =+$/)
				bars++
			else if (!bars)
				continue
			split(line, field, / +/)
			hook = field[1] SUBSEP field[2]
			if (bars == 2 && (at = index(tests[hook], " "))) {
				test = substr(tests[hook], 1, at - 1)
				tests[hook] = substr(tests[hook], at + 1)
				sub(/[^ ]+$/, test, line)
			}
			print line
			if (bars == 3)
				exit
		}
	}' >"$table"
}

"$top/harness/selftests.sh" build
"$top/harness/kvm-selftests.sh" build
rm -rf "$notes"
mkdir -p "$notes"
pack
run
status=0
report || status=1
tabulate
say "mutate: $(grep -c '^[^ ]*:[^ ]* PASS ' "$results") of" \
	"$(grep -c '^[^ ]*:' "$results") hooks caught; table: $table"
exit $status

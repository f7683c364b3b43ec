#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mutate.sh [PATTERN]: is every hook needed, and does a test notice when it is
# missing?  Boots the debug kernel, makes one hook after the other keep silent
# and runs the tests that should notice.  PATTERN, as of a shell, chooses hooks;
# FIXTURE=mn or young the tests to choose from.
#
# Prints a line for each hook: "ok HOOK caught by TEST in N s", or "FAIL HOOK
# REASON"; one that harness/mutate.known names is "SKIP HOOK REASON".  The table
# is left in $build/mutate.rst.
#
# A machine that does not survive the silence of a hook has noticed, too: it is
# booted again and goes on behind that hook.

. "$(dirname "$0")/lib.sh"

[ $# -le 1 ] || die "usage: mutate.sh [PATTERN]"
pattern=${1:-}
known=$top/harness/mutate.known
results=$build/mutate.results
table=$build/mutate.rst
most_boots=8

# boot [HOOK]: goes on behind HOOK.  Its status is of no interest: that the
# kernel complains is what many a missing hook leads to.
boot() {
	"$top/harness/boot.sh" -q -k debug -i mutate -l mutate -m 2048 -d 512 \
		mutate mem=2040M ${1:+"after=$1"} \
		${pattern:+"only=$pattern"} \
		${FIXTURE:+"fixture=$FIXTURE"} >&2 || true
	cat "$logs/mutate.log" >>"$logs/mutate-all.log"
	grep -aE '^(RESULT|HOOK) ' "$logs/mutate.log" >>"$results" || true
}

ended() { tail -n 1 "$results" | grep -q '^RESULT mutate '; }

# died_in: the hook with which the machine did not come to an end
died_in() { tail -n 1 "$results" | sed -n 's/^HOOK //p'; }

reason() {
	grep -aE '\b(BUG|KASAN|Oops|panic|WARNING)\b' "$logs/mutate.log" |
		tail -n 1 | sed 's/^\[[^]]*\] *//' | cut -c 1-60
}

run() {
	local boots=1 hook
	: >"$results"
	: >"$logs/mutate-all.log"
	boot
	while ! ended; do
		hook=$(died_in)
		[ -n "$hook" ] || die "mutate: the host ended early; log: $logs/mutate.log"
		[ $boots -lt $most_boots ] ||
			die "mutate: $boots boots were not enough; log: $logs/mutate-all.log"
		echo "RESULT $hook PASS kernel: $(reason)" >>"$results"
		boots=$((boots + 1))
		boot "$hook"
	done
}

# report: a line for each hook
report() {
	local name kind text status=0 why
	while read -r name kind text; do
		case $name,$kind in
		mutate,PASS)	continue ;;
		*,PASS)		echo "ok $name caught by $text s" ;;
		*)	why=$(sed -n "s/^${name%:*} //p" "$known" | head -n 1)
			if [ -n "$why" ]; then
				echo "SKIP $name $why"
			else
				echo "FAIL $name $text; log: $logs/mutate-all.log"
				status=1
			fi ;;
		esac
	done < <(sed -n 's/^RESULT //p' "$results" | sort)
	return $status
}

# tabulate: the same for the documentation.  The numbers of lines go: they change
# with every release.
tabulate() {
	local bar
	bar=$(printf "=%.0s" {1..60})
	{
		echo "$bar ${bar:0:38}"
		printf '%-60s %s\n' 'Hook or step' 'Caught by'
		echo "$bar ${bar:0:38}"
		sed -n 's/^RESULT \([^ ]*:.*\)/\1/p' "$results" | awk '{
			split($1, part, ":")
			by = $2 != "PASS" ? "-" : $3 == "kernel:" ? "the kernel" : $3
			what = part[1] == "kvm" ? "KVM" : part[1] "()"
			printf "%-60s %s\n", what " " part[2], by
		}' | LC_ALL=C sort -f
		echo "$bar ${bar:0:38}"
	} >"$table"
}

"$top/harness/selftests.sh" build
"$top/harness/kvm-selftests.sh" build
"$top/harness/initramfs.sh" -o mutate "$build/selftests/root" \
	"$build/kvm-selftests/root"
run
status=0
report || status=1
tabulate
say "mutate: $(grep -c '^RESULT [^ ]*:[^ ]* PASS ' "$results") of" \
	"$(grep -c '^RESULT [^ ]*:' "$results") hooks caught; table: $table"
exit $status

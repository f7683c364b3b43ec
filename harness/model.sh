#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks the Promela models of the protocols: model.sh [MODEL...]
#
# Each model has to hold in every state it can reach, and each of its mutants,
# a MUT_* that the model's head lists, has to break the claim it is listed with.
# Every claim has to be broken by some mutant: one that no mutant breaks may be
# one that nothing can.  Prints "ok NAME" or "FAIL NAME" for each, and fails if
# one did.

. "$(dirname "$0")/lib.sh"

models=$top/tools/verification/models/mmu_notifier
out=$build/models

# What pan says of a search that leaves something out
cut_short='max search depth too small|Search not completed|out of memory'
cut_short+='|reached -DMEMLIM|assertion violations\s*-|invalid end states\s*-'

# run MODEL MUTANT: what pan says is in its log; MUTANT is "none" for the model.
# pan itself succeeds when it finds an error.
run() {
	local dir=$out/$1-$2 flags
	rm -rf "$dir"
	make -s -f "$models/Makefile" O="$dir" MODEL="$1" MUT="${2#none}" pan
	cd "$dir"
	read -ra flags < <(make -s -f "$models/Makefile" pan-flags)
	./pan "${flags[@]}"
}

log_of() { echo "$logs/model-$1-$2.log"; }

# mutants MODEL: each with its claim, as the head of the model lists them
mutants() {
	sed '/^ \*\//q' "$models/$1.pml" |
		sed -n 's/^ \*[[:space:]]*\(MUT_[A-Z_]*\)[[:space:]]*\(claim_[a-z]*\).*/\1 \2/p'
}

# violated LOG: the claim that pan found violated
violated() {
	if grep -aq 'pan:1: invalid end state' "$1"; then
		echo claim_deadlock
	else
		sed -n 's/^pan:1: assertion violated .*||\(claim_[a-z]*\)).*/\1/p' "$1"
	fi
}

# unreached LOG: the steps that the search never came to, except the ends of
# processes that have none
unreached() { grep -a ', state [0-9]*, "' "$1" | grep -v '"-end-"$'; }

# complete LOG: the search was exhaustive, and every step was taken
complete() {
	grep -aq 'errors: 0$' "$1" && ! unreached "$1" >&2 &&
		! grep -aqE "$cut_short" "$1"
}

states() { awk '/states, stored/ { print $1; exit }' "$1"; }

# judge MODEL MUTANT CLAIM
judge() {
	local log found
	log=$(log_of "$1" "$2")
	found=$(violated "$log")
	if [ "$2" = none ]; then
		if complete "$log"; then
			echo "ok $1 (states $(states "$log"))"
		else
			echo "FAIL $1: ${found:-search incomplete}${found:+ is violated} ($log)"
			return 1
		fi
	elif [ "$found" = "$3" ]; then
		echo "ok $1/$2: counterexample found"
	else
		echo "FAIL $1/$2: ${found:-no claim} is violated, not $3 ($log)"
		return 1
	fi
}

# listed MODEL: the head of the model lists what the model has
listed() {
	local ifs heads claims broken
	ifs=$(sed '1,/^ \*\//d' "$models/$1.pml" | grep -o 'MUT_[A-Z_]*' | sort -u)
	heads=$(mutants "$1" | cut -d ' ' -f 1 | sort)
	if [ -z "$heads" ] || [ "$ifs" != "$heads" ]; then
		echo "FAIL $1/mutants: its head does not list the mutants that it has"
		return 1
	fi
	claims=$(grep -o 'claim_[a-z]*' "$models/$1.pml" | sort -u)
	broken=$(mutants "$1" | cut -d ' ' -f 2 | sort -u)
	if [ "$claims" != "$broken" ]; then
		echo "FAIL $1/claims: not every claim has a mutant that breaks it"
		return 1
	fi
}

# run_all LIST: LIST has lines of MODEL MUTANT CLAIM.  It is the logs that are
# judged, so what a run returns doesn't matter.
run_all() {
	local model mutant claim
	while read -r model mutant claim; do
		while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do
			wait -n || true
		done
		echo "$model $mutant"
		run "$model" "$mutant" >"$(log_of "$model" "$mutant")" 2>&1 &
	done <"$1"
	wait
}

list() {
	local model
	for model; do
		echo "$model none -"
		mutants "$model" | sed "s/^/$model /"
	done
}

mapfile -t all < <(basename -s .pml "$models"/*.pml)
[ $# -gt 0 ] || set -- "${all[@]}"
for model; do
	[ -f "$models/$model.pml" ] || die "model.sh: there is no $models/$model.pml"
done

mkdir -p "$out"
rm -f "$logs"/model-*.log
begin=$SECONDS failed=0
list "$@" >"$out/list"
step models models.log run_all "$out/list"
for model; do
	listed "$model" || failed=1
done
while read -r model mutant claim; do
	judge "$model" "$mutant" "$claim" || failed=1
done <"$out/list"
say "models: $((SECONDS - begin)) seconds"
exit $failed

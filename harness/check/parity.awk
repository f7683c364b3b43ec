# SPDX-License-Identifier: GPL-2.0
#
# parity.awk: judges what parity.sh compared.  Its input has lines "= ROW",
# "< ROW" (only in A) and "> ROW" (only in B), rows as notifies.awk prints
# them.  Each row gets a verdict:
#
#	same	in both
#	moved	listed in parity.moved, and there
#	MISSING	no longer there
#	DIFFERS	there, but with another event or range
#	PLACE	there, but under another condition or elsewhere in the function
#	new	only in B
#
# and so does each line of parity.moved that is malformed (BAD) or excuses nothing
# (STALE).  A line is an entry or one of two rules:
#
#	FILE:FUNCTION CALL -> FILE:FUNCTION [CALL(ARGUMENTS)] : REASON
#	FILE -> FILE : REASON
#	CALL -> CALL(ARGUMENTS) : REASON
#
# An entry stands for all calls of that name in that function.  Where they went,
# the same call has to be found with the same arguments, or CALL(ARGUMENTS) if the
# entry says so.  What has no entry goes by the rules: a function may be in the
# other file, under its own name, and a call may have become another one.

# event_and_range NAME ARGS: two columns of the table
function event_and_range(name, args,	i, c, depth, n, part, range) {
	if (name !~ /^mmu_notifier_range_init/)
		return "-\t" args
	n = 1
	for (i = 1; i <= length(args); i++) {
		c = substr(args, i, 1)
		depth += (c == "(") - (c == ")")
		if (c == "," && !depth)
			n++
		else
			part[n] = part[n] c
	}
	range = part[5] "," part[6] (n > 6 ? "," part[7] : "")
	sub(/^ /, "", range)
	return substr(part[2], 2) "\t" range
}

function verdict(v, where, name, args, note,	file) {
	file = where
	sub(/:.*/, "", file)
	sub(/^[^:]*:/, "", where)
	count[v]++
	printf "%-8s%s\t%s\t%s\t%s%s\n", v, file, where, name,
		event_and_range(name, args), note == "" ? "" : "\t" note
}

# add_rule LEFT RIGHT: is it a rule?
function add_rule(left, right) {
	if (left ~ /^[^ :]+\.[ch]$/ && right ~ /^[^ :]+\.[ch]$/)
		file_rule[left] = right
	else if (left ~ /^[a-z_]+$/ && right ~ /^[a-z_]+\(.+\)$/)
		call_rule[left] = call_rule[left] "\t" right
	else
		return 0
	rules[left " -> " right]
	return 1
}

function read_moved(	line, n, part, side) {
	while ((getline line < moved) > 0) {
		if (line ~ /^#/ || line ~ /^[ \t]*$/)
			continue
		n = split(line, side, / -> | : /)
		if (n == 3 && side[3] != "" && add_rule(side[1], side[2])) {
			reason[side[1] " -> " side[2]] = side[3]
			continue
		}
		if (n != 3 || split(side[1], part, " ") != 2 ||
		    side[2] !~ /^[^ :]+:[^ ]+( .+)?$/ || side[3] == "") {
			verdict("BAD", "parity.moved:" line, "entry", "-")
			continue
		}
		key = part[1] "\t" part[2]
		entry[key] = side[1]
		target[key] = exact[key] = side[2]
		sub(/ .*/, "", target[key])
		if (!sub(/^[^ ]+ /, "", exact[key]))
			exact[key] = ""
		sub(/\(\)$/, "(-)", exact[key])
		reason[key] = side[3]
	}
}

# excused I: why the row may differ by its entry or by the rules, if what they
# name is in B
function excused(i,	key, want) {
	key = where[i] "\t" name[i]
	want = name[i] "(" args[i] ")"
	if (!(key in entry))
		return by_rules(i, want)
	used[key] = 1
	if (exact[key] != "")
		want = exact[key]
	if ((target[key], want) in have)
		return target[key] " : " reason[key]
}

function by_rules(i, want,	file, there, n, call, c, rule) {
	file = there = where[i]
	sub(/:.*/, "", file)
	if (file in file_rule) {
		sub(/^[^:]*/, file_rule[file], there)
		file = file " -> " file_rule[file]
		if ((there, want) in have)
			return apply(there, file)
	}
	n = split(substr(call_rule[name[i]], 2), call, "\t")
	for (c = 1; c <= n; c++) {
		if (!((there, call[c]) in have))
			continue
		rule = name[i] " -> " call[c]
		if (there != where[i])
			apply(there, file)
		return apply(there, rule)
	}
}

function apply(there, rule) {
	used_rule[rule] = 1
	return there " : " reason[rule]
}

BEGIN { read_moved() }

{
	mark = substr($1, 1, 1)
	row = substr($1, 3)
	if (mark != "<")
		have[row, $2 "(" $3 ")"] = 1
	if (mark == ">") {
		# what a lost row may have turned into
		gained[row, $2, $3] = "now: " $4 " after: " $5
		gained_name[row, $2] = "now: " $3
	}
	kind[NR] = mark; where[NR] = row; name[NR] = $2; args[NR] = $3
}

END {
	for (i = 1; i <= NR; i++) {
		key = where[i] "\t" name[i]
		if (kind[i] == "=")
			verdict("same", where[i], name[i], args[i])
		else if (kind[i] == ">")
			verdict("new", where[i], name[i], args[i])
		else if ((why = excused(i)) != "")
			verdict("moved", where[i], name[i], args[i], why)
		else if ((where[i], name[i], args[i]) in gained)
			verdict("PLACE", where[i], name[i], args[i],
				gained[where[i], name[i], args[i]])
		else if ((where[i], name[i]) in gained_name)
			verdict("DIFFERS", where[i], name[i], args[i],
				gained_name[where[i], name[i]])
		else
			verdict("MISSING", where[i], name[i], args[i])
	}
	for (key in entry)
		if (!(key in used))
			verdict("STALE", "parity.moved:" entry[key], "entry", "-")
	for (rule in rules)
		if (!(rule in used_rule))
			verdict("STALE", "parity.moved:" rule, "rule", "-")
	bad = count["MISSING"] + count["DIFFERS"] + count["PLACE"] + \
		count["STALE"] + count["BAD"]
	printf "%d notifying calls: %d the same, %d moved, %d wrong; %d new\n",
		count["same"] + count["moved"] + count["MISSING"] + \
		count["DIFFERS"] + count["PLACE"], count["same"],
		count["moved"], bad, count["new"]
	exit bad != 0
}

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
# and each entry of parity.moved that is malformed or excuses nothing one, too:
# BAD or STALE.  An entry is
#
#	FILE:FUNCTION CALL -> FILE:FUNCTION [CALL(ARGUMENTS)] : REASON
#
# and stands for all calls of that name in that function.  Where they went, the
# same call has to be found with the same arguments, or CALL(ARGUMENTS) if the
# entry says so.

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

function read_moved(	line, n, part, side) {
	while ((getline line < moved) > 0) {
		if (line ~ /^#/ || line ~ /^[ \t]*$/)
			continue
		n = split(line, side, / -> | : /)
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

# excused I: does parity.moved name the row, and is what it names in B?
function excused(i,	key, want) {
	key = where[i] "\t" name[i]
	if (!(key in entry))
		return 0
	used[key] = 1
	want = exact[key] != "" ? exact[key] : name[i] "(" args[i] ")"
	return (target[key], want) in have
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
		else if (excused(i))
			verdict("moved", where[i], name[i], args[i],
				target[key] " : " reason[key])
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
	bad = count["MISSING"] + count["DIFFERS"] + count["PLACE"] + \
		count["STALE"] + count["BAD"]
	printf "%d notifying calls: %d the same, %d moved, %d wrong; %d new\n",
		count["same"] + count["moved"] + count["MISSING"] + \
		count["DIFFERS"] + count["PLACE"], count["same"],
		count["moved"], bad, count["new"]
	exit bad != 0
}

# SPDX-License-Identifier: GPL-2.0
# The rows of the three kernels become a table and a file of comma-separated
# values; the names of those that are worse on ours go to a third file.
#
# Worse is what is above the pristine kernel's value by more than the spread of
# either, and by more than what two runs may differ anyway (see slack).

function die(text) {
	print "error: " text
	failed = 1
	exit 1
}

function to_regex(glob) {
	gsub(/[.+]/, "\\\\&", glob)
	gsub(/\*/, ".*", glob)
	return "^" glob "$"
}

function max(a, b) { return a > b ? a : b }

# How much a value may be above the pristine one without being worse
function slack(name, unit, value) {
	if (unit == "s")
		return 0.05 + value * 0.05
	if (unit == "KiB")
		return 512 + value * 0.05
	return value / 100 * \
		max(1, max(spread["pristine", name], spread["series", name]))
}

function number(x) {
	if (x == "")
		return "-"
	if (x >= 100 || x == int(x))
		return sprintf("%.0f", x)
	return sprintf(x >= 10 ? "%.1f" : x >= 0.1 ? "%.2f" : "%.4f", x)
}

# The row without a subscriber of the same path
function alone(name) {
	sub(/\..*/, ".none", name)
	return name
}

function best_of(name, what,	kind) {
	if (what == "-")
		return ""
	if (what !~ /^n/)
		return what
	if (!(("off", alone(name)) in value))
		return ""
	if (what == "n")
		return value["off", alone(name)]
	kind = name ~ /\.list-/ ? "callback.list" : "callback.interval"
	return value["off", alone(name)] + calls[name] * value["series", kind]
}

# The largest value that meets the target
function limit_of(name, what,	factor) {
	if (what == "-")
		return ""
	if (what !~ /\*/)
		return what
	factor = substr(what, index(what, "*") + 1)
	if (what ~ /^n/)
		return ("off", name) in value ? factor * value["off", name] : ""
	return value["series", alone(name)] + factor * \
		(value["pristine", name] - value["pristine", alone(name)])
}

what == "rows" {
	if ($0 !~ /^#/ && NF == 3) {
		n_rules++
		pattern[n_rules] = to_regex($1)
		best_rule[n_rules] = $2
		target_rule[n_rules] = $3
	}
	next
}

NF != 5 { die(FILENAME ": not a row: " $0) }

{
	if ((what, $1) in value)
		die($1 " was measured twice on " what)
	value[what, $1] = $3
	spread[what, $1] = $4
	if (what == "series") {
		calls[$1] = $5
		unit[$1] = $2
		names[++n] = $1
	}
	count[what]++
}

function line(a, b, c, d, e, f, g, h, i) {
	printf "%-28s %-10s %10s %10s %10s %6s %8s %10s  %s\n",
		a, b, c, d, e, f, g, h, i >table
}

END {
	if (failed)
		exit 1
	if (!n || count["pristine"] != n)
		die("pristine has " count["pristine"] + 0 " rows, ours " n + 0)
	printf "" >worse
	line("Row", "Unit", "Pristine", "Ours", "Without", "Ratio", "Spread %",
	     "Best", "Target")
	print "row,unit,pristine,ours,without,ratio,spread_pristine,spread_ours,best,best_is,target,verdict" >csv
	for (i = 1; i <= n; i++) {
		name = names[i]
		if (!(("pristine", name) in value))
			die("pristine has no row " name)
		for (r = 1; name !~ pattern[r]; r++)
			;
		p = value["pristine", name]
		o = value["series", name]
		off = ("off", name) in value ? value["off", name] : ""
		best = best_of(name, best_rule[r])
		limit = limit_of(name, target_rule[r])
		verdict = limit == "" ? "" : o <= limit + 0 ? "met" : "missed"
		ratio = p > 0 ? sprintf("%.3f", o / p) : ""
		fixed = target_rule[r] ~ /^[0-9.]+$/
		if (o > p + slack(name, unit[name], p) && !(fixed && verdict == "met"))
			print name >worse
		wide = max(spread["pristine", name], spread["series", name])
		line(name, unit[name], number(p), number(o), number(off),
		     ratio == "" ? "-" : ratio, sprintf("%.2f", wide),
		     number(best),
		     limit == "" ? "-" : number(limit) " " verdict)
		why = best == "" ? "" : \
			best_rule[r] ~ /^n/ ? best_rule[r] : "arithmetic"
		printf "%s,%s,%s,%s,%s,%s,", name, unit[name], p, o, off, ratio >csv
		printf "%s,%s,", spread["pristine", name], spread["series", name] >csv
		printf "%s,%s,%s,%s\n", best, why, limit, verdict >csv
	}
}

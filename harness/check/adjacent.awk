# SPDX-License-Identifier: GPL-2.0
#
# adjacent.awk: where a range is initialised, but not directly before its start.
#
#	awk -v file=PATH -f code.awk -f adjacent.awk PATH
#
# One line for each, "PATH:LINE".  Only what lets its flush be deferred may come between.
# Nothing is parsed: a statement is what stands between two of ";", "{" and "}".

{
	text = text code($0) " "
	while (match(text, /[;{}]/)) {
		statement = substr(text, 1, RSTART - 1)
		text = substr(text, RSTART + 1)
		if (pending && statement ~ /mmu_notifier_range_defer ?\(/)
			continue
		if (pending && statement !~ /mmu_notifier_invalidate_range_start/)
			print file ":" pending
		pending = statement ~ /(^|[^a-z_])mmu_notifier_range_init(_owner)? ?\(/ ? NR : 0
	}
}

END {
	if (pending)
		print file ":" pending
}

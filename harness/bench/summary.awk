# SPDX-License-Identifier: GPL-2.0
# From results.csv, what ours costs as a part of what pristine does, for the rows that
# tell most, and what the target is: TEXT, RATIO and TARGET, with tabs between.  A path is
# counted without what it costs when nobody is subscribed to anything.

BEGIN {
	FS = ","
	OFS = "\t"
	n = split("mprotect.vm-out|mprotect() beside the memory of a VM|" \
		  "mprotect.vm-in|mprotect() of the memory of a VM|" \
		  "mprotect.list-16|mprotect() with 16 list subscribers|" \
		  "mprotect.miss-1000|mprotect() beside 1,000 intervals|" \
		  "mprotect.hit-100|mprotect() in 100 intervals|" \
		  "register.30000|registration, 30,000 mappings|" \
		  "vm-create.30000|VM creation, 30,000 mappings|" \
		  "reclaim.4k|reclaim of a guest's page|" \
		  "reclaim-flushes.4k|its flushes of TLBs|" \
		  "reclaim-locks.4k|its acquisitions of mmu_lock|" \
		  "ageing.mglru|multi-gen LRU, a guest's page|" \
		  "ageing-calls.mglru|its calls of KVM|" \
		  "ageing.idle|idle page tracking, a guest's page", rows, "|")
}

{
	pristine[$1] = $3
	ours[$1] = $4
	target[$1] = $11
}

# part(VALUE, NAME, BASE): of what NAME adds to BASE on the pristine kernel
function part(value, name, base) {
	return (value - ours[base]) / (pristine[name] - pristine[base])
}

END {
	for (i = 1; i < n; i += 2) {
		name = rows[i]
		base = name
		sub(/\..*/, ".none", base)
		if (pristine[name] - pristine[base] > 0)
			print rows[i + 1], part(ours[name], name, base),
			      target[name] == "" ? "-" : part(target[name], name, base)
	}
}

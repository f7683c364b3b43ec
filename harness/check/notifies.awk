# SPDX-License-Identifier: GPL-2.0
#
# notifies.awk: which function of a C file notifies secondary MMUs of what.
#
#	awk -v file=PATH -f code.awk -f notifies.awk PATH
#
# One line for each use of a name from the list below, in the order of the file;
# its columns, with tabs between, are
#
#	PATH:FUNCTION  NAME  ARGUMENTS  STATEMENT  STATEMENT BEFORE
#
# The text is free of comments and directives and has its white space squeezed.
# The statement shows under what condition a hook runs, the one before it where
# in the function it stands.
#
# This reads C by its layout, as "git diff" does: what starts in column one and
# is no label opens a function.  Macros that no parser could expand without
# building the kernel are no obstacle that way.

BEGIN {
	calls = "mmu_notifier_range_init(_owner)?|" \
		"mmu_notifier_invalidate_range_(start(_nonblock)?|end)|" \
		"[a-z]+_clear(_flush)?_young_notify|" \
		"mmu_notifier_(test|clear|clear_flush)_young|" \
		"mmu_notifier_(test|clear)_young_pages|" \
		"mmu_notifier_arch_invalidate_secondary_tlbs|" \
		"mmu_notifier_release|mmu_notifier_subscriptions_(init|destroy)|" \
		"__mmu_notifier_invalidate_range_start_map|" \
		"mmu_notifier_lockdep_reclaim|" \
		"mm_has_notifiers|" \
		"adjust_range_if_pmd_sharing_possible|hugetlb_zap_begin|" \
		"mmu_notifier_(un)?register|" \
		"kvm_mmu_invalidate_(begin|range_add|end)|" \
		"mmu_invalidate_retry[a-z_]*|" \
		"mmu_invalidate_(in_progress|begun|ended|seq)|" \
		"mmu_invalidate_range_(start|end)|count_ended|" \
		"mmu_invalidate_begin_with|" \
		"end_under_mmu_lock|" \
		"(__)?mmu_invalidate_(running|sample|ended_since|covers|" \
		"range_is_empty)|(set|widen)_invalidate_range|" \
		"mmu_invalidate_by_gfns|kvm_mmu_(invalidates|may_invalidate)_page|" \
		"gfn_to_pfn_cache_invalidate_start|" \
		"kvm_mmu_(gmem|attributes)_(begin|end)|" \
		"kvm_(tdp_mmu_)?(unmap|age|test_age)_gfn(_range)?|" \
		"kvm_mmu_unmap_gfn_range|__kvm_unmap_gfn_range|" \
		"kvm_unmap_memslot|" \
		"kvm_mmu_notifier_(invalidate_range_(start|end)|release)|" \
		"kvm_mmu_notifier_(clear_flush_young|clear_young|test_young)|" \
		"kvm_mmu_notifier_((un)?register|destroy|wait_for_hva)"
	wanted = "(^|[^A-Za-z0-9_])(" calls ")([^A-Za-z0-9_]|$)"
	# changing the bounds of a range after it was initialised
	declares = "(^|[^A-Za-z0-9_])mmu_notifier_range"
	bounds = "range(\\.|->)(start|end) ?[-+|&]?=[^=]"
	function_name = header = text = last = ""
}

function squeeze(s) {
	gsub(/[ \t]+/, " ", s)
	gsub(/\( /, "(", s)
	gsub(/ \)/, ")", s)
	sub(/^ /, "", s)
	sub(/ $/, "", s)
	return s
}

# name_of HEADER: the name that a function, or an initialised object, has
function name_of(s) {
	sub(/ ?=.*/, "", s)
	if (match(s, /[A-Z0-9_]+\([a-zA-Z0-9_]+/) && s ~ /^[a-z _]*[A-Z][A-Z0-9_]+\(/)
		return substr(s, RSTART, RLENGTH) ")"
	if (match(s, /[A-Za-z0-9_]+ ?\(/))
		s = substr(s, RSTART, RLENGTH - 1)
	gsub(/\[.*|[ *]+$/, "", s)
	sub(/.*[ *]/, "", s)
	return s
}

# arguments S: what stands in the pair of parentheses that S begins with
function arguments(s,	i, c, depth) {
	if (substr(s, 1, 1) != "(")
		return ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		depth += (c == "(") - (c == ")")
		if (depth == 0)
			return substr(s, 2, i - 2)
	}
	return substr(s, 2)
}

# prepares STATEMENT: does it only describe a range?  Where does not matter.
function prepares(s) {
	return s ~ /^mmu_notifier_range_init/
}

function row(name, args, statement) {
	if (prepares(statement))
		statement = "-"
	printf "%s:%s\t%s\t%s\t%s\t%s\n", file, function_name, name,
		args == "" ? "-" : args, statement,
		statement == "-" ? "-" : last
}

function statement_ends(	s, rest, name) {
	s = squeeze(text)
	sub(/^[a-z_0-9]+ ?: /, "", s)		# a label
	sub(/ __uninitialized$/, "", s)
	text = ""
	if (s == "")
		return
	if (s ~ declares)
		has_range = 1
	for (rest = s; match(rest, wanted); ) {
		name = substr(rest, RSTART)
		sub(/^[^A-Za-z0-9_]/, "", name)
		match(name, /^[A-Za-z0-9_]+/)
		rest = substr(name, RLENGTH + 1)
		name = substr(name, 1, RLENGTH)
		row(name, arguments(rest), s)
	}
	if (has_range && match(s, bounds) && s !~ /mmu_notifier_range_init/)
		row("bounds", s, s)
	if (!prepares(s))
		last = s
}

{
	line = code($0)
	if (line ~ /^[ \t]*#/ || directive) {
		directive = line ~ /\\$/
		next
	}
	if (line ~ /^[A-Za-z_]/ && line !~ /^[A-Za-z_0-9]+:/ && parens == 0) {
		text = last = ""
		opening = 1
	}
	if (line ~ /^}/)
		parens = 0
	line = line " "
	# Most lines have nothing of interest before their end.
	while (match(line, /[(){};]/)) {
		text = text substr(line, 1, RSTART - 1)
		c = substr(line, RSTART, 1)
		line = substr(line, RSTART + 1)
		if (c == "(" || c == ")") {
			text = text c
			parens += c == "(" ? 1 : parens ? -1 : 0
		} else if (parens) {
			text = text c
		} else if (opening && c == "{") {
			header = squeeze(text)
			function_name = name_of(header)
			has_range = header ~ declares
			opening = 0
			text = ""
		} else if (opening && c == ";") {
			# a declaration or an object without initialiser
			opening = 0
			text = ""
		} else {
			statement_ends()
		}
	}
	text = text line
}

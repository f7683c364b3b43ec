# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced, after lib.sh, by the scripts that configure kernels.
#
# A configuration is allnoconfig plus what a file asks for (a line "#include
# FILE" includes another first, by its relative name), and every line of it must
# take effect: a symbol that Kconfig drops is an error that names it.

# wanted FILE [END]: the lines FILE asks for, those it includes first; with END,
# only those above the line that begins with it
wanted() {
	local line
	while read -r line; do
		[ -z "${2:-}" ] || [[ $line != "$2"* ]] || break
		case $line in
		'#include '*)	wanted "$(dirname "$1")/${line#* }" ;;
		CONFIG_*|'# CONFIG_'*' is not set') printf '%s\n' "$line" ;;
		esac
	done <"$1"
}

# unmet OUT: the lines of wanted.config that .config does not agree with
unmet() {
	awk '
	function sym(s) { sub(/^# /, "", s); sub(/[ =].*/, "", s); return s }
	function val(s) { return s ~ /^#/ || s ~ /=n$/ ? "n" : \
			  substr(s, index(s, "=") + 1) }
	!/CONFIG_/ { next }
	FILENAME == ARGV[1] { have[sym($0)] = val($0); next }
	{ want[sym($0)] = val($0) }
	END {
		for (s in want) {
			got = s in have ? have[s] : "n"
			if (got != want[s])
				print s " is " got ", not " want[s]
		}
	}' "$1/.config" "$1/wanted.config" | sort
}

# configure NAME OUT MAKE...: OUT/.config from OUT/wanted.config; MAKE is the
# command that makes in OUT
configure() {
	local wrong
	KCONFIG_ALLCONFIG=$2/wanted.config "${@:3}" allnoconfig || return
	wrong=$(unmet "$2")
	[ -z "$wrong" ] && return
	echo "error: $1.config: no effect: $(head -n 3 <<<"$wrong" | paste -sd,)"
	return 1
}

# own_symbols: the configuration symbols that the series defines ($top is lib.sh's)
# shellcheck disable=SC2154
own_symbols() {
	project_files | grep -E '(^|/)Kconfig[^/]*$' | (cd "$top" && xargs cat) |
		sed -n 's/^+\?config \([A-Z0-9_]*\)$/CONFIG_\1/p'
}

# same_config OUT OUT: the second configuration differs from the first in nothing but
# what it has of our own options
same_config() {
	local differ
	differ=$(diff <(grep CONFIG_ "$1/.config" | sort) \
		<(grep CONFIG_ "$2/.config" | sort) |
		grep '^[<>]' |
		grep -vwFf <(own_symbols | sed 's/.*/> &\n> # &/') |
		head -n 3) || true
	[ -z "$differ" ] || die "the configurations differ: $differ"
}

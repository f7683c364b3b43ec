#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# warnings.sh TREE: what the compiler (W=1) and sparse say about each C file
# that the series adds or changes, against what they say about the same file of
# the pristine kernel.  Any warning beyond that fails.  Headers are seen
# through the files that include them.
#
# The pristine side is a copy without most of what is not compiled; it is kept
# with its result for as long as what it was made from stays the same.

. "$(dirname "$0")/../lib.sh"

tree=$1
work=$build/check
log=$logs/warnings.txt
export CCACHE_BASEDIR=$build CCACHE_NOHASHDIR=1

kmake() {
	local src=$1 out=$2

	shift 2
	make -s -j"$jobs" -C "$src" O="$out" ARCH=x86_64 CC='ccache gcc' \
		HOSTCC='ccache gcc' "$@"
}

# sources: the files of the series that this machine's architecture compiles
sources() {
	git -C "$tree" diff --name-only --diff-filter=d base series -- '*.c' |
		grep -Ev '^(arch/([^x]|x[^8])|arch/x86/um/|tools/|scripts/)'
}

# config: the emulated host's, what warnings.config adds, and every option of
# the series
config() {
	cat "$top"/harness/config/{base,host}.config \
		"$top/harness/check/warnings.config"
	[ ! -e "$top/Kconfig" ] ||
		awk '$1 == "config" { name = $2 }
		     $1 == "bool" && NF > 1 { print "CONFIG_" name "=y" }' "$top/Kconfig"
}

# configured OUT: a line that had no effect would leave code uncompiled
configured() {
	local line

	while read -r line; do
		grep -qx "$line" "$1/.config" ||
			{ echo "config: $line did not take effect"; return 1; }
	done < <(grep '=y$' "$1/wanted")
}

# compile SRC OUT FILE...: everything said goes to OUT/said, line numbers
# removed; what was said about a header counts once, however often it was
compile() {
	local src=$1 out=$2 status=0

	shift 2
	mkdir -p "$out"
	config | grep -h '^CONFIG_' >"$out/wanted"
	kmake "$src" "$out" KCONFIG_ALLCONFIG="$out/wanted" allnoconfig &&
		kmake "$src" "$out" prepare || return 1
	# Only what is compiled again is warned about again.
	(cd "$out" && rm -f "${@/%.c/.o}")
	kmake "$src" "$out" -k C=2 W=1 "${@/%.c/.o}" >"$out/log" 2>&1 ||
		status=$?
	# ccache names files relative to the build directory.
	sed -nE "s#^(\.\./)+${src##*/}/##; s#^$src/##; /: (warning|error): /{
		s/^([^:]+):[0-9:]+/\1:/p}" "$out/log" |
		awk '!/^[^:]*\.h:/ || !seen[$0]++' | sort >"$out/said"
	return $status
}

# unpack_pristine DIR: what compiling those files needs
unpack_pristine() {
	rm -rf "$1"
	mkdir -p "$1"
	git -C "$tree" archive pristine Makefile Kbuild scripts arch/x86 include \
		mm kernel virt lib fs init block security crypto certs ipc \
		io_uring usr tools/Makefile tools/objtool tools/include tools/lib \
		tools/build tools/scripts tools/arch/x86 ':(glob)**/Kconfig*' \
		':(glob)drivers/**/Makefile' | tar x -C "$1"
}

# pristine FILE...: fills $work/pristine/said
pristine() {
	local src=$work/pristine out=$work/pristine.out key tag

	tag=$(git -C "$tree" rev-parse pristine)
	key=$( (echo "$tag"; config; echo "$@"
		gcc --version; sparse --version) 2>&1 | sha256sum)
	[ "$key" != "$(cat "$out/key" 2>/dev/null)" ] || return 0
	if [ "$tag" != "$(cat "$src/.tag" 2>/dev/null)" ]; then
		unpack_pristine "$src" || return 1
		echo "$tag" >"$src/.tag"
	fi
	compile "$src" "$out" "$@" ||
		{ echo "the pristine tree does not compile: $out/log"; return 1; }
	echo "$key" >"$out/key"
}

check() {
	local files old file out=$work/${tree##*/}.out

	mapfile -t files < <(sources)
	[ ${#files[@]} -gt 0 ] || { echo 'the series has no C file'; return 1; }
	mapfile -t old < <(git -C "$tree" ls-tree -r --name-only pristine -- \
		"${files[@]}")
	pristine "${old[@]}" || return 1
	compile "$tree" "$out" "${files[@]}" ||
		{ echo "the series does not compile: $out/log"
		  grep -E 'error:|\*\*\*' "$out/log"; return 1; }
	configured "$out" || return 1
	for file in "${files[@]}"; do
		[ -e "$out/${file%.c}.o" ] ||
			{ echo "not built: $file"; return 1; }
	done
	comm -13 "$work/pristine.out/said" "$out/said" >"$work/new"
	cat "$work/new"
	[ ! -s "$work/new" ] || return 1
	echo "${#files[@]} files, no warning that the pristine kernel has not"
}

status=0
mkdir -p "$work"
check >"$log" 2>&1 || status=$?
if [ $status -eq 0 ]; then tail -n 1 "$log"; else cat "$log" >&2; fi
exit $status

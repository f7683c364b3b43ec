#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# arches.sh [-s|-u] [ARCH[-VARIANT]...]: compile, for all architectures or those
# named, what the series changes and what uses it: mm/, the TLB code, KVM, and the
# subscribers.  Only their objects and the linker script are made, in $build/arches,
# never a kernel.
#
#	-s	short: without the subscribers, and variants that aren't named
#	-u	only the subscribers
#
# harness/config/arches/ARCH.config is what ARCH is configured with.  Its
# variants are debug, with CONFIG_DEBUG_MMU_NOTIFIER and CONFIG_MMU_NOTIFIER_STATS,
# and nommu_notifier, which is what stands above "#include users" there, without
# CONFIG_MMU_NOTIFIER; that of x86-64 is harness/config/nommu_notifier.config.
#
# Prints "ok ARCH" or "FAIL ARCH", with the file at fault and the log, for each,
# and when all were compiled in full, "ok coverage" if each file that the series
# changes and each user of the API was part of it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kconfig.sh"

arches='x86_64 i386 arm64 riscv64 powerpc64le s390x loongarch64'
llvm=-19
configs=$top/harness/config/arches
out=$build/arches

# The software secondary MMU; its option says on which architectures it is available.
testmmu='lib/test_mmu_notifier_.*'

# kernel_arch ARCH: what the kernel calls it
kernel_arch() {
	case $1 in
	s390x)		echo s390 ;;
	powerpc64le)	echo powerpc ;;
	riscv64|loongarch64) echo "${1%64}" ;;
	*)		echo "$1" ;;
	esac
}

# directory ARCH: where it is in the kernel tree
directory() {
	case $1 in
	x86_64|i386)	echo arch/x86 ;;
	*)		echo "arch/$(kernel_arch "$1")" ;;
	esac
}

# amake ARCH VARIANT ARGUMENT...
amake() {
	local options=()
	[ "$1" = x86_64 ] || options=(ARCH="$(kernel_arch "$1")" LLVM="$llvm"
				      CC="ccache clang$llvm")
	kernel_make "$linux" "$out/$1$2" "${options[@]}" "${@:3}"
}

# changed PATHSPEC...: the files that the series adds or changes
changed() { git -C "$linux" diff --name-only --diff-filter=d base series -- "$@"; }

# users PATHSPEC...: the files that use the API
users() { git -C "$linux" grep -lwE 'mmu_(notifier|interval)\w*' -- "$@"; }

# places FILE: where FILE, or what it includes, says that there are users
places() {
	local line
	while read -r line; do
		case $line in
		'#include '*)	places "$(dirname "$1")/${line#* }" ;;
		'#users '*)	echo "${line#* }" ;;
		esac
	done <"$1"
}

# core ARCH VARIANT: the make goals of what the series changes
core() {
	local dir without=$testmmu
	! grep -q '^CONFIG_TEST_MMU_NOTIFIER=y' "$out/$1$2/.config" || without=
	dir=$(directory "$1")
	echo mm/ "$dir/mm/" "$dir/kernel/vmlinux.lds"
	[ "$2" = -nommu_notifier ] || echo "$dir/kvm/"
	{
		changed '*.c' ':!arch' ':!mm' ':!tools' ':!virt'
		changed "$dir/*.c" ":!$dir/mm" ":!$dir/kvm" ":!$dir/um"
	} | sed 's/c$/o/' | grep -vx "$without" || true
}

# claimed ARCH: the users of the API that its configuration says it compiles
claimed() {
	local places
	mapfile -t places < <(places "$configs/$1.config" |
		sed '/\.c$/!s|$|/*.c|')
	users "${places[@]}"
}

# subscribers ARCH: their make goals.  amdkfd/ has no rules of its own: it is
# built as a part of amdgpu/.
subscribers() { claimed "$1" | sed 's/c$/o/; s|/amdkfd/|/amdgpu/../amdkfd/|'; }

# unmodified ARCH: the series changes none of its subscribers
unmodified() {
	local files changed
	mapfile -t files < <(claimed "$1")
	changed=$(git -C "$linux" diff --name-only pristine series -- "${files[@]}") ||
		return
	# shellcheck disable=SC2086	# one line
	[ -z "$changed" ] || { echo "error: the series changes" $changed; return 1; }
}

# objects DIR: the objects and what is noted about each, except those of programs
# that run while the kernel is built
objects() {
	find "$1" \( -path "$1/scripts" -o -path "$1/tools" \) -prune -o \
		\( -name '*.o' -o -name '.*.o.cmd' \) -print0
}

# prepare ARCH VARIANT: all objects are made again (ccache remembers them), as
# what is not compiled causes no warning
prepare() {
	local dir=$out/$1$2 file=$configs/$1.config
	case $2 in
	-nommu_notifier)
		[ "$1" != x86_64 ] || file=$top/harness/config/nommu_notifier.config
		wanted "$file" '#include users'
		echo '# CONFIG_MMU_NOTIFIER is not set' ;;
	-debug)	wanted "$file"
		echo CONFIG_DEBUG_MMU_NOTIFIER=y
		echo CONFIG_MMU_NOTIFIER_STATS=y ;;
	*)	wanted "$file" ;;
	esac >"$dir/wanted.config"
	configure "arches/$1" "$dir" amake "$1" "$2" || return
	objects "$dir" | xargs -0r rm -f
	amake "$1" "$2" -j"$jobs" prepare || return
	touch "$dir/.prepared"
}

# plain: without what the compiler, or ccache, puts before the names of files of
# the kernel tree
plain() { sed -E "s#(^| )($linux/|(\.\./)+linux/)#\1#g"; }

# warned LOG: the warnings about files of the series
warned() {
	plain <"$1" | grep -F ': warning: ' | grep -F "$(changed | sed 's/$/:/')" |
		sort -u
}

# compile ARCH VARIANT LOG GOAL...
compile() {
	local arch=$1 variant=$2 log=$3 goal warnings
	shift 3
	[ "$part" = core ] || unmodified "$arch" || return
	amake "$arch" "$variant" -j"$jobs" -k "$@" || return
	for goal; do
		[ -e "$out/$arch$variant/$goal" ] ||
			{ echo "error: not built: $goal"; return 1; }
	done
	warnings=$(warned "$log" | sed 's/^/error: /') || true
	[ -z "$warnings" ] || { echo "$warnings"; return 1; }
}

# build ARCH VARIANT: prints the result
build() {
	local name=$1$2 log=$logs/arches-$1$2.log goals='' n
	local dir=$out/$name begin=$SECONDS
	mkdir -p "$dir"
	exec 9>"$dir/.lock"
	flock 9
	step "$name: configure" "arches-$name-config.log" prepare "$1" "$2" ||
		{ failure "$name" "${log%.log}-config.log"; return 1; }
	[ "$part" = subscribers ] || goals=$(core "$1" "$2")
	[ "$part" = core ] || [ -n "$2" ] || goals="$goals $(subscribers "$1")"
	# shellcheck disable=SC2086	# several goals
	step "$name: compile" "${log##*/}" compile "$1" "$2" "$log" $goals ||
		{ failure "$name" "$log"; return 1; }
	n=$(find "$dir" -name '*.o' -newer "$dir/.prepared" | wc -l)
	echo "ok $name: $n objects"
	row "$name" "$n" "$((SECONDS - begin))s" ok
}

# failure NAME LOG
failure() {
	echo "FAIL $1 $(complaint "$2" | plain) ($2)"
	row "$1" - - FAIL
}

compiler() {
	case $1 in
	x86_64*) echo "gcc $(gcc -dumpfullversion)" ;;
	*)	echo "clang $(clang$llvm -dumpversion)" ;;
	esac
}

# row NAME OBJECTS TIME RESULT: one line of the table
row() {
	rows+=("$(printf '%-28s %-14s %7s %7s  %s' "$1" "$(compiler "$1")" "${@:2}")")
}

table() {
	printf '%-28s %-14s %7s %7s  %s\n' architecture compiler objects time result
	printf '%s\n' "${rows[@]}"
}

# unclaimed: the users of the API that no configuration says it compiles
unclaimed() {
	local arch
	comm -23 <(users '*.c' ':!tools' ':!mm' ':!virt' ':!arch/*/mm/*' ':!arch/*/kvm/*' |
			sort) <({
		changed '*.c'
		for arch in $arches; do
			claimed "$arch"
		done
	} | sort -u)
}

# compiled: the files of the kernel tree that objects and linker scripts were made of
compiled() {
	find "$out" \( -name '.*.o.cmd' -o -name '.*.lds.cmd' \) -exec cat {} + |
		tr -s '\\ ' '\n' |
		grep -E '\.[chS]$' | sort -u | plain | sort -u
}

# coverage: was every file that is changed, or uses the API, compiled somewhere?
coverage() {
	local all missing
	all=$({ changed '*.[chS]'; users '*.[ch]'; } |
		grep -vE '^(tools|Documentation)/' | sort -u)
	missing=$(comm -23 - <(compiled) <<<"$all")
	if [ -n "$missing" ]; then
		# shellcheck disable=SC2086	# one line
		echo "FAIL coverage: not compiled:" $missing
		return 1
	fi
	echo "ok coverage: $(wc -l <<<"$all") files are compiled"
}

part=all
while getopts su option; do
	case $option in
	s)	part=core ;;
	u)	part=subscribers ;;
	*)	die 'usage: arches.sh [-s|-u] [ARCH...]' ;;
	esac
done
shift $((OPTIND - 1))
read -ra chosen <<<"${*:-$arches}"
for arch in "${chosen[@]}"; do
	[[ " $arches " == *" ${arch%%-*} "* ]] ||
		die "no architecture ${arch%%-*}; there are: $arches"
	[[ $arch =~ ^[^-]*(-debug|-nommu_notifier)?$ ]] ||
		die "$arch: the variants are debug and nommu_notifier"
done

rows=() failed=0
if [ "$part" != core ]; then
	stray=$(unclaimed)
	# shellcheck disable=SC2086	# one line
	[ -z "$stray" ] || die "no architecture compiles these users:" $stray
fi
for arch in "${chosen[@]}"; do
	build "${arch%%-*}" "${arch#"${arch%%-*}"}" || failed=1
	# Those of x86-64 are kernels of the harness.
	[ "$part" = all ] && [ "$arch" != x86_64 ] && [[ $arch != *-* ]] || continue
	build "$arch" -debug || failed=1
	build "$arch" -nommu_notifier || failed=1
done
if [ "$part" = all ] && [ $# -eq 0 ]; then
	coverage || failed=1
fi
table >&2
exit $failed

# SPDX-License-Identifier: GPL-2.0
# Sourced, after lib.sh, by the checks of the harness itself: a project of two
# patches with this harness, a kernel of a few lines, and what judges a run.
# Nothing of this machine is changed: apt-get is one that only fails.

tmp=$(mktemp -d)
said=$tmp.said
trap 'rm -rf "$tmp" "$said"' EXIT
project=$tmp/project
kernel=$tmp/linux
cases=0 failed=0
unset BUILD LINUX JOBS SETUP

# make_kernel DIR [MINOR]: Linux 6.12, or 6.MINOR
make_kernel() {
	mkdir -p "$1/mm"
	printf 'VERSION = 6\nPATCHLEVEL = %s\nSUBLEVEL = 1\n' "${2:-12}" >"$1/Makefile"
	printf 'kernelversion:\n\t@echo 6.%s.1\n' "${2:-12}" >>"$1/Makefile"
	printf 'obj-y := memory.o\nobj-y += mmu_notifier.o\n' >"$1/mm/Makefile"
	printf 'void zap(void)\n{\n\tflush(1);\n\tfree(1);\n}\n' >"$1/mm/memory.c"
	echo 'int old;' >"$1/mm/mmu_notifier.c"
}

# make_project: its base takes a file out; its patches add one, and change others
make_project() {
	mkdir -p "$project"/{base/mm,series,mm}
	cp -r "$top/Makefile" "$top/harness" "$project"
	sed -i "s|^debian=.*|debian=$tmp/linux.tar.xz|" "$project/harness/lib.sh"
	cd "$project"
	echo mm/mmu_notifier.c >base/removed
	touch base/unifdef base/calls.files
	printf '@@ object cut ^obj-y .= mmu_notifier\n' >base/mm/Makefile.lines
	printf 'One\n\nText.\n\nFiles:\nmm/notifier.c -> mm/new.c\n' >series/01-one
	printf 'Two\n\nText.\n\nFiles:\nmm/Makefile.lines\n' >series/02-two
	printf 'A series\n\nWhat it is.\n' >series/cover-letter
	echo 'int new;' >mm/notifier.c
	printf '@@ object after memory\n+obj-y += new.o\n' >mm/Makefile.lines
}

# stub NAME: a program of standard input's text that comes before the real one
stub() {
	mkdir -p "$tmp/bin"
	{ echo '#!/bin/sh'; cat; } >"$tmp/bin/$1"
	chmod +x "$tmp/bin/$1"
}

wrong() {
	failed=$((failed + 1))
	echo "FAIL $1"
	sed 's/^/     | /' "$said"
}

# holds NAME COMMAND...: COMMAND must succeed
holds() {
	cases=$((cases + 1))
	"${@:2}" >"$said" 2>&1 </dev/null || wrong "$1"
}

# says NAME PATTERN COMMAND...: it must succeed, and say PATTERN
says() {
	cases=$((cases + 1))
	"${@:3}" >"$said" 2>&1 </dev/null && grep -qE -e "$2" "$said" ||
		wrong "$1"
}

# refuses NAME PATTERN COMMAND...: COMMAND must fail with one line, an error that
# matches PATTERN.  What make says of it, and the steps that went well, don't count.
refuses() {
	local lines
	cases=$((cases + 1))
	if "${@:3}" >"$said" 2>&1 </dev/null; then
		wrong "$1: this works"
		return
	fi
	lines=$(grep -vE '^(make(\[[0-9]+\])?|setup): |: done in [0-9]+s$' "$said") || true
	[[ $lines == "error: "* ]] && [[ $lines != *$'\n'* ]] &&
		grep -qE -e "$2" <<<"$lines" || wrong "$1"
}

finish() {
	[ $failed -eq 0 ] || die "$failed of $cases cases"
	echo "$cases cases"
}

stub apt-get <<<'echo "no package is installed here"; exit 1'
PATH=$tmp/bin:$PATH
make_kernel "$kernel"
tar cJf "$tmp/linux.tar.xz" --sort=name -C "$tmp" linux
make_project

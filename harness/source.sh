# SPDX-License-Identifier: GPL-2.0
# Sourced, after lib.sh, by the scripts that deal with the kernel to start from,
# the directory or tar archive LINUX: can it be used, and what is in it?

choose_source() {
	source=${LINUX:-$debian}
	[ ! -e "$source" ] || source=$(realpath -- "$source")
}

refuse() { die "LINUX: $source $*"; }

# candidates: the files by which to recognise a 6.12 kernel, or one with the series
candidates() {
	echo mm/memory.c
	echo mm/mmu_notifier.c
	added
}

# added: the files that the series adds
added() {
	files_of "$top"/series/[0-9]* | sed 's/.* -> //' |
		grep -vE '\.(cocci|lines)$' | grep -vxFf "$top/base/removed"
}

# version: that of the kernel whose Makefile is standard input
version() {
	sed -nE 's/^(VERSION|PATCHLEVEL) *= *([0-9]+) *$/\2/p' | paste -sd .
}

# check_kernel VERSION FILES: FILES are those of the candidates that it has
check_kernel() {
	local extra
	[ -n "$1" ] && grep -qx mm/memory.c <<<"$2" ||
		refuse "is not a Linux kernel"
	[ "$1" = 6.12 ] || refuse "is Linux $1, not 6.12"
	extra=$(grep -xFf <(added) <<<"$2" | head -n 1) || true
	[ -z "$extra" ] || refuse "has the series already: $extra"
	grep -qx mm/mmu_notifier.c <<<"$2" ||
		refuse "is a base already: it has no mm/mmu_notifier.c"
}

# check_directory: what can be said at once.  Nothing is written.
check_directory() {
	[ -r "$source" ] && [ -x "$source" ] || refuse "can't be read"
	check_kernel "$(version 2>/dev/null <"$source/Makefile")" \
		"$(cd "$source" && candidates | xargs ls -d 2>/dev/null)"
}

# check_clean: no more than what has been released is in it
check_clean() {
	if [ -e "$source/.git" ]; then
		git_source rev-parse -q --verify HEAD >/dev/null 2>&1 ||
			refuse "is not a git tree with a commit"
		[ -z "$(git_source status --porcelain | head -n 1)" ] ||
			refuse "has local changes: commit or remove them first"
	else
		[ ! -e "$source/.config" ] && [ ! -e "$source/include/config" ] ||
			refuse "has been built in: give a clean tree"
	fi
}

# check_archive: the version is near its beginning, the rest takes some seconds
check_archive() {
	local found said=$logs/tree-archive.log list=$logs/tree-archive.list
	[ -r "$source" ] || refuse "can't be read"
	found=$(tar xOf "$source" --occurrence=1 --wildcards \
		--no-wildcards-match-slash '*/Makefile' 2>"$said" | version) || true
	[ -n "$found" ] ||
		refuse "is not a tar archive of a Linux kernel: $(head -n 1 "$said")"
	[ "$found" = 6.12 ] || refuse "is Linux $found, not 6.12"
	tar tf "$source" 2>"$said" | sed 's|^[^/]*/||' >"$list" ||
		refuse "is a damaged archive: $(head -n 1 "$said")"
	check_kernel "$found" "$(grep -xFf <(candidates) "$list")"
}

# check_kind: what can be checked before anything is installed
check_kind() {
	[ -n "${LINUX:-}" ] || return 0
	choose_source
	[ -e "$source" ] || refuse "does not exist"
	[ -d "$source" ] || [ -f "$source" ] ||
		refuse "is neither a directory nor a tar archive"
	[ ! -d "$source" ] || check_directory
}

git_source() {
	git --no-optional-locks -c safe.directory='*' -C "$source" "$@"
}

# identity: changes when the source does
identity() {
	if [ -e "$source/.git" ]; then
		git_source rev-parse HEAD
	elif [ -d "$source" ]; then
		(cd "$source" && find . -type f -printf '%p %s %T@\n' | sort | hash)
	else
		stat -L -c '%n %s %Y' "$source" | hash
	fi
}

# unpack DIR: what is in it goes to DIR
unpack() {
	if [ -e "$source/.git" ]; then
		git_source archive HEAD | tar x -C "$1"
	elif [ -d "$source" ]; then
		tar c -C "$source" . | tar x -C "$1"
	else
		tar xf "$source" -C "$1" --strip-components=1
	fi
}

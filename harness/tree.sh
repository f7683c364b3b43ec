#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the kernel tree: a git repository in build/linux with the tags
#
#	pristine	the kernel as shipped
#	base		the implementation it carries taken out (base/)
#	series		one commit per file of series/, checked out
#
#	[LINUX=DIR|TARBALL] tree.sh
#
# Every commit is kept under a key, a hash of all that went into it and into
# its ancestors.  A second run finds the keys unchanged and does nothing; a
# changed patch is applied anew together with what follows it.  The tags move
# only when everything has applied.

. "$(dirname "$0")/lib.sh"

state=$build/tree.state
debian=/usr/src/linux-source-6.12.tar.xz
author='MMU notifier maintainers <mmu-notifier@kernel.example>'
export GIT_AUTHOR_NAME=${author% <*} GIT_COMMITTER_NAME=${author% <*}
export GIT_AUTHOR_EMAIL=mmu-notifier@kernel.example
export GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

in_tree() { git -C "$linux" "$@"; }
hash() { sha256sum | cut -d ' ' -f 1; }
commit_of() { awk -v key="$1" '$1 == key { print $2; exit }' "$state"; }
remember() { echo "$1 $2" >> "$state"; }

# --- the pristine source -----------------------------------------------------

# check_source SOURCE: is it a kernel that can be used?  Nothing is written.
check_source() {
	if [ -d "$1" ]; then
		[ -f "$1/Makefile" ] && [ -f "$1/mm/memory.c" ] &&
			grep -q '^PATCHLEVEL' "$1/Makefile" ||
			die "$1 is not a Linux kernel tree"
		[ ! -e "$1/.git" ] ||
		[ -z "$(git -c safe.directory='*' -C "$1" status --porcelain | head -n 1)" ] ||
			die "$1 has local changes: commit or remove them first"
		[ ! -e "$1/.config" ] && [ ! -e "$1/include/config" ] ||
			die "$1 has been built in: give a clean tree"
	elif [ -f "$1" ]; then
		tar tf "$1" 2>/dev/null | awk -F / '
			NF >= 2 && $(NF - 1) "/" $NF == "mm/memory.c" { found = 1 }
			END { exit !found }' ||
			die "$1 is not a tar archive of a Linux kernel"
	else
		die "$1 does not exist"
	fi
}

# identity SOURCE: changes when the source does
identity() {
	if [ -e "$1/.git" ]; then
		git -c safe.directory='*' -C "$1" rev-parse HEAD
	elif [ -d "$1" ]; then
		(cd "$1" && find . -type f -printf '%p %s %T@\n' | sort | hash)
	else
		stat -L -c '%n %s %Y' "$1" | hash
	fi
}

unpack() {
	if [ -e "$1/.git" ]; then
		git -c safe.directory='*' -C "$1" archive HEAD | tar x -C "$2"
	elif [ -d "$1" ]; then
		tar c -C "$1" . | tar x -C "$2"
	else
		tar xf "$1" -C "$2" --strip-components=1
	fi
}

import() {
	local new=$build/linux.new
	rm -rf "$new"
	mkdir "$new"
	echo "unpacking"
	unpack "$1" "$new"
	echo "recording the pristine tree in git"
	git -C "$new" init -q -b mmu-notifier
	git -C "$new" config gc.auto 0
	git -C "$new" config core.compression 1
	git -C "$new" add -A -f
	git -C "$new" commit -q -m "Linux $(make -s -C "$new" kernelversion), as shipped"
	git -C "$new" tag pristine
	rm -rf "$linux"
	mv "$new" "$linux"
}

# --- the commits on top ------------------------------------------------------

# apply_base: takes out of the checked-out tree what base/ says
apply_base() {
	local file symbol source
	while read -r file; do
		in_tree rm -q -- "$file" ||
			die "base/removed: the tree has no file $file"
	done < "$top/base/removed"
	while read -r symbol file; do
		local status=0
		unifdef -m -U"$symbol" "$linux/$file" || status=$?
		[ $status -eq 1 ] ||
			die "$file: base/unifdef finds nothing under $symbol"
	done < "$top/base/unifdef"
	sources 2 '*.cocci' | apply_all base
	while read -r file; do
		echo "base/calls.cocci $file"
		cp "$linux/$file" "$build/calls.before"
		spatch --very-quiet --no-includes --in-place \
			--sp-file "$top/base/calls.cocci" "$linux/$file" ||
			die "$file: base/calls.cocci: spatch failed"
		! cmp -s "$linux/$file" "$build/calls.before" ||
			die "$file: base/calls.cocci changes nothing"
	done < "$top/base/calls.files"
	rm -f "$build/calls.before"
	sources 1 '*.lines' | apply_all base
}

# sources DEPTH PATTERN: the files of base/ from DEPTH downwards
sources() {
	(cd "$top/base" &&
		find . -mindepth "$1" -type f -name "$2" -printf '%P\n' | sort)
}

# apply_all DIR: applies the files named on standard input, one a line, "A -> B"
# for one that goes to another path
apply_all() {
	local path arrow target
	while read -r path arrow target; do
		echo "$path"
		[ -f "$top/$1/$path" ] || die "$path: no such file in the project"
		"$top/harness/apply.sh" "$linux" "$top/$1/$path" "${target:-$path}"
	done
}

# A file of series/ is a commit message, a line "Files:", and the files.
message_of() { sed '/^Files:$/,$d' "$1"; }
files_of() { sed '1,/^Files:$/d' "$1" | grep -v '^#' | grep . ; }
contents_of() { files_of "$1" | (cd "$top"; cut -d ' ' -f 1 | xargs cat); }

apply_patch() {
	files_of "$1" | apply_all .
}

# commit_tree KEY MESSAGE: what is in the tree becomes a commit
commit_tree() {
	local key=$1 message=$2
	in_tree add -A -f
	! in_tree diff --cached --quiet || die "${message%%$'\n'*}: changes nothing"
	in_tree commit -q -m "$message" -m "Signed-off-by: $author"
	remember "$key" "$(in_tree rev-parse HEAD)"
}

# advance KEY NAME MESSAGE COMMAND...: HEAD moves on by one commit, a known one
# or the one that COMMAND makes
advance() {
	local key=$1 name=$2 message=$3 known
	shift 3
	known=$(commit_of "$key")
	if [ -n "$known" ] && in_tree cat-file -e "$known" 2>/dev/null; then
		head=$known
		return
	fi
	move_to "$head"
	# Not in a condition: there "set -e" would not hold within the step.
	step "tree: $name" "tree-$name.log" "$@"
	commit_tree "$key" "$message"
	head=$(in_tree rev-parse HEAD)
}

move_to() {
	[ "$(in_tree rev-parse HEAD)" = "$1" ] &&
	[ -z "$(in_tree status --porcelain | head -n 1)" ] ||
		in_tree reset -q --hard "$1"
	in_tree clean -q -f -d -x
}

source=${LINUX:-$debian}
if [ -z "${LINUX:-}" ] && [ ! -f "$debian" ]; then
	"$top/harness/setup.sh"
fi
[ ! -d "$source" ] || source=$(cd "$source" && pwd)
[ ! -f "$source" ] || source=$(readlink -f "$source")

origin=$(identity "$source" 2>/dev/null || true)
if [ ! -d "$linux/.git" ] || [ -z "$origin" ] ||
   [ "$(cat "$linux/.git/origin" 2>/dev/null)" != "$origin" ]; then
	check_source "$source"
	step "tree: pristine" tree-pristine.log import "$source"
	: > "$state"
	echo "$origin" > "$linux/.git/origin"
elif [ -d "$source" ]; then
	check_source "$source"
fi
[ -z "$(in_tree status --porcelain | head -n 1)" ] ||
	die "build/linux has local changes: keep them elsewhere and remove them"

# What a step that failed has left half done goes.
restore() {
	[ $? -eq 0 ] || move_to "$head"
}

touch "$state"
head=$(in_tree rev-parse pristine)
trap restore EXIT
key=$(echo "$head" | cat - "$top"/harness/{apply.sh,lines.awk} | hash)

key=$( (echo "$key"; cd "$top/base"; find . -type f | sort | xargs sha256sum) | hash)
advance "$key" base "Take the MMU notifier implementation out" apply_base
base=$head

count=0
for patch in "$top"/series/[0-9]*; do
	key=$( (echo "$key"; cat "$patch"; contents_of "$patch") | hash)
	advance "$key" "$(basename "$patch")" "$(message_of "$patch")" apply_patch "$patch"
	count=$((count + 1))
done

move_to "$head"
in_tree tag -f base "$base" > /dev/null
in_tree tag -f series "$head" > /dev/null
say "tree: $linux is at series, $count patches on base"

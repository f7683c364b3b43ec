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
# changed patch is applied again together with what follows it.  The tags move
# only when everything has applied.

. "$(dirname "$0")/lib.sh"
. "$top/harness/source.sh"

state=$build/tree.state
fixed_git

in_tree() { git -C "$linux" "$@"; }
commit_of() { awk -v key="$1" '$1 == key { print $2; exit }' "$state"; }
remember() { echo "$1 $2" >> "$state"; }

# import: the source becomes the tag pristine
import() {
	local new=$build/linux.new
	rm -rf "$new"
	mkdir "$new"
	echo "unpacking"
	unpack "$new"
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
	local path target
	while read -r path _ target; do
		echo "$path"
		"$top/harness/apply.sh" "$linux" "$top/$1/$path" "${target:-$path}"
	done
}

# A file of series/ is a commit message, a line "Files:", and the files.
message_of() { sed '/^Files:$/,$d' "$1"; }

contents_of() {
	local path
	files_of "$1" | while read -r path _; do
		cat "$top/$path" 2>/dev/null ||
			die "series/${1##*/}: the project has no file $path"
	done
}

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

[ -n "${LINUX-unset}" ] || say "LINUX is empty: taking the default, $debian"
"$top/harness/setup.sh" tree	# which looks at LINUX first
choose_source
[ -e "$source" ] || refuse "does not exist"
[ ! -d "$source" ] || check_clean
origin=$(identity)
[ ! -d "$linux/.git" ] || [ -z "$(in_tree status --porcelain | head -n 1)" ] ||
	die "build/linux has local changes: save them elsewhere and discard them"
if [ ! -d "$linux/.git" ] ||
   [ "$(cat "$linux/.git/origin" 2>/dev/null)" != "$origin" ]; then
	[ -d "$source" ] || check_archive
	step "tree: pristine" tree-pristine.log import
	: > "$state"
	echo "$origin" > "$linux/.git/origin"
fi

# Removes what a failed step has left half done.
restore() {
	[ $? -eq 0 ] || move_to "$head"
}

touch "$state"
head=$(in_tree rev-parse pristine)
trap restore EXIT
key=$(echo "$head" | cat - "$top"/harness/{apply.sh,lines.awk} | hash)

subject='mm: remove MMU notifiers'
key=$( (echo "$key $subject"; cd "$top/base"; find . -type f | sort | xargs sha256sum) | hash)
advance "$key" base "$subject" apply_base
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

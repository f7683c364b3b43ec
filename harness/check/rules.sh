#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# rules.sh: semantic patches and line edits that fit a kernel do what apply.sh and
# lines.awk say; those that don't are errors that name the file and the rule, and
# leave the file, and the tree, as it was.  Prints "FAIL CASE" for each that fails.

. "$(dirname "$0")/../lib.sh"
. "$top/harness/check/fixture.sh"

tree=$tmp/tree

# apply PATH: one file of the project to a kernel as shipped
apply() {
	rm -rf "$tree"
	cp -r "$kernel" "$tree"
	harness/apply.sh "$tree" "$1" "$1"
}

# fits NAME PATH FILE LINE...: PATH applies, and leaves FILE with these lines
fits() {
	holds "$1" apply "$2"
	holds "$1: the result" diff <(printf '%s\n' "${@:4}") "$tree/$3"
}

# misfit NAME PATTERN PATH: PATH doesn't apply, for a reason that matches PATTERN
misfit() {
	refuses "$1" "^error: $2" apply "$3"
	holds "$1: the tree is as it was" diff -r "$kernel" "$tree"
}

# lines PATH LINE...: a file of line edits
lines() { printf '%s\n' "${@:2}" >"$1"; }

line_edits() {
	local it=mm/Makefile.lines first='obj-y := memory.o' last='obj-y += mmu_notifier.o'
	lines $it '@@ it after memory' +new +more
	fits after $it mm/Makefile "$first" new more "$last"
	lines $it '@@ it before notifier' +new
	fits before $it mm/Makefile "$first" new "$last"
	lines $it '# a comment' '@@ it replace memory' +new '@@ other after notifier' +more
	fits 'replace, and another' $it mm/Makefile new "$last" more
	lines mm/memory.c.some.lines '@@ it cut ^void' '-^\{' -flush
	fits 'cut, in one of several files' mm/memory.c.some.lines \
		mm/memory.c $'\tfree(1);' '}'

	lines $it '@@ it after nosuch' +new
	misfit 'no line matches' "mm/Makefile: $it: rule it: .* matches 0 lines" $it
	lines $it '@@ it after obj' +new
	misfit 'two lines match' "mm/Makefile: $it: rule it: .* matches 2 lines" $it
	lines $it '@@ it cut memory' -memory
	misfit 'another line to cut' "mm/Makefile: .* line 2 is not memory" $it
	lines $it '@@ it cut notifier' -more
	misfit 'no line to cut' "mm/Makefile: .* the file ends" $it
	lines $it '@@ it top x' +new
	misfit 'an unknown verb' "mm/Makefile: .* unknown verb top" $it
	lines $it '@@ it after' +new
	misfit 'no anchor' "mm/Makefile: .* no anchor" $it
	lines $it '@@ it cut memory' +new
	misfit 'a line to add where one is cut' "mm/Makefile: .* cannot read: .new" $it
	lines $it '# nothing'
	misfit 'no rule' "mm/Makefile: $it: no rule" $it
	lines mm/nosuch.lines '@@ it cut memory'
	misfit 'no such file' 'mm/nosuch.lines: the tree has no file mm/nosuch' \
		mm/nosuch.lines
}

# cocci EXPECT CALL [FILE]: a semantic patch that replaces CALL
cocci() {
	lines "${3:-mm/memory.c.cocci}" "// expect $1" '@calls@' 'position p;' '@@' \
		"- $2@p(1);" '+ tell(1);'
}

semantic_patches() {
	local it=mm/memory.c.cocci
	cocci 1 flush
	fits 'a semantic patch' $it \
		mm/memory.c 'void zap(void)' '{' $'\ttell(1);' $'\tfree(1);' '}'
	cocci 1 free mm/memory.c.some.cocci
	holds 'one of several' apply mm/memory.c.some.cocci
	cocci 2 flush
	misfit 'a rule matches less' \
		"mm/memory.c: rule calls of $it matches 1 places, not 2" $it
	cocci 0 flush
	misfit 'a rule matches more' "mm/memory.c: rule calls .* 1 places, not 0" $it
	cocci 1 nosuch
	misfit 'a rule matches nothing' "mm/memory.c: rule calls .* 0 places, not 1" $it
	cocci 1 flush
	sed -i 1d $it
	misfit 'a rule expects nothing' "$it: rule calls does not say what" $it
	lines $it '// expect 1' '@calls@' 'position p;' '@@' 'flush@p(1);'
	misfit 'a rule changes nothing' "mm/memory.c: $it changes nothing" $it
	cocci 1 'flush('
	misfit 'it cannot be read' "$it: spatch: ." $it
	lines $it '@@' '@@' '- flush(1);' '+ tell(1);'
	misfit 'no rule has a name' "$it: no rule" $it
	cocci 1 flush mm/nosuch.c.cocci
	misfit 'no such C file' 'mm/nosuch.c.cocci: the tree has no file mm/nosuch.c' \
		mm/nosuch.c.cocci
}

# files FILE...: those of the second patch
files() { lines series/02-two Two '' Text. '' Files: "$@"; }

# not_made NAME PATTERN: the tree can't be made
not_made() {
	refuses "$1" "$2" harness/tree.sh
	holds "$1: the tags are where they were" \
		[ "$(git -C "$BUILD/linux" rev-parse pristine base series)" = "$tags" ]
	holds "$1: nothing is half done" \
		[ -z "$(git -C "$BUILD/linux" status --porcelain)" ]
}

whole_trees() {
	export SETUP=no LINUX=$kernel BUILD=$tmp/out
	lines mm/Makefile.lines '@@ it after memory' +new
	holds 'a tree' harness/tree.sh
	tags=$(git -C "$BUILD/linux" rev-parse pristine base series)
	files mm/new.c
	echo 'int new;' >mm/new.c
	not_made 'the kernel has a new file' '02-two failed: error: mm/new.c: the tree has this'
	files mm/Makefile.lines mm/nosuch.c
	not_made 'the project lacks a file' 'series/02-two: the project has no file mm/nosuch.c'
	files mm/Makefile.lines mm/memory.c.lines
	lines mm/memory.c.lines '@@ it after nosuch' +new
	not_made 'the second file misfits' '02-two failed: error: mm/memory.c: .* 0 lines'
	files mm/Makefile.lines
	lines mm/Makefile.lines '@@ it replace memory' '+obj-y := memory.o'
	not_made 'a patch changes nothing' 'Two: changes nothing'
	echo mm/gone.c >>base/removed
	not_made 'the base removes what is not there' \
		'base failed: error: base/removed: the tree has no file mm/gone.c'
	echo >>"$BUILD/linux/mm/memory.c"
	refuses 'the tree was edited' 'build/linux has local changes' harness/tree.sh
	refuses 'and LINUX is another' 'build/linux has local changes' \
		env LINUX="$tmp/linux.tar.xz" harness/tree.sh
}

cd "$project"
line_edits
semantic_patches
whole_trees
finish

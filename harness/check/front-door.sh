#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# front-door.sh: what a new user may give to make: LINUX, BUILD, JOBS, a target
# that does not exist, a system that lacks something.  What is right works, what
# is wrong is one line, and what is written is the same for everybody.  Prints
# "FAIL CASE" and what was said for each case that fails.

. "$(dirname "$0")/../lib.sh"
. "$top/harness/check/fixture.sh"

out=$tmp/out

# run TARGET|VARIABLE=VALUE...: make, in $out and from the fixture's kernel unless
# told otherwise
run() { make SETUP=no LINUX="$kernel" BUILD="$out" "$@"; }

# made DIR: there is a tree in the build directory DIR
made() { [ "$(git -C "$1/linux" show series:mm/new.c)" = 'int new;' ]; }

# contents DIR...: all that is in them
contents() { find "$@" -type f -exec cksum {} + -o -printf '%p %y %l\n' | sort; }

# as_git DIR: the kernel DIR, in git
as_git() {
	make_kernel "$1"
	git -C "$1" init -q
	git -C "$1" add -A
	git -C "$1" -c user.name=a -c user.email=a@b commit -q -m a
}

right_kernels() {
	local before
	before=$(contents "$kernel")
	holds 'LINUX is a directory' run tree
	holds 'there is a tree' made "$out"
	holds 'LINUX is only read' [ "$(contents "$kernel")" = "$before" ]
	holds 'LINUX is relative' run tree LINUX=../linux
	holds 'LINUX is an archive' run tree LINUX="$tmp/linux.tar.xz"
	says 'LINUX is empty' "LINUX is empty: .*$tmp/linux.tar.xz" run tree LINUX=
	holds 'LINUX is not given' make tree SETUP=no BUILD="$out"
	as_git "$tmp/git"
	echo '*.o' >"$tmp/git/.git/info/exclude"
	touch "$tmp/git/memory.o"
	holds 'LINUX is a git tree' run tree LINUX="$tmp/git"
}

wrong_kernels() {
	local it=$tmp/wrong
	no_kernel() { refuses "LINUX is $1" "LINUX: .*$2" run tree LINUX="${3:-$it}"; }

	no_kernel 'not there' 'wrong does not exist'
	mkfifo "$it"
	no_kernel 'a fifo' 'is neither a directory nor'
	no_kernel 'a device' 'is neither a directory nor' /dev/zero
	rm "$it"
	mkdir "$it"
	no_kernel 'an empty directory' 'is not a Linux kernel'
	no_kernel 'another project' 'is not a Linux kernel' "$project"
	no_kernel 'a tree of this project' 'has the series already: mm/new.c' "$out/linux"
	head -c 20000 /dev/urandom >"$tmp/x.tar"
	no_kernel 'no archive' 'x.tar is not a tar archive' "$tmp/x.tar"
	tar cf "$tmp/x.tar" -C "$project" base
	no_kernel 'some archive' 'x.tar is not a tar archive of a Linux' "$tmp/x.tar"
	head -c 3000 <(tar c --sort=name -C "$tmp" linux) >"$tmp/x.tar"
	no_kernel 'a damaged archive' 'x.tar is a damaged archive' "$tmp/x.tar"
	make_kernel "$it" 11
	no_kernel 'Linux 6.11' 'is Linux 6.11, not 6.12'
	tar cf "$tmp/x.tar" -C "$tmp" wrong
	no_kernel 'an archive of 6.11' 'x.tar is Linux 6.11, not 6.12' "$tmp/x.tar"
	refuses 'a wrong LINUX comes before what is missing' 'Linux 6.11, not' \
		env LINUX="$it" PATH="$tmp/few" harness/setup.sh
	make_kernel "$it"
	touch "$it/mm/new.c"
	tar cf "$tmp/x.tar" -C "$tmp" wrong
	no_kernel 'an archive with the series' 'has the series already' "$tmp/x.tar"
	rm "$it/mm/new.c" "$it/mm/mmu_notifier.c"
	no_kernel 'a base' 'is a base already'
	make_kernel "$it"
	touch "$it/.config"
	no_kernel 'a tree that has been built in' 'has been built in'
	echo >>"$tmp/git/Makefile"
	no_kernel 'a git tree with changes' 'has local changes' "$tmp/git"
	rm -rf "$it"
	make_kernel "$it"
	git -C "$it" init -q
	no_kernel 'a git tree without a commit' 'is not a git tree with a commit'
}

build_directories() {
	local before
	says 'BUILD is relative' "^tree: $tmp/sub/relative/linux is at series" \
		run tree BUILD=../sub/relative
	holds 'it is where make was called' made "$tmp/sub/relative"
	mkdir "$tmp/empty"
	holds 'BUILD is empty' run setup BUILD="$tmp/empty"
	mkdir -p "$tmp/old/logs"
	touch "$tmp/old/tree.state"
	holds 'BUILD is one without a marker' run setup BUILD="$tmp/old"
	touch "$tmp/file"
	refuses 'BUILD is a file' "BUILD: can't write to" run setup BUILD="$tmp/file"
	refuses 'BUILD is below a file' "BUILD: can't write to" run setup BUILD="$tmp/file/x"
	refuses 'BUILD cannot be made' "BUILD: can't write to" run setup BUILD=/proc/none
	refuses 'BUILD has a blank' 'BUILD: .* has a blank' run setup BUILD="$tmp/a b"
	refuses 'BUILD is in LINUX' 'BUILD: .* is in LINUX' run setup BUILD="$kernel/out"
	holds 'nothing is made there' [ ! -e "$kernel/out" ]
	refuses 'BUILD is the project' 'BUILD: .* other files' run setup BUILD=.
	mkdir "$tmp/mine"
	echo mine >"$tmp/mine/file"
	before=$(contents "$tmp/mine")
	refuses 'BUILD has other files' 'BUILD: .* other files' run setup BUILD="$tmp/mine"
	refuses 'clean of other files' 'clean: .* not made here' run clean BUILD="$tmp/mine"
	holds 'they are as they were' [ "$(contents "$tmp/mine")" = "$before" ]
	refuses 'clean of the project' 'clean: .* not made here' run clean BUILD=.
	holds 'clean of nothing' run clean BUILD="$tmp/nothing"
	holds 'clean makes nothing' [ ! -e "$tmp/nothing" ]
	rm -r "$tmp/empty"
	before=$(contents "$tmp")
	holds 'BUILD is new' run setup BUILD=../empty
	holds 'clean' run clean BUILD=../empty
	holds 'clean removes BUILD and nothing else' [ "$(contents "$tmp")" = "$before" ]
	mkdir "$tmp/disk"
	ln -s disk "$tmp/link"
	holds 'BUILD is a link' run setup BUILD="$tmp/link"
	holds 'clean of a link' run clean BUILD="$tmp/link"
	holds 'clean empties what it points to' [ -z "$(ls -A "$tmp/link/")" ]
}

other_words() {
	local jobs
	for jobs in abc 0 -1 1.5 '2 3'; do
		refuses "JOBS=$jobs" "JOBS: '$jobs' is not" run setup JOBS="$jobs"
	done
	holds 'JOBS is empty' run setup JOBS=
	holds 'JOBS=2' run setup JOBS=2
	refuses 'a target that does not exist' "no target 'nosuch': 'make help'" run nosuch
	says 'make alone lists the targets' '^  kunit  ' make
}

# few PROGRAM...: a PATH without these
few() {
	local directories
	IFS=: read -ra directories <<<"$PATH"
	mkdir "$tmp/few"
	find "${directories[@]}" -maxdepth 1 ! -type d -print0 2>/dev/null |
		xargs -0 ln -s -t "$tmp/few" 2>/dev/null || true
	(cd "$tmp/few" && rm -f "$@")
}

# lacking LINE...: the project also needs what these lines of its table say
lacking() {
	local line
	cp "$top/harness/setup.sh" harness/
	for line; do
		sed -i "s|^table='\$|&\n${line// /\\t}|" harness/setup.sh
	done
}

# one_patch: replace.patch takes the pristine tree to the series, by git and patch
one_patch() {
	local before
	holds 'replace' run replace
	before=$(contents "$out/replace.patch")
	git config -f "$tmp/bob/.gitconfig" diff.noprefix true
	holds 'replace again, for somebody else' env HOME="$tmp/bob" \
		make replace SETUP=no LINUX="$kernel" BUILD="$out"
	holds 'the patch is the same' [ "$(contents "$out/replace.patch")" = "$before" ]
	git clone -q -s "$out/linux" "$tmp/replace"
	git -C "$tmp/replace" checkout -q pristine
	holds 'git apply takes it' git -C "$tmp/replace" apply --index "$out/replace.patch"
	holds 'it leads to the series' git -C "$tmp/replace" diff --cached --exit-code series
	git -C "$tmp/replace" reset -q --hard
	holds 'so does patch' patch -d "$tmp/replace" -p1 -i "$out/replace.patch"
	git -C "$tmp/replace" add -A
	holds 'to the same' git -C "$tmp/replace" diff --cached --exit-code series
}

what_is_missing() {
	setup() { env LINUX="$kernel" BUILD="$out" "$@"; }

	holds 'make series needs no QEMU, spin or apt-get' \
		setup PATH="$tmp/few" make series
	says 'all that a target needs is looked for at once' \
		'setup.sh tree boot kernel$' make -n selftests
	says 'docs needs Sphinx, and no compiler' 'setup.sh tree docs$' make -n docs

	lacking 'absent no-such-program package-1' 'absent header:no/such.h package-2' \
		'absent static:nosuch package-3' 'absent run:false package-4' \
		'absent header:stdio.h package-5' 'absent static:c package-6' \
		'absent make package-7' 'absent run:true package-8'
	stub dpkg </dev/null
	stub id <<<'echo 1000'
	refuses 'a user is told how to install it' \
		'sudo apt-get install package-1 package-2 package-3 package-4$' \
		setup harness/setup.sh absent
	refuses 'without apt-get it is listed' \
		'missing: false header:no/such.h no-such-program static:nosuch; .*SETUP=no' \
		setup PATH="$tmp/few" harness/setup.sh absent
	holds 'SETUP=no' setup SETUP=no harness/setup.sh absent
	holds 'what other targets need does not count' setup harness/setup.sh tree
	refuses 'an unknown group' 'no group nosuch; .* tree' setup harness/setup.sh nosuch

	mv "$tmp/linux.tar.xz" "$tmp/away"
	refuses 'the default kernel is missing' 'install linux-source-6.12$' \
		setup LINUX= harness/setup.sh tree
	holds 'with LINUX it is not needed' setup harness/setup.sh tree
	refuses 'it is missing, and SETUP=no' 'linux.tar.xz does not exist' \
		make tree SETUP=no BUILD="$out"
	mv "$tmp/away" "$tmp/linux.tar.xz"

	lacking 'absent no-such-program package-1'
	stub id <<<'echo 0'
	refuses 'apt-get fails' 'apt-get update failed: no package is installed here' \
		setup harness/setup.sh absent
	# This one installs what its caller has announced.
	stub apt-get <<-END
		grep -q 'to be installed: package-1\$' "$said" || exit 1
		[ "\$1" != install ] || ln -sf /bin/true "$tmp/bin/no-such-program"
	END
	holds 'root gets it installed, after being told' setup harness/setup.sh absent
	holds 'it is installed' [ -e "$tmp/bin/no-such-program" ]
}

# mail NAME DATE: writes the series as somebody else
mail() {
	mkdir -p "$tmp/$1"
	printf '[user]\nname = %s\nemail = %s@x\n[core]\nabbrev = %s\n' \
		"$1" "$1" "$2" >"$tmp/$1/.gitconfig"
	printf '[format]\nsubjectPrefix = %s\n' "$1" >>"$tmp/$1/.gitconfig"
	env HOME="$tmp/$1" TZ="$1" GIT_COMMITTER_NAME="$1" \
		GIT_COMMITTER_DATE="2001-01-$2T00:00:00" \
		make series SETUP=no LINUX="$kernel" BUILD="$out"
}

# applied: the mails lead from the pristine tree to the series
applied() (
	git clone -q -s "$out/linux" "$tmp/am" && cd "$tmp/am" &&
		git checkout -q pristine &&
		git config user.name a && git config user.email a@b &&
		git am -q "$out/series/base.patch" &&
		git am -q --empty=drop "$out"/series/0*.patch &&
		git diff --exit-code series
)

same_mail() {
	local before
	holds 'series' mail ann 10
	before=$(contents "$out/series")
	holds 'series again, for somebody else' mail bob 20
	holds 'the mails are the same' [ "$(contents "$out/series")" = "$before" ]
	says 'the cover letter has its subject' '^Subject: \[PATCH 0/2\] A series' \
		cat "$out/series/0000-cover-letter.patch"
	says 'and its text' '^What it is' cat "$out/series/0000-cover-letter.patch"
	holds 'git am takes them' applied
}

few qemu-system-x86_64 spin dpkg apt-get
cd "$project"
right_kernels
wrong_kernels
build_directories
other_words
same_mail
one_patch
what_is_missing
finish

# SPDX-License-Identifier: GPL-2.0
# Sourced by every script of the harness: where things are, how a step shows its
# progress, and how errors are reported.
#
# A step runs one command with its output in a log.  While it runs, its name,
# the time it has taken and its last line of output are shown (rewritten in
# place on a terminal, once every 30 seconds elsewhere).  When it fails, one
# line names the step and the log.

set -eu -o pipefail
umask 022
export LC_ALL=C

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-$top/build}
[[ $build == /* && $build != */.* ]] || build=$(realpath -ms -- "$build")
linux=$build/linux
logs=$build/logs
jobs=${JOBS:-$(nproc)}
# The kernel to start from, unless LINUX names another
debian=/usr/src/linux-source-6.12.tar.xz

# What is compiled for the first time is preprocessed once, not twice.
export CCACHE_DEPEND=1
# Other scripts may be in other directories.
export BUILD=$build
# Variables given to our make are not meant for the kernel's.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES

# The file that marks a directory as a build directory of this project
marker=.mmu-notifier-build

# ours DIR: whether this build directory was made here.  Older ones have no marker,
# and are recognised by their contents.
ours() {
	[ -e "$1/$marker" ] || { [ -d "$1/logs" ] && [ -f "$1/tree.state" ]; }
}

# use_build: makes the build directory, or takes one that is empty or ours
use_build() {
	local files
	[ ! -e "$build/$marker" ] || [ ! -d "$logs" ] || [ ! -w "$logs" ] || return 0
	[[ $build != *[[:space:]:]* ]] ||
		die "BUILD: '$build' has a blank or a colon, which the kernel's build can't handle"
	[ ! -d "${LINUX:-}" ] || [[ $build/ != "$(realpath -s -- "$LINUX")"/* ]] ||
		die "BUILD: $build is in LINUX, which is only read"
	mkdir -p "$build" 2>/dev/null && [ -w "$build" ] ||
		die "BUILD: can't write to $build"
	files=$(ls -A -I lost+found "$build")
	[ -z "$files" ] || ours "$build" ||
		die "BUILD: $build has other files in it: name a new directory"
	: >>"$build/$marker" && mkdir -p "$logs" || exit 1
}

[[ $jobs =~ ^[1-9][0-9]{0,4}$ ]] || die "JOBS: '$jobs' is not a number of jobs"
# A script that only removes the build directory says so.
[ -n "${no_build:-}" ] || use_build

# Nothing of where and when it was built goes into the objects, so that ccache
# finds them again from another clone.
export CCACHE_BASEDIR=$build CCACHE_NOHASHDIR=1

# kernel_make SOURCE OUTPUT ARGUMENT...: make in a kernel tree
kernel_make() {
	KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' \
	KBUILD_BUILD_USER=builder KBUILD_BUILD_HOST=localhost \
	KBUILD_BUILD_VERSION=1 \
	make -C "$1" O="$2" ARCH=x86_64 CC="ccache gcc" HOSTCC="ccache gcc" \
		LOCALVERSION= "${@:3}"
}

author='MMU notifier maintainers <mmu-notifier@kernel.example>'

# fixed_git: from here on, what git writes depends neither on who runs it nor when
fixed_git() {
	export GIT_AUTHOR_NAME=${author% <*} GIT_COMMITTER_NAME=${author% <*}
	export GIT_AUTHOR_EMAIL=mmu-notifier@kernel.example
	export GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
	export GIT_AUTHOR_DATE='1700000000 +0000'
	export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
}

hash() { sha256sum | cut -d ' ' -f 1; }

# project_files: the files of the project: in a git tree those that are tracked
project_files() {
	if [ -e "$top/.git" ]; then
		git -c safe.directory='*' -C "$top" ls-files
	else
		find "$top" -path "$build" -prune -o -path "$top/build" -prune -o \
			-type f -printf '%P\n'
	fi | sort | while read -r file; do
		[ ! -e "$top/$file" ] || echo "$file"
	done
}

# files_of PATCH...: the files that patches of series/ are made of: "A", or "A -> B"
# for one that goes to another path
files_of() {
	awk '
		FNR == 1 { files = 0 }
		files && /^[^#]/
		/^Files:$/ { files = 1 }' "$@"
}

# checkout_pristine: the pristine tree, apart from build/linux, in $pristine
pristine=$build/upstream/linux
checkout_pristine() {
	local want
	want=$(git -C "$linux" rev-parse 'pristine^{commit}')
	[ "$(git -C "$pristine" rev-parse HEAD 2>/dev/null)" != "$want" ] || return 0
	rm -rf "$pristine"
	mkdir -p "${pristine%/*}"
	git clone -q -s -n "$linux" "$pristine"
	git -C "$pristine" checkout -q "$want"
}

# show_step NAME SECONDS TEXT: one progress line
show_step() {
	if [ -t 2 ]; then
		printf '\r\033[K%s: %ss %.60s' "$1" "$2" "$3" >&2
	else
		say "$1: ${2}s $3"
	fi
}

# last_line LOG: what the command said last, safe to print
last_line() {
	tail -c 400 "$1" 2>/dev/null | tr '\r' '\n' | grep -a . | tail -n 1 |
		tr -dc '[:print:]' || true
}

# complaint LOG: the first error that a failed command printed, or its last line
complaint() {
	local line
	line=$(tr '\r' '\n' <"$1" | grep -am1 -E '(^|[^a-z])error: |undefined reference' |
		cut -c 1-200 | tr -dc '[:print:]') || true
	echo "${line:-$(last_line "$1")}"
}

# configured KERNEL OPTION: whether the kernel was built with it
configured() { grep -qs "^CONFIG_$2=y" "$build/kernel-$1/.config"; }

# excerpt LOG NAME FROM TO: what LOG has of the test NAME, from one pattern to
# another, in a file of its own; LOG itself if it has nothing
excerpt() {
	local file=${1%.log}/$2.log
	mkdir -p "${1%.log}"
	sed -n "/$3/,/$4/p" "$1" >"$file"
	if [ -s "$file" ]; then
		echo "$file"
	else
		rm -f "$file"
		echo "$1"
	fi
}

# What a kernel says when something went wrong.  Only lines with the kernel's
# time stamp count: programs may use these words as they like.
stamp='\[ *[0-9]+\.[0-9]{6}\]'
bad='\b(BUG|WARNING|Oops|UBSAN|Kernel panic|Call Trace)\b|[Bb]ad (page|swap)'
bad="$bad|hung task|blocked for more than|(soft|hard) lockup|detected stall"
bad="$bad|kthread starved|general protection|[Uu]nable to handle|segfault"
bad="$bad|refcount_t:|list_(add|del) corruption|I/O error|Out of memory|oom-kill"

# unexpected: standard input without the lines that belong to what a test has
# announced: the killing of a process for lack of memory, if it has called itself
# expected_oom; a failed allocation, if it was made by a process that has called
# itself expected_fail; and a warning that a KUnit test is about to provoke
# One more can't be announced: get_user_pages() prints a call trace if asked for an
# address that is just below a stack.  The thread mmu_notifier of torture avoids
# these, but the program may unmap an address after the thread has looked.
# Only these lines: whatever else the kernel says meanwhile still counts.  So that
# trace must be of the thread and PID in the message before it, and lead through
# __get_user_pages().
unexpected() {
	awk '
	/\] expected_oom invoked oom-killer: / { killing = traces = 1; next }
	killing && /\] oom-kill:constraint=[^ ]*,task=expected_oom,/ { next }
	killing && /out of memory: Killed process [0-9]+ \(expected_oom\) / {
		killing = 0
		next
	}
	/\] expected_fail: (vmalloc error|page allocation failure): / {
		traces = 1
		next
	}
	/\] +# [a-z_]*: a warning is expected here$/ {
		warnings = traces = 1
		next
	}
	warnings && /\] WARNING: / { warnings = 0; next }
	traces && /\] Call Trace:$/ { traces = 0; next }
	/\] GUP no longer grows the stack in mmu_notifier \([0-9]+\): / {
		pid = $0
		gsub(/^.*mmu_notifier \(|\): .*$/, "", pid)
	}
	pid && index($0, " PID: " pid " Comm: mmu_notifier ") { pid = 0; own = 1 }
	own && /\] Call Trace:$/ { own = 0; trace = $0; next }
	trace && /\]  __get_user_pages[.+]/ { trace = "" }
	trace && /\]  <\/TASK>$/ { print trace; trace = "" }
	{ print }
	END { if (trace) print trace }'
}

# complaints LOG [MARK]: the lines of a console that no healthy kernel prints, and
# those that match MARK.
# The case does not matter; harmless lines of every boot have such words.
complaints() {
	unexpected <"$1" | grep -aiE "$stamp.*($bad)${2:+|$2}" |
		grep -avE 'pci=nocrs.*report a bug|ommand line( parameters|:) ' || true
}

# step NAME LOG COMMAND...: run COMMAND with its output in $logs/LOG
step() {
	local name=$1 log=$logs/$2 begin=$SECONDS next=30 pid status=0
	shift 2
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if [ -t 2 ]; then
			show_step "$name" $((SECONDS - begin)) "$(last_line "$log")"
		elif [ $((SECONDS - begin)) -ge $next ]; then
			show_step "$name" $((SECONDS - begin)) "$(last_line "$log")"
			next=$((next + 30))
		fi
	done
	wait "$pid" || status=$?
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if [ $status -ne 0 ]; then
		if grep -aq 'No space left on device' "$log"; then
			say "error: $name: the disk is full; log: $log"
		else
			say "error: $name failed: $(complaint "$log"); log: $log"
		fi
		return $status
	fi
	say "$name: done in $((SECONDS - begin))s"
}

# in_parallel COMMAND NAME...: calls "COMMAND NAME" for each, as many at a time as
# there may be jobs, and leaves in $failures how many of them failed.  One that
# succeeds leaves a mark: bash forgets the status of a process when the kernel gives
# its number to another, which in a long run happens.  (It doesn't return a status,
# since errors in a function whose status is asked for don't end it.)
in_parallel() {
	local command=$1 name marks
	shift
	marks=$(mktemp)
	for name; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
			sleep 0.2
		done
		{ "$command" "$name"; echo "$name" >>"$marks"; } &
	done
	wait
	failures=$(($# - $(wc -l <"$marks")))
	rm -f "$marks"
}

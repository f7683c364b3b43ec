#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# complaints.sh: of what a kernel may print on its console, complaints() of lib.sh
# passes over what a test has announced, and nothing else.  Prints "FAIL CASE" and
# the complaints for each case that fails.

. "$(dirname "$0")/../lib.sh"
. "$top/harness/check/fixture.sh"

# complains NAME N: of the kernel that has printed standard input, N lines are
# complaints
complains() {
	cases=$((cases + 1))
	complaints <(sed 's/^/[  123.456789] /') >"$said"
	[ "$(wc -l <"$said")" -eq "$2" ] || wrong "$1: not $2"
}

# trace COMM PID FUNCTION: what dump_stack() prints
trace() {
	cat <<-END
		CPU: 1 UID: 0 PID: $2 Comm: $1 Not tainted 6.12.1 #1
		Call Trace:
		 <TASK>
		 dump_stack+0x10/0x20
		 $3+0x1a/0x80
		 </TASK>
	END
}

warning() {
	echo "WARNING: CPU: 1 PID: $2 at mm/gup.c:1 $3+0x1/0x2"
	trace "$@"
}

below_stack() {
	echo "GUP no longer grows the stack in $1 ($2): 7f0000010000-7f0000020000 (7f000000f000)"
}

plain() {
	complains 'a healthy kernel' 0 <<-END
		Kernel command line: debug=oops
		Run /init as init process
	END
	complains 'a trace' 1 < <(trace sh 7 f)
	complains 'a warning' 2 < <(warning sh 7 f)
	complains 'the case does not matter' 1 <<<'watchdog: bug: soft lockup'
	cases=$((cases + 1))
	complaints <(echo 'a program says Oops') >"$said"
	[ ! -s "$said" ] || wrong 'what a program says does not count'
}

announced() {
	local oom=invoked\ oom-killer:\ gfp_mask=0xcc0

	killed() {
		echo "$1 $oom"
		trace "$1" 7 oom_kill_process
		echo "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=$1,pid=7"
		echo "Memory cgroup out of memory: Killed process 7 ($1) total-vm:1kB"
	}
	complains 'a process that has announced it is killed' 0 < <(killed expected_oom)
	complains 'another one is killed' 4 < <(killed sh)
	complains 'it is killed, and then another one' 4 < <(killed expected_oom; killed sh)
	failing() {
		echo "$1: page allocation failure: order:9, mode:0xcc0"
		trace "$1" 7 warn_alloc
	}
	complains 'an allocation fails as announced' 0 < <(failing expected_fail)
	complains 'a warning follows' 2 < <(failing expected_fail; warning expected_fail 7 f)
	complains 'a warning of KUnit' 0 < <(
		echo '    # test_case: a warning is expected here'
		warning kunit_try_catch 7 f)
	complains 'a second one' 2 < <(
		echo '    # test_case: a warning is expected here'
		warning kunit_try_catch 7 f
		warning kunit_try_catch 7 f)
}

stacks() {
	local gup=__get_user_pages thread="mmu_notifier 7"

	# shellcheck disable=SC2086	# a name and a PID
	t() { trace $thread $gup; }
	# shellcheck disable=SC2086
	m() { below_stack $thread; }

	complains 'torture asks below a stack' 0 < <(m; t)
	complains 'lines of others come between' 0 < <(m; echo eth0 up; t | sed '2i eth0 down')
	complains 'another program does' 1 < <(below_stack sh 7; trace sh 7 $gup)
	complains 'there is no message' 1 < <(t)
	complains 'a second trace' 1 < <(m; t; t)
	complains 'the trace of another process' 1 < <(m; trace mmu_notifier 8 $gup)
	complains 'the trace of another program' 1 < <(m; trace sh 7 $gup)
	complains 'another trace comes between' 1 < <(m; trace sh 8 $gup; t)
	complains 'another trace, then only the process' 1 < <(
		m; t | sed 1q; trace sh 8 f)
	complains 'the trace is not from get_user_pages()' 1 < <(m; trace mmu_notifier 7 f)
	complains 'the trace has no end' 1 < <(m; t | sed 3q)
	complains 'a warning comes between' 2 < <(m; warning sh 8 $gup; t)
	complains 'a warning comes within' 2 < <(m; t | sed 5q; warning sh 8 f; t | sed 1,5d)
	complains 'the thread warns' 1 < <(m; warning mmu_notifier 7 $gup)
	complains 'it oopses meanwhile' 1 < <(m; t | sed '4i Oops: 0000')
}

plain
announced
stacks
finish

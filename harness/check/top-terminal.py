# SPDX-License-Identifier: GPL-2.0
#
# top-terminal.py TOOL SAMPLE: TOOL draws SAMPLE on a terminal, no wider and no longer
# than that is; takes keys; and leaves the terminal as it was, whether it is told to
# quit or dies of a signal.

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

HANG = 60   # seconds
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


class Run:
    """The tool on a terminal of this size, with these signals ignored"""

    def __init__(self, rows, columns, ignored=()):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.modes = termios.tcgetattr(self.slave)
        self.output = b''
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            # A shell has its background jobs ignore some of them.
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN if number in ignored
                              else signal.SIG_DFL)
            os.environ['TERM'] = 'xterm'
            os.execv(sys.argv[1], [sys.argv[1], '-i', '86400', '-f', sys.argv[2]])

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ,
                    struct.pack('HHHH', rows, columns, 0, 0))

    def until(self, text):
        """Reads until the output has the text; returns what came before it."""
        begin = time.time()
        while text not in self.output:
            assert time.time() - begin < HANG, (text, self.output)
            if select.select([self.master], [], [], 1)[0]:
                self.output += os.read(self.master, 65536)
        before, self.output = self.output.split(text, 1)
        return before

    def screen(self):
        """One screen, as lines without attributes"""
        text = self.until(b'\033[J')
        text = text.split(b'\033[H')[-1]
        return re.sub(rb'\033\[[0-9;]*[mK]', b'', text).split(b'\r\n')

    def end(self):
        begin = time.time()
        self.until(b'\033[?25h\033[?1049l')
        pid = 0
        while not pid:
            assert time.time() - begin < HANG, 'it does not end'
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            time.sleep(0.01)
        assert termios.tcgetattr(self.slave) == self.modes
        return status


run = Run(8, 50)
run.until(b'\033[?1049h')
screen = run.screen()
assert len(screen) == 8 and max(map(len, screen)) < 50, screen
assert b'by time' in screen[0], screen
assert not termios.tcgetattr(run.slave)[3] & (termios.ICANON | termios.ECHO)
os.write(run.master, b'r')
assert b'by ranges' in run.screen()[0]
run.resize(40, 132)
screen = run.screen()
assert len(screen) > 8 and max(map(len, screen)) > 50, screen
os.write(run.master, b' ')
assert b', over ' in run.screen()[0]
os.write(run.master, b'q')
assert run.end() == 0

run = Run(24, 80, ignored=(signal.SIGHUP,))
run.screen()
os.kill(run.pid, signal.SIGHUP)
os.write(run.master, b'r')
assert b'by ranges' in run.screen()[0]
os.write(run.master, b'q')
assert run.end() == 0

for number in SIGNALS:
    run = Run(24, 80)
    run.screen()
    os.kill(run.pid, number)
    status = run.end()
    assert os.WTERMSIG(status) == number, status

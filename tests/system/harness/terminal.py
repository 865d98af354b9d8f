# SPDX-License-Identifier: MIT
"""A program on a terminal of its own: what it writes, keys for it, and the terminal's modes."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time

from . import settings


class Terminal:
    """Runs one program in a new session with a pseudo-terminal of 100 columns."""

    def __init__(self, argv, env=None, rows=30, columns=100):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes = termios.tcgetattr(slave)
        self.text = ""
        self.slave = slave
        self.process = subprocess.Popen(
            [str(word) for word in argv], stdin=slave, stdout=slave, stderr=slave,
            env=env or settings.environment(TERM="xterm"), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.text += os.read(self.master, 65536).decode(errors="replace")
        return True

    def wait_text(self, wanted):
        """Reads until this has been written."""
        end = time.monotonic() + settings.WAIT
        while wanted not in self.text:
            assert time.monotonic() < end, f"no {wanted!r} in {self.text!r}"
            self.read(0.1)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def finish(self):
        """The exit status, after everything that was written has been read."""
        end = time.monotonic() + settings.WAIT
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still running: {self.text!r}"
            self.read(0.02)
        while self.read(0):
            pass
        return self.process.returncode

    def restored(self):
        """Whether the terminal's modes are as they were."""
        return termios.tcgetattr(self.slave) == self.modes

# SPDX-License-Identifier: MIT
"""A FIFO between a test and the processes it watches: lines come one way, releases go the other."""

import collections
import json
import os
import select
import time

from . import settings

Hello = collections.namedtuple("Hello", "pid worker generation")


class Fifo:
    """Held open for reading and writing, so that neither side ever sees an end."""

    def __init__(self, path):
        self.path = str(path)
        os.mkfifo(self.path)
        os.chmod(self.path, 0o666)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.buffer = b""

    def __str__(self):
        return self.path

    def close(self):
        os.close(self.fd)

    def line(self, timeout=None):
        """The next line, without its end. TimeoutError when none comes."""
        timeout = settings.WAIT if timeout is None else timeout
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left < 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(f"no line in {self.path} within {timeout} s: {self.buffer!r}")
            self.buffer += os.read(self.fd, 65536)
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def lines(self, count, timeout=None):
        return [self.line(timeout) for _ in range(count)]

    def empty(self):
        """Whether nothing waits to be read right now."""
        return not self.buffer and not select.select([self.fd], [], [], 0)[0]

    def hello(self, timeout=None):
        """The next `hello:` of a worker: its pid, number and generation (None when it has none)."""
        return Hello(*(None if word == "-" else int(word) for word in self.line(timeout).split()))

    def hellos(self, count, timeout=None):
        return [self.hello(timeout) for _ in range(count)]

    def report(self, timeout=None):
        """The next `report:` of a worker, with its environment as a dictionary."""
        report = json.loads(self.line(timeout))
        report["env"] = dict(row.split("=", 1) for row in report["environ"])
        report["fds"] = {int(fd): facts for fd, facts in report["fds"].items()}
        return report

    def release(self, count=1):
        """Lets `count` processes go that stand at `await:`."""
        os.write(self.fd, b"x" * count)

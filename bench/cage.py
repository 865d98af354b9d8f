# SPDX-License-Identifier: MIT
"""Nothing is left behind: the cage that the whole benchmark runs in, and the sampler in it.

Each supervisor runs below a `restart` sampler, which kills all of it when it ends, also when we
vanish (its stdin closes). Should a sampler itself be killed, what it had comes to us, the subreaper
above, and goes with us.
"""

import ctypes
import os
import resource
import select
import signal
import subprocess
import time
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36
ANSWER_SECONDS = 120  # the sampler has deadlines of its own; this one is for a sampler that hangs
END_SECONDS = 30


class Failed(Exception):
    """A supervisor could not be measured; the text says why."""


class Cage:
    def __enter__(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was ignored
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGHUP, self._end)
        for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (hard, hard))
        return self

    @staticmethod
    def _end(number, _):
        raise SystemExit(128 + number)

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end = time.monotonic() + END_SECONDS
        while time.monotonic() < end:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
                for pid in file.read().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


class Sampler:
    """A supervisor with its workers below the C program `restart`, which is told what to kill."""

    def __init__(self, tools, argv, log, *, n=1, rest=0, rotate=False, mode="restart", pace=500,
                 deadline=10):
        self.log, self.name = log, argv[0]
        options = ["-i", "-n", n, "-m", mode, "-a", rest, "-p", pace, "-d", deadline, "-l", log]
        options += ["-R"] if rotate else []
        self.process = subprocess.Popen(
            [os.path.join(tools, "restart"), *map(str, options), *argv],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    @property
    def pid(self):
        return self.process.pid

    def wait_up(self):
        """Waits until each worker has started once."""
        self._answer("up")

    def ask(self, command):
        """Sends `restart COUNT`, `storm COUNT` or `starts COUNT`; the numbers of the answer."""
        with suppress(OSError):  # a sampler that has ended says so in its answer
            self.process.stdin.write(command + "\n")
        return [int(word) for word in self._answer("ok")]

    def _answer(self, wanted):
        if not select.select([self.process.stdout], [], [], ANSWER_SECONDS)[0]:
            raise Failed("the sampler does not answer")
        words = self.process.stdout.readline().split()
        if words[:1] != [wanted]:
            raise Failed(" ".join(words[1:] or ["the sampler ended"]) + self._last_words())
        return words[1:]

    def _last_words(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                lines = file.read().strip().splitlines()
        except OSError:
            lines = []
        return f" ({lines[-1].strip()})" if lines else ""

    def close(self):
        """Ends the supervisor and everything below it."""
        with suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

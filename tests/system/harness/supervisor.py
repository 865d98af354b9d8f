# SPDX-License-Identifier: MIT
"""brood under test: started, listened to, signalled, waited for."""

import json
import os
import select
import signal
import subprocess
import threading
import time

from . import procs, settings

REPORTS = (b"AddressSanitizer", b"LeakSanitizer", b"runtime error:", b"UndefinedBehavior")
CRASHES = tuple(
    -number
    for number in (
        signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS,
        signal.SIGTRAP,
    )
)


class Supervisor:
    """One started brood. A thread turns its stderr into events; waits are on a condition.

    The events are kept for good, so a wait never misses one that came early: ask for the nth event
    of a kind, or name its worker and generation.
    """

    def __init__(self, argv, env=None, cwd=None, stderr=None, stdin=subprocess.DEVNULL,
                 stdout=None, pid_source=None):
        self.argv = [str(word) for word in argv]
        self.events = []
        self.stderr = b""
        self.changed = threading.Condition()
        self.ended = False
        self.status = None
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        self.process = subprocess.Popen(
            self.argv, stdin=stdin, stdout=stdout, stderr=write_end if stderr is None else stderr,
            env=env or settings.environment(), cwd=cwd,
        )
        os.close(write_end)
        self.pidfd = os.pidfd_open(self.process.pid)
        self.reader = threading.Thread(target=self._read, args=(read_end,), daemon=True)
        self.reader.start()
        # Behind a program that stays in between, brood has another pid than what was started.
        self.pid = pid_source(self.process.pid) if pid_source else self.process.pid

    # --- the reading thread

    def _read(self, read_end):
        """Reads until brood ends; workers may hold its stderr longer, no end to wait for."""
        os.set_blocking(read_end, False)
        fds = [read_end, self.pidfd]
        rest = b""
        while True:
            ready = select.select(fds, [], [])[0]
            over = self.pidfd in ready
            data = self._drain(read_end) if read_end in ready or over else b""
            if data == b"" and read_end in ready and not over:
                fds.remove(read_end)
            rest = self._take(rest + data, over)
            if over:
                break
        os.close(read_end)
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    @staticmethod
    def _drain(read_end):
        data = b""
        while True:
            try:
                piece = os.read(read_end, 65536)
            except BlockingIOError:
                return data
            if not piece:
                return data
            data += piece

    def _take(self, data, over):
        lines = data.split(b"\n")
        rest = b"" if over else lines.pop()
        with self.changed:
            self.stderr += data[: len(data) - len(rest)]
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict) and "event" in event:
                    self.events.append(event)
            self.changed.notify_all()
        return rest

    # --- what tests ask

    def select_events(self, event=None, **fields):
        """All events so far of a kind whose fields have these values."""
        return [
            row for row in list(self.events)
            if (event is None or row["event"] == event)
            and all(row.get(key) == value for key, value in fields.items())
        ]

    def wait_event(self, event, nth=1, timeout=None, **fields):
        """The nth event of a kind; fails when brood ends without it or the time is over."""
        timeout = timeout or settings.WAIT
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                found = self.select_events(event, **fields)
                if len(found) >= nth:
                    return found[nth - 1]
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    why = "brood ended" if self.ended else f"{timeout} s passed"
                    raise AssertionError(
                        f"{why} without event {event} {fields} no. {nth}:\n{self.tail()}")
                self.changed.wait(left)

    def check_count(self, count, event, **fields):
        """So many events of a kind, and no more; the log may come a little after its effects."""
        self.wait_event(event, nth=count, **fields)
        assert len(self.select_events(event, **fields)) == count, self.tail()

    def text(self):
        """brood's stderr so far."""
        return self.stderr.decode(errors="replace")

    def tail(self):
        """The end of it, for messages."""
        return self.text()[-3000:]

    def order(self, *kinds):
        """The events of these kinds in the order they came, as (event, worker)."""
        return [(row["event"], row.get("worker")) for row in list(self.events)
                if row["event"] in kinds]

    def pids(self):
        """brood's children that live, as the kernel knows them."""
        return procs.children(self.pid, zombies=False)

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=None):
        """Waits for the end; the exit status, negative for a signal."""
        timeout = timeout or settings.WAIT
        if self.status is None:
            with self.changed:
                if not self.changed.wait_for(lambda: self.ended, timeout):
                    raise AssertionError(f"brood still runs after {timeout} s:\n{self.tail()}"
                                         f"\n{procs.describe(procs.descendants())}")
            self.reader.join()
            self.status = self.process.wait()
            os.close(self.pidfd)
        return self.status

    def stop(self, timeout=None):
        """SIGTERM, then the exit status."""
        if not self.ended:
            procs.kill(self.pid, signal.SIGTERM)
        return self.wait(timeout)

    def check(self):
        """What no brood may ever do, whatever happens to it."""
        assert self.status not in CRASHES, f"brood crashed with {self.status}:\n{self.tail()}"
        for report in REPORTS:
            assert report not in self.stderr, f"sanitizer report:\n{self.text()}"

# SPDX-License-Identifier: MIT
"""`brood top` on a terminal: what it shows, and that the terminal is as before whatever happens."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from harness.fake import SILENCE, FakeSupervisor, cause, pool, status, worker
from harness.settings import BROOD, WAIT, environment

ENTER, LEAVE = "\033[?1049h", "\033[?1049l"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *argv, rows=24, columns=80):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen(
            argv, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            env=environment(TERM="xterm", NO_COLOR=None, TZ="UTC"))

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.text += os.read(self.master, 65536).decode(errors="replace")

    def wait_for(self, word, after=0):
        end = time.monotonic() + WAIT
        while word not in self.text[after:]:
            assert time.monotonic() < end, f"no {word!r} in {self.text!r}"
            self.read(0.1)
        return self.text.index(word, after)

    def wait(self):
        end = time.monotonic() + WAIT
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self.read(0.05)
        self.read(0.05)
        return self.process.returncode

    def is_as_before(self):
        return (termios.tcgetattr(self.slave) == self.before and self.text.count(ENTER) ==
                self.text.count(LEAVE) and self.text.rindex(LEAVE) > self.text.rindex(ENTER))

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def record(number, event, **more):
    return {"event": {"time": "2026-11-22T21:34:49.1Z", "seq": number, "event": event,
                      "pool": "web", "worker": 1, "cause": None, **more}}


@pytest.fixture
def server(scratch):
    web = pool("web", [worker("web", i, cause=cause()) for i in range(40)])
    made = FakeSupervisor(scratch / "socket", {
        "Status": status(web),
        "Events": [record(1, "exited", cause="killed by SIGSEGV"), record(2, "started"), SILENCE]})
    yield made
    made.close()


@pytest.fixture
def top(server):
    made = []

    def function(**size):
        made.append(Terminal(BROOD, "top", "--socket", server.path, **size))
        return made[-1]

    yield function
    for one in made:
        one.close()


def test_it_shows_workers_and_events(top):
    view = top()
    view.wait_for("web/0")
    view.wait_for("40 workers")
    view.wait_for("21:34:49  web/1  exited: killed by SIGSEGV")
    view.press("q")
    assert view.wait() == 0
    assert view.is_as_before()


def frame(view):
    """The last whole screen, as lines without colours."""
    end = view.text.rindex("\033[J")
    text = view.text[view.text.rindex("\033[H", 0, end):end]
    for sequence in ("\033[H", "\033[K", "\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m"):
        text = text.replace(sequence, "")
    return text.replace("\r", "").split("\n")


@pytest.mark.parametrize("rows, columns", [(24, 80), (50, 200), (10, 30), (4, 10)])
def test_it_fits_the_screen(top, rows, columns):
    view = top(rows=rows, columns=columns)
    view.wait_for("\033[J")
    lines = frame(view)
    assert len(lines) <= rows
    assert all(len(line) <= columns for line in lines)


def test_it_follows_the_size(top):
    view = top(rows=24, columns=80)
    view.wait_for("\033[J")
    view.resize(30, 40)
    view.process.send_signal(signal.SIGWINCH)
    end = time.monotonic() + WAIT
    while len(frame(view)) != 30 or max(len(line) for line in frame(view)) > 40:
        assert time.monotonic() < end, frame(view)
        view.read(0.1)


def test_keys_move(top):
    view = top()
    view.wait_for("1 to ")
    view.press("\033[B\033[B")
    view.wait_for("3 to ")
    assert not any(line.startswith("web/0 ") for line in frame(view))
    view.press("\033[6~" * 9)
    view.wait_for("to 40 of 40")
    view.press("c")
    view.wait_for("by CPU")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_leave_the_terminal_as_it_was(top, number):
    view = top()
    view.wait_for("web/0")
    view.process.send_signal(number)
    assert view.wait() == -number
    assert view.is_as_before()


def test_interrupt_is_a_quit(top):
    view = top()
    view.wait_for("web/0")
    view.process.send_signal(signal.SIGINT)
    assert view.wait() == 0
    assert view.is_as_before()


def test_stop_and_go_on(top):
    view = top()
    view.wait_for("web/0")
    view.process.send_signal(signal.SIGTSTP)
    assert os.waitid(os.P_PID, view.process.pid, os.WSTOPPED) is not None
    view.wait_for(LEAVE)
    assert view.is_as_before()
    at = len(view.text)
    view.process.send_signal(signal.SIGCONT)
    view.wait_for(ENTER, at)
    view.wait_for("web/0", at)
    view.press("q")
    assert view.wait() == 0
    assert view.is_as_before()


def test_the_supervisor_goes_away(top, server):
    view = top()
    view.wait_for("web/0")
    server.close()
    assert view.wait() == 6
    assert view.is_as_before()
    assert "nothing listens" in view.text[view.text.rindex(LEAVE):]


def test_without_a_terminal_it_prints_once(server, cli):
    done = cli("top", "--socket", server.path)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and "\033" not in done.stdout
    assert lines[0].split()[:4] == ["WORKER", "STATE", "PID", "CPU%"]
    assert len(lines) == 41


def test_cpu_share(server, cli):
    busy = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        server.answers["Status"] = status(pool("web", [worker("web", 0, pid=busy.pid)]))
        row = cli("top", "--socket", server.path).stdout.splitlines()[1].split()
    finally:
        busy.kill()
        busy.wait()
    assert row[2] == str(busy.pid) and 1 < float(row[3]) <= 110


def test_status_is_coloured_and_cut_on_a_terminal(server):
    view = Terminal(BROOD, "status", "web", "--socket", server.path, columns=65)
    try:
        view.wait()
    finally:
        view.close()
    assert "\033[32m● ready\033[0m" in view.text
    assert "…" in view.text


def test_no_color(server):
    argv = ["env", "NO_COLOR=1", BROOD, "status", "web", "--socket", server.path]
    view = Terminal(*argv)
    try:
        view.wait()
    finally:
        view.close()
    assert "● ready" in view.text and "\033" not in view.text

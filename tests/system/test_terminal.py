# SPDX-License-Identifier: MIT
"""What the client shows on a terminal: colours, and `brood top`."""

import signal

import pytest

from harness import procs
from harness.config import pool
from harness.settings import BROOD, environment, play
from harness.terminal import Terminal
from harness.up import DONE


@pytest.fixture
def u(up_once):
    u = up_once(pool("web", play("notify:STATUS=serving\nREADY=1", "pause"), Workers=3,
                     Type="notify", Restart="always"))
    u.ctl("wait", "web", "--for=ready")
    return u


@pytest.fixture
def top(u):
    with Terminal([BROOD, "top", "--socket", u.path]) as terminal:
        terminal.wait_text("web")
        yield terminal


def test_status_has_colours(u):
    for words, coloured in (((), True), (("NO_COLOR", "1"), False)):
        env = environment(TERM="xterm", **dict([words] if words else []))
        with Terminal([BROOD, "status", "--socket", u.path], env=env) as terminal:
            assert terminal.finish() == DONE
            assert ("\033[" in terminal.text) == coloured
            assert "web" in terminal.text


def test_status_fits_its_columns(u):
    out = u.ctl("status").out.splitlines()
    rows = [line for line in out if "ready" in line]
    assert len({line.index("ready") for line in rows if "ready" in line}) <= 2


def test_top_shows_and_ends(top, u):
    top.wait_text(str(u.worker_pids("web")[2]))
    top.press("q")
    assert top.finish() == DONE
    assert top.restored()
    # On a screen of its own, the cursor back in the end.
    assert "\033[?1049h" in top.text and top.text.index("\033[?1049l") > top.text.index("1049h")
    assert top.text.rstrip().endswith(("\033[?25h", "\033[?1049l", "\033[0m"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_top_that_is_ended_restores_the_terminal(top, number):
    top.process.send_signal(number)
    top.finish()
    assert top.restored() and "\033[?1049l" in top.text


def test_top_follows_what_happens(top, u):
    old = u.worker_pids("web")[1]
    procs.kill(old)
    u.wait_event("ready", generation=2)
    top.wait_text(str(u.worker_pids("web")[1]))
    top.press("q")
    assert top.finish() == DONE


def test_top_on_another_size(top, u):
    top.text = ""
    top.resize(5, 20)
    top.process.send_signal(signal.SIGWINCH)
    top.wait_text("web")
    top.press("q")
    assert top.finish() == DONE


def test_top_when_the_supervisor_goes(top, u):
    u.stop()
    assert top.finish() != 0
    assert top.restored()


def test_top_without_a_terminal(u):
    done = u.ctl("top", status=None)
    assert done.status in (DONE, 2) and "\033" not in done.out

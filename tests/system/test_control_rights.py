# SPDX-License-Identifier: MIT
"""Who may do what: the kernel's word on who has connected decides, not the socket's mode alone."""

import grp
import os
import stat

import pytest

from harness import procs
from harness.config import pool, section
from harness.probe import needs_root
from harness.settings import play
from harness.up import DENIED, DONE

pytestmark = needs_root

NOBODY, STAFF, GAMES = 65534, "staff", "games"

READING = [["status"], ["events"], ["wait", "web", "--for=ready"]]
CHANGING = [["stop", "web"], ["start", "web"], ["restart", "web"], ["scale", "web", "3"],
            ["signal", "web", "TERM"], ["reset", "web"], ["reload"], ["reload", "web"],
            ["shutdown"]]


def as_user(uid, *groups):
    """What to put before a command so that this user runs it, in these groups alone."""
    numbers = ",".join(str(grp.getgrnam(name).gr_gid) for name in groups)
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}",
            f"--groups={numbers}" if groups else "--clear-groups"]


@pytest.fixture
def served(up_once, scratch, fifo):
    """brood with rights for groups, its socket where everybody can reach it."""

    def function(**directives):
        u = up_once(section("Brood", **directives), pool("web", play("pause"), Workers=2),
                    path=scratch / "socket")
        u.ctl("wait", "web", "--for=ready")
        u.before = u.worker_pids("web")
        # The file's mode is one lock, the kernel's credentials are the other: open the first.
        u.path.chmod(0o666)
        return u

    return function


@pytest.mark.parametrize("words", READING + CHANGING, ids=" ".join)
def test_stranger(served, words):
    u = served()
    done = u.ctl(*words, status=DENIED, prefix=as_user(NOBODY))
    assert done.err and not done.out
    assert u.worker_pids("web") == u.before


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_reader_may_read(served, words):
    u = served(ReadGroup=GAMES)
    u.ctl(*words, status=DONE, prefix=as_user(NOBODY, GAMES))


@pytest.mark.parametrize("words", CHANGING, ids=" ".join)
def test_reader_may_not_change(served, words):
    u = served(ReadGroup=GAMES)
    u.ctl(*words, status=DENIED, prefix=as_user(NOBODY, GAMES))
    assert u.worker_pids("web") == u.before


def test_changer_may_do_both(served):
    u = served(ChangeGroup=STAFF, ReadGroup=GAMES)
    member = as_user(NOBODY, STAFF)
    u.ctl("status", prefix=member)
    u.ctl("restart", "web", prefix=member)
    assert set(u.worker_pids("web").values()).isdisjoint(u.before.values())
    u.ctl("restart", "web", status=DENIED, prefix=as_user(NOBODY, GAMES))


def test_socket_belongs_to_its_group(up_once, scratch):
    u = up_once(section("Brood", ReadGroup=GAMES), pool("web", play("pause")),
                path=scratch / "socket")
    facts = os.stat(u.path)
    assert facts.st_gid == grp.getgrnam(GAMES).gr_gid
    assert stat.S_IMODE(facts.st_mode) == 0o660
    u.ctl("wait", "web", "--for=ready", prefix=as_user(NOBODY, GAMES))


def test_socket_keeps_strangers_out(up_once, scratch):
    u = up_once(pool("web", play("pause")), path=scratch / "socket")
    done = u.ctl("status", status=DENIED, prefix=as_user(NOBODY))
    assert str(u.path) in done.err


def test_owner_that_is_not_root(up_once, scratch, fifo):
    """brood of an ordinary user: it and root may change, another user may not."""
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "pause")), prefix=as_user(NOBODY),
                path=scratch / "socket")
    pid = hello.hello().pid
    assert procs.status(pid, "Uid").split()[0] == str(NOBODY)
    u.ctl("restart", "web", prefix=as_user(NOBODY))
    u.ctl("restart", "web")
    u.path.chmod(0o666)
    u.ctl("restart", "web", status=DENIED, prefix=as_user(12345))
    assert u.stop() == 0


def test_rights_follow_a_reload(served):
    u = served(ReadGroup=GAMES)
    u.configure(section("Brood", ReadGroup=STAFF), pool("web", play("pause"), Workers=2))
    u.ctl("reload")
    u.path.chmod(0o666)
    u.ctl("status", status=DENIED, prefix=as_user(NOBODY, GAMES))
    u.ctl("status", status=DONE, prefix=as_user(NOBODY, STAFF))


# Output that waits in memory: the modes of the files may keep readers from it.

@pytest.fixture
def torn(up_once, scratch):
    """A worker with a line in a file that all may read, and one whose end has not come yet."""
    logs = scratch / "logs"
    words = ["sh", "-c", "echo whole; printf torn; exec sleep 1000"]
    u = up_once(section("Brood", ReadGroup=GAMES, ChangeGroup=STAFF),
                pool("web", words, LogDirectory=logs), path=scratch / "socket")
    u.path.chmod(0o666)
    u.log = logs / "web.log"
    procs.until(lambda: "torn" in u.ctl("logs").out and "whole" in u.log.read_text(), "its output")
    u.log.chmod(0o644)
    return u


def test_reader_sees_the_files_alone(torn):
    done = torn.ctl("logs", "web", status=DONE, prefix=as_user(NOBODY, GAMES))
    assert "whole" in done.out and "torn" not in done.out
    assert len(done.err.splitlines()) == 1 and "in memory" in done.err
    torn.log.chmod(0o640)
    done = torn.ctl("logs", "web", status=1, prefix=as_user(NOBODY, GAMES))
    assert not done.out and "Permission denied" in done.err


def test_changer_sees_what_waits_in_memory(torn):
    done = torn.ctl("logs", "web", status=DONE, prefix=as_user(NOBODY, STAFF))
    assert "whole" in done.out and "torn" in done.out and not done.err

# SPDX-License-Identifier: MIT
"""brood_daemonize(): the calling program as a daemon (tests/api/daemon.c)."""

import errno
import os
import signal
import subprocess

import pytest

from harness import pidfiles, procs
from harness.settings import WAIT, environment
from library import REPORTS, program  # noqa: F401

@pytest.fixture
def daemonize(program, scratch):
    """Runs tests/api/daemon.c: (status, pid, message) as the original process has them."""
    pids = []

    def function(*words):
        # With no pipe to it a daemon that keeps its output does not keep us waiting.
        path = scratch / "answer"
        with open(path, "w+") as out:
            done = subprocess.run([program("api-daemon"), *map(str, words)], stdout=out,
                                  stderr=subprocess.STDOUT, env=environment(), timeout=WAIT,
                                  cwd=scratch, check=False)
        text = path.read_text()
        assert not any(report in text for report in REPORTS), text
        if text.startswith("error"):
            assert done.returncode == 96
            return int(text.split()[1])
        status, pid, message = text.rstrip("\n").split(" ", 2)
        assert int(status) == done.returncode
        if int(status) == 0:
            pids.append(int(pid))
        return int(status), int(pid), message

    yield function
    for pid in pids:
        procs.kill(pid, signal.SIGTERM)
        procs.wait_gone(pid)


def test_a_daemon_with_defaults(daemonize):
    status, pid, message = daemonize("--", "ready", "pause")
    assert (status, message) == (0, "")
    state, parent, _, session = procs.stat(pid)
    assert (parent, session != os.getsid(0), session != pid) == (os.getpid(), True, True)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert procs.status(pid, "Umask") == "0022"

    def descriptors():
        return {name: os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}

    # Its starter may know that it is ready before the channel between them is closed.
    procs.until(lambda: descriptors() == {"0": "/dev/null", "1": "/dev/null", "2": "/dev/null"},
                "nothing but the standard streams")


def test_no_options_at_all_are_the_defaults(program):
    # Without words the daemon is made with NULL, says nothing, and ends: too early.
    done = subprocess.run([program("api-daemon")], stdout=subprocess.PIPE, text=True,
                          env=environment(), timeout=WAIT, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("1 0 ")


def test_daemon_options(daemonize, scratch):
    out = scratch / "out"
    status, pid, _ = daemonize("directory:.", "umask:077", f"stdout:{out}", "--", "ready",
                               "put:here", "pause")
    assert status == 0
    procs.until(lambda: out.exists() and out.read_text() == "here\n", "the output")
    assert os.readlink(f"/proc/{pid}/cwd") == str(scratch)
    assert procs.status(pid, "Umask") == "0077"


def test_a_daemon_that_fails_says_why(daemonize, scratch):
    pidfile = scratch / "d.pid"
    assert daemonize(f"pidfile:{pidfile}", "--", "fail:42") == (42, 0, "the port is taken")
    assert not pidfile.exists()


def test_a_daemon_that_ends_too_early(daemonize):
    status, _, message = daemonize("directory:.", "--", "exit:5")
    assert status == 1
    assert "5" in message


def test_a_daemon_that_is_not_ready_in_time(daemonize):
    status, _, message = daemonize("timeout-ms:200", "--", "hang")
    assert status == 1
    assert message


def test_what_cannot_be_set_up(daemonize):
    status, _, message = daemonize("directory:/nosuch", "--", "ready")
    assert (status, message) == (125, "chdir /nosuch: No such file or directory")


def test_a_pidfile_is_held_once(daemonize, scratch):
    pidfile = scratch / "d.pid"
    status, pid, _ = daemonize(f"pidfile:{pidfile}", "--", "forked-free", "ready", "pause")
    assert status == 0
    assert pidfiles.number(pidfile) == pidfiles.holder(pidfile) == pid, "not taken by its fork"
    status, other, message = daemonize(f"pidfile:{pidfile}", "--", "ready")
    assert (status, other) == (3, pid)
    assert str(pid) in message
    procs.kill(pid, signal.SIGTERM)
    procs.wait_gone(pid)
    assert not pidfile.exists(), "the daemon itself does"


@pytest.mark.parametrize("words, number", [(["thread"], errno.EBUSY), (["flags:64"], errno.EINVAL)])
def test_daemonize_refused(daemonize, words, number):
    assert daemonize(*words, "--", "ready") == -number

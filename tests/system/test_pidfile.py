# SPDX-License-Identifier: MIT
"""`brood pidfile` and `brood run --daemon`: acting on a daemon by its lock, never by a number."""

import os
import signal

import pytest

from harness import pidfiles, procs
from harness.settings import BROOD, play


@pytest.fixture
def daemon(cli, fifo, scratch):
    """Daemonizes a worker that plays these words; its pidfile and pid."""
    pids = []

    def function(*words):
        hello, path = fifo(), scratch / f"pid{len(pids)}"
        done = cli("daemonize", "--pidfile", path, "--", *play(*words, f"hello:{hello}", "pause"))
        assert done.returncode == 0, done.stderr
        pids.append(hello.hello().pid)
        return path, pids[-1]

    yield function
    for pid in pids:
        procs.kill(pid)
        procs.wait_gone(pid)


def test_status_of_a_running_daemon(cli, daemon):
    path, pid = daemon()
    done = cli("pidfile", "status", path)
    assert done.returncode == 0 and str(pid) in done.stdout.split()


def test_status_of_none(cli, scratch):
    assert cli("pidfile", "status", scratch / "nothing").returncode == 1


@pytest.mark.parametrize("content", ["", "1\n", "garbage", "{}\n"])
def test_status_of_a_stale_file(cli, scratch, content):
    path = scratch / "pid"
    path.write_text(content.format(os.getpid()))
    assert cli("pidfile", "status", path).returncode == 1


def test_status_of_what_cannot_be_read(cli, scratch):
    done = cli("pidfile", "status", scratch)
    assert done.returncode == 4
    assert str(scratch) in done.stderr


def test_status_after_the_end(cli, daemon):
    path, pid = daemon()
    procs.kill(pid)
    procs.wait_gone(pid)
    assert cli("pidfile", "status", path).returncode == 1


@pytest.mark.parametrize("words", [("stop",), ("stop", "--kill"), ("restart",)])
def test_an_innocent_process_is_never_touched(cli, scratch, fifo, start, words):
    """The file of a daemon that is long gone, its number now that of somebody else."""
    hello, told = fifo("hello"), fifo("told")
    innocent = start(play(f"tell:TERM={told}", f"tell:HUP={told}", f"hello:{hello}", "pause"))
    hello.hello()
    path = scratch / "pid"
    path.write_text(f"{innocent.pid}\n")
    done = cli("pidfile", words[0], path, *words[1:])
    assert done.returncode == 1
    done = cli("pidfile", "signal", path, "TERM")
    assert done.returncode == 1
    assert told.empty() and procs.alive(innocent.pid)
    innocent.signal(signal.SIGKILL)
    innocent.wait()


def test_stop(cli, daemon):
    path, pid = daemon()
    assert cli("pidfile", "stop", path).returncode == 0
    procs.until(lambda: not procs.alive(pid), "the end")
    procs.reap()
    assert cli("pidfile", "status", path).returncode == 1


def test_stop_that_takes_too_long(cli, daemon):
    path, pid = daemon("ignore:TERM")
    done = cli("pidfile", "stop", "--timeout", "100ms", path)
    assert done.returncode not in (0, 2)
    assert str(pid) in done.stderr and len(done.stderr.splitlines()) == 1
    assert procs.alive(pid)


def test_stop_with_kill(cli, daemon):
    path, pid = daemon("ignore:TERM")
    assert cli("pidfile", "stop", "--timeout", "100ms", "--kill", path).returncode == 0
    assert not procs.alive(pid)


def test_restart_starts_the_same_command_again(cli, fifo, scratch):
    report, path = fifo(), scratch / "pid"
    done = cli("daemonize", "--pidfile", path, "--chdir", scratch, "--umask", "027", "--env", "A=1",
               "--stdout", f"append:{scratch}/out", "--", *play(f"report:{report}", "pause"))
    assert done.returncode == 0, done.stderr
    before = report.report()
    assert cli("pidfile", "restart", path).returncode == 0
    after = report.report()
    with pidfiles.ending(after["pid"]):
        assert not procs.alive(before["pid"])
        assert pidfiles.holder(path) == pidfiles.number(path) == after["pid"] != before["pid"]
        for key in ("argv", "cwd", "umask", "env", "uid", "groups"):
            assert after[key] == before[key], key
        assert after["fds"][1]["target"] == before["fds"][1]["target"] == f"{scratch}/out"
    procs.reap()


@pytest.mark.parametrize("name", ["USR1", "SIGUSR1", "10"])
def test_signal_of_choice(cli, daemon, fifo, name):
    told = fifo("told")
    path, pid = daemon(f"tell:USR1={told}")
    assert cli("pidfile", "signal", path, name).returncode == 0
    assert told.line() == f"USR1 {pid}"


def test_signal_that_does_not_exist(cli, daemon):
    path, _ = daemon()
    done = cli("pidfile", "signal", path, "NOPE")
    assert done.returncode == 2 and "NOPE" in done.stderr


@pytest.mark.parametrize("words", [("stop",), ("restart",), ("signal", "TERM")])
def test_nothing_to_act_on(cli, scratch, words):
    path = scratch / "none"
    done = cli("pidfile", words[0], path, *words[1:])
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert len(said.splitlines()) == 1 and str(path) in said


# --- run --daemon


@pytest.fixture
def pool(cli, loop, scratch):
    """`brood run --daemon` of this worker; the supervisor's pid. Stopped at the end of the test."""
    pids = []

    def function(*options, cmd):
        path = scratch / "pool.pid"
        done = cli("run", f"--loop={loop}", "--daemon", "--pidfile", path, *options, "--", *cmd)
        assert done.returncode == 0, done.stderr
        pids.append(pidfiles.number(path))
        return path, pids[-1]

    yield function
    for pid in pids:
        procs.kill(pid, signal.SIGTERM)
        procs.wait_gone(pid)


def test_supervisor_as_a_daemon(pool, fifo):
    report = fifo()
    path, pid = pool("-n", 2, cmd=play(f"report:{report}", "pause"))
    for _ in range(2):
        seen = report.report()
        assert seen["ppid"] == pid
        assert set(seen["fds"]) == {0, 1, 2}
        assert seen["sid"] == procs.stat(pid)[3] != os.getsid(0)
    assert procs.stat(pid)[1] == os.getpid()
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert pidfiles.holder(path) == pid


def test_parent_returns_when_all_have_started(pool):
    _, pid = pool("-n", 20, cmd=play("pause"))
    commands = [procs.command(child) for child in procs.children(pid)]
    assert len(commands) == 20 and not any(BROOD in command for command in commands)


def test_daemon_restarts_its_workers(pool, fifo):
    hello = fifo()
    _, pid = pool("-n", 2, cmd=play(f"hello:{hello}", "pause"))
    procs.kill(hello.hellos(2)[0].pid)
    assert hello.hello().generation == 2


def test_second_supervisor_is_refused(pool, cli, loop, fifo):
    hello = fifo()
    path, pid = pool(cmd=play("pause"))
    done = cli("run", f"--loop={loop}", "--daemon", "--pidfile", path, "--",
               *play(f"hello:{hello}"))
    assert done.returncode == 3, done.stderr
    assert str(pid) in done.stderr and len(done.stderr.splitlines()) == 1
    assert hello.empty() and pidfiles.holder(path) == pid


def test_stop_through_the_pidfile(pool, cli, fifo):
    hello = fifo()
    path, pid = pool("-n", 3, cmd=play(f"hello:{hello}", "pause"))
    seen = hello.hellos(3)
    assert cli("pidfile", "stop", path).returncode == 0
    assert not procs.alive(pid) and not any(procs.alive(h.pid) for h in seen)
    procs.wait_gone(pid)
    assert not path.exists(), "the pidfile goes with an orderly end"


def test_roll_through_the_pidfile(pool, cli, fifo):
    hello = fifo()
    path, _ = pool("-n", 2, cmd=play(f"hello:{hello}", "pause"))
    hello.hellos(2)
    assert cli("pidfile", "restart", path).returncode == 0
    assert sorted(h[1:] for h in hello.hellos(2)) == [(0, 2), (1, 2)]


def test_pidfile_goes_with_daemon_only(cli, scratch):
    done = cli("run", "--pidfile", scratch / "pid", "--", "true")
    assert done.returncode == 2 and "--daemon" in done.stderr
    assert not (scratch / "pid").exists()


def test_daemon_that_cannot_start(cli, loop, scratch):
    path = scratch / "pid"
    done = cli("run", f"--loop={loop}", "--daemon", "--pidfile", path, "--", "nosuchcommand")
    assert done.returncode == 127
    assert done.stderr.startswith("brood run: exec nosuchcommand: ")
    assert not path.exists() or pidfiles.holder(path) is None


def test_daemon_whose_pool_is_done_ends(cli, loop, scratch, fifo):
    go, path = fifo(), scratch / "pid"
    done = cli("run", f"--loop={loop}", "--daemon", "--pidfile", path, "--", *play(f"await:{go}"))
    assert done.returncode == 0
    pid = pidfiles.number(path)
    go.release()
    procs.wait_gone(pid)
    assert not path.exists()


def test_daemon_says_nothing_to_its_caller(cli, loop, scratch, fifo):
    hello, path = fifo(), scratch / "pid"
    done = cli("run", f"--loop={loop}", "--daemon", "--pidfile", path, "--",
               *play(f"hello:{hello}"))
    assert done.returncode == 0 and done.stdout == done.stderr == ""
    hello.hello()
    procs.until(lambda: not path.exists(), "the end of the pool")
    procs.until(lambda: procs.reap() or not procs.children(), "the supervisor's end")

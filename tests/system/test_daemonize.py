# SPDX-License-Identifier: MIT
"""`brood daemonize`: one program detached, and the answer when it is ready or why it is not.

The daemon's parent is the test itself (the subreaper), as it would be PID 1 elsewhere."""

import os
import pty
import signal
import subprocess

import pytest

from harness import pidfiles, procs
from harness.probe import needs_root
from harness.settings import BROOD, INJECT, WORKER, around, environment, play


@pytest.fixture
def detached(cli, fifo):
    """Daemonizes a worker under these options; its report. It lives on until the test ends."""
    pids = []

    def function(*options, words=(), **keywords):
        report = fifo()
        done = cli("daemonize", *options, "--", *play(f"report:{report}", *words, "pause"),
                   **keywords)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        result = report.report()
        pids.append(result["pid"])
        return result

    yield function
    for pid in pids:
        procs.kill(pid)
        procs.wait_gone(pid)


def test_a_daemon_is_alone(detached):
    seen = detached()
    procs.until(lambda: procs.stat(seen["pid"])[1] == os.getpid(), "the adoption")
    assert seen["sid"] not in (os.getsid(0), seen["pid"]), "a session of its own, not its leader"
    procs.until(lambda: procs.stat(seen["sid"]) is None, "the end of the session's leader")
    assert seen["cwd"] == "/"
    assert seen["umask"] == 0o022
    assert {fd: facts["target"] for fd, facts in seen["fds"].items()} == {
        0: "/dev/null", 1: "/dev/null", 2: "/dev/null"}
    for key in ("SigBlk", "SigIgn", "SigCgt"):
        assert int(seen["status"][key], 16) == 0


def test_nothing_of_the_callers_stays_open(detached):
    seen = detached(prefix=around("fds:50", "block:all", "ignore:HUP,PIPE"))
    assert set(seen["fds"]) == {0, 1, 2}
    assert int(seen["status"]["SigBlk"], 16) == int(seen["status"]["SigIgn"], 16) == 0


def test_working_directory_and_umask(detached, scratch):
    seen = detached("--chdir", scratch, "--umask", "077")
    assert (seen["cwd"], seen["umask"]) == (str(scratch), 0o77)


def test_outputs(detached, scratch):
    path = scratch / "out"
    seen = detached("--stdout", f"append:{path}", "--stderr", f"append:{path}",
                    words=["put:1=one", "put:2=two"])
    assert seen["fds"][1]["target"] == seen["fds"][2]["target"] == str(path)
    procs.until(lambda: path.read_text() == "one\ntwo\n", "the output")


def test_process_options(detached, scratch):
    seen = detached("--env", "A=1", "--clear-env", "--limit", "NOFILE=99:99", "--nice", "4",
                    "--oom-score", "77", "--no-new-privs")
    assert seen["env"]["A"] == "1" and "PATH" not in seen["env"]
    assert seen["limits"]["NOFILE"] == [99, 99]
    assert (seen["nice"], seen["oom_score"], seen["status"]["NoNewPrivs"]) == (4, 77, "1")


@needs_root
def test_user(detached, scratch):
    pidfile = scratch / "pid"
    seen = detached("--user", "nobody", "--pidfile", pidfile)
    assert (seen["uid"], seen["gid"]) == (65534, 65534)
    assert pidfiles.holder(pidfile) == seen["pid"]


# --- pidfile


def test_pidfile_names_the_daemon_that_holds_its_lock(detached, scratch):
    path = scratch / "pid"
    seen = detached("--pidfile", path)
    assert pidfiles.number(path) == seen["pid"]
    assert pidfiles.holder(path) == seen["pid"]
    assert path.stat().st_mode & 0o7777 == 0o644
    others = [fd for fd in seen["fds"] if fd > 2]
    assert len(others) == 1
    assert os.path.samefile(f"/proc/{seen['pid']}/fd/{others[0]}", path)


def test_second_start_is_refused_and_names_the_first(detached, cli, scratch):
    path = scratch / "pid"
    first = detached("--pidfile", path)["pid"]
    done = cli("daemonize", "--pidfile", path, "--", "sleep", "100")
    assert done.returncode == 3
    assert str(first) in done.stderr and len(done.stderr.splitlines()) == 1
    assert pidfiles.number(path) == first and pidfiles.holder(path) == first
    assert procs.alive(first)


def test_after_a_kill_the_file_is_stale_and_free(detached, scratch):
    path = scratch / "pid"
    first = detached("--pidfile", path)["pid"]
    procs.kill(first)
    procs.wait_gone(first)
    assert pidfiles.number(path) == first and pidfiles.holder(path) is None
    second = detached("--pidfile", path)["pid"]
    assert pidfiles.number(path) == pidfiles.holder(path) == second


@pytest.mark.parametrize("content", ["", "999999999999\n", "garbage\n", "-1\n", "0\n", "1\n",
                                     "{}\n", "x" * 100000])
def test_what_the_file_says_is_never_trusted(detached, scratch, content):
    """Above all the pid of a living process that has nothing to do with it."""
    path = scratch / "pid"
    path.write_text(content.format(os.getpid()))
    pid = detached("--pidfile", path)["pid"]
    assert pidfiles.number(path) == pidfiles.holder(path) == pid


def test_only_one_of_many_at_once_wins(start, scratch, fifo):
    path, hello = scratch / "pid", fifo()
    argv = [BROOD, "daemonize", "--pidfile", path, "--", *play(f"hello:{hello}", "pause")]
    racers = [start(argv) for _ in range(12)]
    statuses = sorted(racer.wait() for racer in racers)
    with pidfiles.ending(hello.hello().pid) as winner:
        assert statuses == [0] + [3] * 11
        assert pidfiles.number(path) == pidfiles.holder(path) == winner
        assert hello.empty()


def test_pidfile_that_cannot_be_written(cli, scratch):
    path = scratch / "no" / "pid"
    done = cli("daemonize", "--pidfile", path, "--", "sleep", "100")
    assert done.returncode == 125
    assert f"{path}: No such file or directory" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_pidfile_that_is_a_directory(cli, scratch):
    done = cli("daemonize", "--pidfile", scratch, "--", "sleep", "100")
    assert done.returncode == 125
    assert str(scratch) in done.stderr and len(done.stderr.splitlines()) == 1


def test_relative_pidfile_is_the_callers(detached, scratch):
    seen = detached("--pidfile", "pid", cwd=scratch)
    assert pidfiles.holder(scratch / "pid") == seen["pid"]


# --- readiness


def test_exec_is_ready_by_default(cli, fifo):
    hello = fifo()
    done = cli("daemonize", "--", *play(f"hello:{hello}", "pause"))
    assert done.returncode == 0
    with pidfiles.ending(hello.hello().pid) as pid:
        assert procs.alive(pid)


@pytest.mark.parametrize("way, word", [("notify", "notify:READY=1"), ("fd:3", "put:3="),
                                       ("fd:7", "put:7=ready")])
def test_ready_when_the_daemon_says_so(start, fifo, way, word):
    hello, go = fifo("hello"), fifo("go")
    b = start([BROOD, "daemonize", f"--wait-ready={way}", "--",
               *play(f"hello:{hello}", f"await:{go}", word, "pause")])
    with pidfiles.ending(hello.hello().pid) as pid:
        assert not b.ended
        go.release()
        assert b.wait() == 0
        assert procs.alive(pid)


@pytest.mark.parametrize("way", ["notify", "fd:3"])
def test_ended_before_it_was_ready(cli, way):
    done = cli("daemonize", f"--wait-ready={way}", "--", *play("exit:5"))
    assert done.returncode == 1
    assert "5" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("way", ["notify", "fd:3"])
def test_not_ready_in_time(cli, way, fifo):
    hello = fifo()
    done = cli("daemonize", f"--wait-ready={way}", "--timeout", "200ms", "--",
               *play(f"hello:{hello}", "pause"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not procs.alive(hello.hello().pid), "not ready, said to have failed, and still there"


def test_closing_the_descriptor_is_not_ready(cli, fifo):
    done = cli("daemonize", "--wait-ready=fd:3", "--timeout", "300ms", "--",
               *play("close:3", "pause"))
    assert done.returncode == 1


def test_readiness_of_another_kind_is_not_ready(cli):
    done = cli("daemonize", "--wait-ready=notify", "--timeout", "200ms", "--",
               *play("notify:STATUS=READY=1", "pause"))
    assert done.returncode == 1


# --- failures


@pytest.mark.parametrize("way", ["exec", "notify", "fd:3"])
def test_command_not_found(cli, way):
    done = cli("daemonize", f"--wait-ready={way}", "--", "nosuchcommand")
    assert done.returncode == 127
    assert done.stderr.startswith("brood daemonize: exec nosuchcommand: ")
    assert len(done.stderr.splitlines()) == 1


def test_not_executable(cli, scratch):
    path = scratch / "plain"
    path.write_text("x")
    done = cli("daemonize", "--", path)
    assert done.returncode == 126
    assert f"{path}: Permission denied" in done.stderr


def test_failure_in_the_daemon_comes_back_to_the_caller(cli, scratch):
    path = scratch / "script"
    path.write_text("#!/nowhere/interpreter\n")
    path.chmod(0o755)
    done = cli("daemonize", "--", path)
    assert done.returncode in (126, 127)
    assert f"{path}: No such file or directory" in done.stderr


@pytest.mark.parametrize("options", [["--chdir", "/no/such"], ["--stdout", "append:/no/such/out"]])
def test_step_that_fails_is_named(cli, options):
    done = cli("daemonize", *options, "--", "sleep", "100")
    assert done.returncode in (125, 126)
    assert "/no/such" in done.stderr and "No such file or directory" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("word", [["--wait-ready=soon"], ["--wait-ready=fd:x"], ["--timeout", "x"],
                                  ["--user", "nosuchuser"], ["--umask", "9"]])
def test_usage(cli, word):
    done = cli("daemonize", *word, "--", "true")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("fault", ["clone=EAGAIN@1", "clone=EAGAIN@2", "clone3=EAGAIN@1",
                                   "pipe2=EMFILE@1", "socketpair=EMFILE@1", "setsid=EPERM@1"])
def test_refused_by_the_kernel(cli, fault, fifo):
    """The first process fails where it can: it says so, and nothing stays."""
    hello, log = fifo(), fifo("log")
    done = cli("daemonize", "--", *play(f"hello:{hello}", "pause"),
               prefix=[INJECT, "--log", log, "--fault", fault, "--"])
    injected = any(line.startswith("injected") for line in log.lines(2))
    if injected and done.returncode != 0:
        assert done.returncode == 125 and len(done.stderr.splitlines()) == 1
    else:
        assert done.returncode == 0
        pid = hello.hello().pid
        procs.kill(pid)
        procs.wait_gone(pid)


# --- nohup


def test_nohup_keeps_the_directory_and_ignores_hup(start, fifo, scratch):
    report = fifo()
    b = start([BROOD, "daemonize", "--nohup", "--", *play(f"report:{report}", "pause")],
              cwd=scratch, stdout=subprocess.DEVNULL)
    assert b.wait() == 0
    seen = report.report()
    with pidfiles.ending(seen["pid"]) as pid:
        assert seen["cwd"] == str(scratch)
        assert int(seen["status"]["SigIgn"], 16) & 1 << (signal.SIGHUP - 1)
        os.kill(pid, signal.SIGHUP)
        assert procs.alive(pid)
        assert not (scratch / "nohup.out").exists()


def test_nohup_of_a_terminal_writes_nohup_out(start, fifo, scratch):
    report = fifo()
    master, slave = pty.openpty()
    b = start([BROOD, "daemonize", "--nohup", "--", *play("say:kept", f"report:{report}", "pause")],
              stdin=slave, stdout=slave, stderr=slave, cwd=scratch)
    assert b.wait() == 0
    seen = report.report()
    with pidfiles.ending(seen["pid"]):
        assert seen["fds"][1]["target"] == str(scratch / "nohup.out")
        assert seen["fds"][1]["flags"] & os.O_APPEND
        assert (scratch / "nohup.out").read_text() == "kept\n"
    os.close(master)
    os.close(slave)


def test_terminal_that_goes_away_harms_nothing(start, fifo):
    hello = fifo()
    master, slave = pty.openpty()
    b = start([BROOD, "daemonize", "--", *play(f"hello:{hello}", "pause")],
              stdin=slave, stdout=slave, stderr=slave)
    assert b.wait() == 0
    with pidfiles.ending(hello.hello().pid) as pid:
        os.close(slave)
        os.close(master)
        assert procs.alive(pid)
        assert procs.status(pid, "Pid") == str(pid)


def test_caller_that_reads_our_output_gets_its_end(scratch):
    """`x=$(brood daemonize …)` must not wait for the daemon."""
    done = subprocess.run([BROOD, "daemonize", "--pidfile", scratch / "pid", "--", WORKER, "pause"],
                          capture_output=True, timeout=10, env=environment(), check=False)
    assert done.returncode == 0
    with pidfiles.ending(pidfiles.number(scratch / "pid")):
        pass

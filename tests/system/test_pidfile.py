# SPDX-License-Identifier: MIT
"""`brood pidfile` and `brood run --daemon`: acting on a daemon by its lock, never by a number."""

import os
import shutil
import signal
import subprocess

import pytest

from harness import pidfiles, procs
from harness.probe import needs_root
from harness.settings import BROOD, WAIT, WORKER, environment, play


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


# Says who it is and what its standard output is, then makes this a file that it may not even read.
HOSTILE = """
import os, signal, sys
secret, hello = sys.argv[1:]
before = os.readlink("/proc/self/fd/1")
try:
    os.write(1, b"written")
except OSError:
    pass
os.dup2(os.open(secret, os.O_PATH), 1)
with open(hello, "w") as file:
    file.write(f"{os.getpid()} {os.getuid()} {before}\\n")
signal.pause()
"""


@needs_root
def test_restart_opens_no_file_for_the_user_that_is_root_s(cli, fifo, scratch):
    """A daemon chooses what its descriptors are; root must not open that for it."""
    hello, path, secret = fifo(), scratch / "pid", scratch / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    done = cli("daemonize", "--pidfile", path, "--user", "nobody", "--",
               "/usr/bin/python3", "-c", HOSTILE, secret, hello)
    assert done.returncode == 0, done.stderr
    _, uid, _ = hello.line().split()
    done = cli("pidfile", "restart", path)
    assert done.returncode == 0, done.stderr
    assert str(secret) in done.stderr and len(done.stderr.splitlines()) == 1
    pid, again, stdout = hello.line().split()
    with pidfiles.ending(int(pid)):
        assert again == uid != "0" and stdout == "/dev/null"
        assert secret.read_text() == "root's"
    procs.reap()


@needs_root
def test_restart_keeps_the_log_that_the_user_may_write(cli, fifo, scratch):
    report, path, log = fifo(), scratch / "pid", scratch / "log"
    log.touch()
    shutil.chown(log, "nobody")
    done = cli("daemonize", "--pidfile", path, "--user", "nobody", "--stdout", f"append:{log}",
               "--stderr", f"append:{log}", "--", *play(f"report:{report}", "pause"))
    assert done.returncode == 0, done.stderr
    before = report.report()
    done = cli("pidfile", "restart", path)
    assert done.returncode == 0 and done.stderr == ""
    after = report.report()
    with pidfiles.ending(after["pid"]):
        for key in ("uid", "euid", "gid", "egid", "groups"):
            assert after[key] == before[key], key
        assert after["fds"][1]["target"] == after["fds"][2]["target"] == str(log)
    procs.reap()


def refused(cli, path, pid, status):
    """A restart that must leave the process alone; what it says."""
    done = cli("pidfile", "restart", path)
    assert done.returncode == status, done.stderr
    assert f"process {pid} " in done.stderr and "still running" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert procs.alive(pid) and pidfiles.holder(path) == pid
    return done.stderr


@pytest.fixture
def copied(cli, fifo, scratch):
    """Daemonizes a copy of the worker from a directory of its own; pidfile, pid, both paths."""
    pids = []

    def function():
        hello, path = fifo(), scratch / "pid"
        program, directory = scratch / "program", scratch / "directory"
        shutil.copy(WORKER, program)
        directory.mkdir()
        done = cli("daemonize", "--pidfile", path, "--chdir", directory, "--",
                   program, f"hello:{hello}", "pause")
        assert done.returncode == 0, done.stderr
        pids.append(hello.hello().pid)
        return path, pids[-1], program, directory

    yield function
    for pid in pids:
        procs.kill(pid)
        procs.wait_gone(pid)


def test_restart_without_the_program_stops_nothing(cli, copied):
    path, pid, program, _ = copied()
    program.unlink()
    assert f"exec {program}: " in refused(cli, path, pid, 127)


def test_restart_of_what_is_not_executable_stops_nothing(cli, copied):
    path, pid, program, _ = copied()
    program.chmod(0o644)
    assert f"exec {program}: " in refused(cli, path, pid, 126)


def test_restart_without_the_directory_stops_nothing(cli, copied):
    path, pid, _, directory = copied()
    directory.rmdir()
    assert f"chdir {directory}" in refused(cli, path, pid, 126)


def test_restart_of_a_replaced_program(cli, fifo, scratch):
    """As an upgrade does it: another file under the same name."""
    report, path, program = fifo(), scratch / "pid", scratch / "program"
    shutil.copy(WORKER, program)
    done = cli("daemonize", "--pidfile", path, "--", program, f"report:{report}", "pause")
    assert done.returncode == 0, done.stderr
    before = report.report()
    shutil.copy(WORKER, scratch / "new")
    os.replace(scratch / "new", program)
    done = cli("pidfile", "restart", path)
    assert done.returncode == 0, done.stderr
    after = report.report()
    with pidfiles.ending(after["pid"]):
        assert after["argv"] == before["argv"] and after["pid"] != before["pid"]
        assert os.readlink(f"/proc/{after['pid']}/exe") == str(program)
    procs.reap()


def titled(*words):
    """A command under a name that is no file's."""
    return ["bash", "-c", 'exec -a "myapp: master" "$@"', "bash", *words]


def test_restart_of_a_program_under_another_name(cli, fifo, scratch):
    report, path = fifo(), scratch / "pid"
    done = cli("daemonize", "--pidfile", path, "--", *titled(*play(f"report:{report}", "pause")))
    assert done.returncode == 0, done.stderr
    before = report.report()
    done = cli("pidfile", "restart", path)
    assert done.returncode == 0, done.stderr
    after = report.report()
    with pidfiles.ending(after["pid"]):
        assert not procs.alive(before["pid"])
        assert procs.command(after["pid"]).startswith("myapp: master report:")
        assert os.readlink(f"/proc/{after['pid']}/exe") == os.path.realpath(WORKER)
    procs.reap()


def test_restart_of_a_program_that_overwrote_its_arguments_stops_nothing(cli, fifo, scratch):
    path, stdin = scratch / "pid", fifo()
    keep = os.open(str(stdin), os.O_RDWR)
    try:
        done = cli("daemonize", "--pidfile", path, "--stdin", f"file:{stdin}", "--", *titled("cat"))
        assert done.returncode == 0, done.stderr
        with pidfiles.ending(pidfiles.holder(path)) as pid:
            procs.until(lambda: procs.command(pid) == "myapp: master", "the title")
            assert "title" in refused(cli, path, pid, 4)
    finally:
        os.close(keep)


@needs_root
def test_restart_of_a_setuid_program_stops_nothing(cli, fifo, scratch):
    """Its user keeps the lock over exec, and chooses arguments and environment."""
    hello, path, program = fifo(), scratch / "pid", scratch / "setuid"
    shutil.copy(WORKER, program)
    program.chmod(0o4755)
    done = cli("daemonize", "--pidfile", path, "--user", "nobody", "--",
               program, f"hello:{hello}", "pause")
    assert done.returncode == 0, done.stderr
    with pidfiles.ending(hello.hello().pid) as pid:
        assert "setuid" in refused(cli, path, pid, 4)


def test_restart_of_what_ends_at_once_is_no_success(cli, fifo, scratch):
    path, mark, never = scratch / "pid", scratch / "mark", fifo()
    script = f"test -e {mark} && exit 1; : >{mark}; read line <{never}"
    done = cli("daemonize", "--pidfile", path, "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    procs.until(mark.exists, "the first start")
    done = cli("pidfile", "restart", path)
    assert done.returncode == 1 and "ended at once" in done.stderr
    assert done.stdout == "" and pidfiles.holder(path) is None
    procs.until(lambda: procs.reap() or not procs.children(), "the end")


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


@pytest.fixture
def copied_pool(loop, fifo, scratch):
    """`run --daemon` by a copy of brood; pidfile, pid, the copy and where workers say hello."""
    pids = []

    def function():
        hello, path, program = fifo(), scratch / "pool.pid", scratch / "brood"
        shutil.copy(BROOD, program)
        done = subprocess.run(
            [program, "run", f"--loop={loop}", "--daemon", "--pidfile", path, "--",
             *play(f"hello:{hello}", "pause")],
            env=environment(), capture_output=True, stdin=subprocess.DEVNULL, timeout=WAIT,
            check=False)
        assert done.returncode == 0, done.stderr
        pids.append(pidfiles.number(path))
        assert hello.hello().generation == 1
        return path, pids[-1], program, hello

    yield function
    for pid in pids:
        procs.kill(pid, signal.SIGTERM)
        procs.wait_gone(pid)


@pytest.mark.parametrize("replace", [True, False])
def test_roll_of_a_supervisor_whose_file_was_replaced(cli, copied_pool, replace):
    path, pid, program, hello = copied_pool()
    program.unlink()
    if replace:
        shutil.copy(BROOD, program)
    done = cli("pidfile", "restart", path)
    assert done.returncode == 0, done.stderr
    assert hello.hello().generation == 2
    assert procs.alive(pid) and pidfiles.holder(path) == pid


def test_supervisor_that_is_not_recognised_is_left_alone(cli, copied_pool):
    path, pid, program, hello = copied_pool()
    program.rename(program.with_name("older"))
    assert "brood" in refused(cli, path, pid, 4)
    assert hello.empty()


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

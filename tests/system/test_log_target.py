# SPDX-License-Identifier: MIT
"""Where brood's own log goes: files, syslog, the journal. Bounds and counts are tested in
tests/capture/test_own_log.c."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from harness import procs
from harness.config import pool, section
from harness.pidfiles import ending, number
from harness.settings import WAIT, play
from harness.up import write_config


def text_of(path):
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def await_text(path, pattern, b):
    """What the file has once it matches."""
    def look():
        text = text_of(path)
        return text if re.search(pattern, text) else None

    return procs.until(look, f"{pattern} in {path}, which has {text_of(path)!r}; {b.tail()}")


def events_in(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


# --- files


@pytest.mark.parametrize("words", [["--log-target", "file:{}"], ["--log-file", "{}"]])
def test_file(brood, scratch, words):
    log = scratch / "brood.log"
    log.write_text("before\n")
    b = brood("--name", "web", "--restart", "no", *(word.format(log) for word in words),
              cmd=["false"])
    assert b.wait() == 1
    before, *lines = log.read_text().splitlines()
    assert before == "before"
    assert [json.loads(line)["event"] for line in lines] == ["started", "exited", "given-up", "ended"]
    assert b.text() == ""


def test_relative_path(brood, scratch):
    b = brood("--log-file", "brood.log", cmd=["true"], cwd=scratch)
    assert b.wait() == 0
    assert events_in(scratch / "brood.log")[-1]["event"] == "ended"


def test_text_has_no_colours_there(brood, scratch):
    b = brood("--log-file", scratch / "log", "--name", "web", cmd=["true"], log=None)
    assert b.wait() == 0
    assert " web/0 " in (scratch / "log").read_text() and "\x1b" not in (scratch / "log").read_text()


def test_nowhere(brood):
    b = brood("--log-target", "null", cmd=["true"])
    assert b.wait() == 0
    assert b.text() == ""


def test_a_moved_file_is_opened_anew(brood, scratch, fifo):
    """As logrotate does it. The signal is brood's then, not for workers."""
    hello, log, moved = fifo(), scratch / "log", scratch / "log.1"
    b = brood("--log-file", log, "--log-level", "debug", "--backoff", "none",
              cmd=play(f"hello:{hello}", "pause"))
    pid = hello.hello().pid
    await_text(log, '"ready"', b)
    log.rename(moved)
    b.signal(signal.SIGUSR1)
    await_text(log, '"log-reopened"', b)
    procs.kill(pid)
    assert hello.hello().generation == 2
    assert b.stop() == 0
    assert [row["event"] for row in events_in(moved)] == ["started", "loop", "ready"]
    events = [row["event"] for row in events_in(log)]
    assert events[:4] == ["signal", "log-reopened", "exited", "started"] and events[-1] == "ended"


def test_the_signal_is_passed_on_where_that_is_asked_for(brood, scratch, fifo):
    hello, told, log = fifo(), fifo(), scratch / "log"
    b = brood("--log-file", log, "--forward", "USR1",
              cmd=play(f"tell:USR1={told}", f"hello:{hello}", "pause"))
    pid = hello.hello().pid
    await_text(log, '"ready"', b)
    log.rename(scratch / "log.1")
    b.signal(signal.SIGUSR1)
    assert told.line() == f"USR1 {pid}"
    procs.until(log.exists, "a new file")
    assert b.stop() == 0


def test_without_a_file_the_signal_is_the_workers(brood, fifo):
    hello, told = fifo(), fifo()
    b = brood(cmd=play(f"tell:USR1={told}", f"hello:{hello}", "pause"))
    pid = hello.hello().pid
    b.signal(signal.SIGUSR1)
    assert told.line() == f"USR1 {pid}"
    assert b.stop() == 0


def test_a_removed_file_is_made_anew(brood, scratch, fifo):
    hello, log = fifo(), scratch / "made/log"
    log.parent.mkdir()
    b = brood("--log-file", log, "--backoff", "none", cmd=play(f"hello:{hello}", "pause"))
    pid = hello.hello().pid
    await_text(log, '"ready"', b)
    log.unlink()
    log.parent.rmdir()
    procs.kill(pid)
    hello.hello()
    await_text(log, '"generation":2', b)
    assert b.stop() == 0


def in_namespace(*commands):
    """A prefix: after these, in a mount namespace of its own."""
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this user may mount nothing here")
    return ["unshare", "-m", "sh", "-c", " && ".join([*commands, 'exec "$0" "$@"'])]


def test_a_full_disk(brood, scratch, fifo):
    """Restarts go on, standard error says so once, and no line is lost."""
    hello, disk = fifo(), scratch / "disk"
    disk.mkdir()
    b = brood("--log-file", disk / "log", "--backoff", "none",
              cmd=play(f"hello:{hello}", "pause"),
              prefix=in_namespace(f"mount -t tmpfs -o size=16k none {disk}",
                                  f"head -c 12k /dev/zero >{disk}/filler"))
    worker = hello.hello()
    log = pathlib.Path(f"/proc/{b.pid}/root{disk}/log")
    for generation in range(2, 40):
        procs.kill(worker.pid)
        worker = hello.hello()
        assert worker.generation == generation
    trouble = b.wait_event("log-trouble")
    assert trouble["level"] == "error" and "No space left on device" in trouble["reason"]
    os.unlink(log.parent / "filler")
    b.wait_event("log-healed")
    await_text(log, '"started".*"generation":39', b)
    started = [row["generation"] for row in events_in(log) if row["event"] == "started"]
    assert started == list(range(1, 40))
    b.check_count(1, "log-trouble")
    assert b.stop() == 0


@pytest.mark.parametrize("path, reason", [
    ("no/such/log", "No such file or directory"), (".", "Is a directory"),
    ("/dev/zero", "not a regular file"),
])
@pytest.mark.parametrize("daemon", [[], ["--daemon"]])
def test_a_file_that_cannot_be(cli, scratch, path, reason, daemon):
    done = cli("run", *daemon, "--log-file", path, "--", "true", cwd=scratch)
    assert done.returncode == 125
    assert done.stderr == f"brood run: log file {path}: {reason}\n"


def test_daemon(cli, scratch):
    """What workers write to the same standard error stands between its lines."""
    os.mkfifo(scratch / "end")
    done = cli("run", "--daemon", "--name", "web", "--log-file", "log", "--timeout", "10s",
               "--pidfile", "pid", "--restart", "no", "--", "sh", "-c",
               f"echo mine >&2; read line <{scratch}/end", cwd=scratch)
    assert done.returncode == 0, done.stderr
    with ending(number(scratch / "pid")) as pid:
        (scratch / "end").write_text("\n")
        procs.wait_gone(pid)
    lines = (scratch / "log").read_text().splitlines()
    assert "mine" in lines and lines[-1].endswith(" web ended")
    assert sum("web/0" in line for line in lines) >= 3


# --- standard error


def test_a_pipe_costs_no_thread(brood, fifo):
    hello = fifo()
    b = brood(cmd=play(f"hello:{hello}", "pause"))
    hello.hello()
    b.wait_event("ready")
    assert threads(b.pid) == 2


def test_a_file_is_written_by_a_thread(brood, scratch, fifo):
    hello = fifo()
    with open(scratch / "err", "ab") as err:
        b = brood("--backoff", "none", stderr=err, cmd=play(f"hello:{hello}", "pause"))
    procs.kill(hello.hello().pid)
    hello.hello()
    await_text(scratch / "err", '"generation":2', b)
    assert threads(b.pid) == 3
    assert b.stop() == 0
    assert events_in(scratch / "err")[-1]["event"] == "ended"


# --- daemons


class Daemon:
    """A socket that reads datagrams, at a place where brood finds it in its namespace."""

    def __init__(self, path):
        self.path, self.socket = path, None

    def start(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(WAIT)
        self.socket.bind(str(self.path))

    def take(self):
        return self.socket.recv(1 << 20).decode()

    def take_until(self, word):
        """All up to the first that has the word."""
        taken = [self.take()]
        while word not in taken[-1]:
            taken.append(self.take())
        return taken


DEVICES = ["null", "zero", "full", "urandom"]


@pytest.fixture
def daemon(scratch):
    one = Daemon(scratch / "socket")
    yield one
    if one.socket:
        one.socket.close()


@pytest.fixture
def places(scratch):
    """The prefix for a namespace where the usual sockets are ours."""
    for name in ("dev", "run"):
        (scratch / name).mkdir()
    for name in DEVICES:
        (scratch / "dev" / name).touch()
    (scratch / "dev/log").symlink_to(scratch / "socket")
    (scratch / "run/systemd/journal").mkdir(parents=True)
    (scratch / "run/systemd/journal/socket").symlink_to(scratch / "socket")
    return in_namespace(*(f"mount --bind /dev/{name} {scratch}/dev/{name}" for name in DEVICES),
                        f"mount --rbind {scratch}/dev /dev", f"mount --bind {scratch}/run /run")


def test_syslog(brood, daemon, places):
    daemon.start()
    b = brood("--log-target", "syslog", "--name", "web", "--restart", "no", cmd=["false"], log=None,
              prefix=places)
    taken = daemon.take_until(" ended ")
    assert b.wait() == 1
    exited = [line for line in taken if " exited " in line]
    assert re.fullmatch(
        r"<30>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ brood " + str(b.pid) + r" exited "
        r'\[brood@32473 level="info" pool="web" worker="0" generation="1" pid="\d+"\] '
        r"web/0 \[\d+\] exited: exit status 1, after \S+", exited[0]), exited[0]
    assert any(line.startswith("<27>1 ") and " given-up " in line for line in taken)
    assert b.text() == ""


def test_journal(brood, daemon, places):
    daemon.start()
    b = brood("--log-target", "journal", "--name", "web", "--restart", "no", cmd=["false"],
              log=None, prefix=places)
    taken = [dict(line.split("=", 1) for line in one.splitlines())
             for one in daemon.take_until("BROOD_EVENT=ended")]
    assert b.wait() == 1
    by_event = {one["BROOD_EVENT"]: one for one in taken}
    given_up = by_event["given-up"]
    assert given_up.pop("MESSAGE").startswith("web/0 given-up: ")
    assert given_up == {
        "PRIORITY": "3", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "brood",
        "SYSLOG_PID": str(b.pid), "BROOD_EVENT": "given-up", "BROOD_POOL": "web",
        "BROOD_WORKER": "0", "BROOD_GENERATION": "1"}
    assert by_event["exited"]["PRIORITY"] == "6" and int(by_event["exited"]["BROOD_PID"]) > 0
    assert "BROOD_WORKER" not in by_event["ended"]


def test_json_to_a_daemon(brood, daemon, places):
    daemon.start()
    b = brood("--log-target", "journal", "--name", "web", cmd=["true"], prefix=places)
    taken = daemon.take_until("BROOD_EVENT=ended")
    assert b.wait() == 0
    rows = [json.loads(one.split("MESSAGE=", 1)[1]) for one in taken]
    assert [row["event"] for row in rows][:2] == ["started", "exited"]


@pytest.mark.parametrize("target", ["syslog", "journal"])
def test_a_daemon_that_comes_later(brood, daemon, places, fifo, target):
    """Said once on standard error; lines wait, restarts do not."""
    hello = fifo()
    b = brood("--log-target", target, "--name", "web", "--backoff", "none",
              cmd=play(f"hello:{hello}", "pause"), prefix=places)
    assert target in b.wait_event("log-trouble")["reason"]
    procs.kill(hello.hello().pid)
    assert hello.hello().generation == 2
    daemon.start()
    first = daemon.take()
    assert '"event":"started"' in first and '"generation":1' in first
    b.wait_event("log-healed")
    assert b.stop() == 0
    assert daemon.take_until('"event":"ended"')
    b.check_count(1, "log-trouble")


def test_a_daemon_that_never_comes(brood, places):
    b = brood("--log-target", "syslog", cmd=["true"], prefix=places)
    assert b.wait() == 0
    assert "syslog" in b.wait_event("log-lost")["reason"]


# --- configurations


def test_target_of_a_configuration(up, scratch, fifo):
    """A change of it is said, and waits for a new start; what else changed does not."""
    hello, log = fifo(), scratch / "log"
    web = pool("web", play(f"hello:{hello}", "pause"))
    u = up(section("Brood", LogTarget=f"file:{log}", LogFormat="text"), web, log=None)
    hello.hello()
    await_text(log, "web/0 .*ready\n", u)
    u.configure(section("Brood", LogTarget="journal", LogFormat="json"), web)
    done = u.ctl("reload")
    assert "LogTarget=" in done.out + done.err
    rows = await_text(log, '"event":"reload".*taken over.*\n', u).splitlines()
    assert any("LogTarget=" in row and '"level":"warning"' in row for row in rows)
    log.rename(scratch / "log.1")
    u.signal(signal.SIGUSR1)
    procs.until(log.exists, "a new file")
    assert u.stop() == 0
    assert u.text() == ""
    assert '"event":"ended"' in log.read_text()


def test_the_command_line_names_the_target(up, scratch):
    log, other = scratch / "log", scratch / "other"
    sections = section("Brood", LogTarget=f"file:{other}"), pool("web", play("pause"))
    u = up(*sections, options=["--log-file", log])
    await_text(log, '"ready"', u)
    u.configure(*sections)
    u.ctl("reload")
    assert "LogTarget" not in await_text(log, '"reload"', u)
    assert not other.exists()
    assert u.stop() == 0


@pytest.mark.parametrize("key, value, said", [
    ("LogLevel", "wraning", "did you mean 'warning'?"),
    ("LogFormat", "jsn", "did you mean 'json'?"),
    ("LogTarget", "sysloog", "did you mean 'syslog'?"),
    ("LogTarget", "file:relative", "expected stderr, file:/PATH, "),
])
def test_wrong_values(cli, scratch, key, value, said):
    conf = scratch / "etc/brood.conf"
    write_config(conf, section("Brood", **{key: value}))
    done = cli("check", conf)
    assert done.returncode == 1
    assert f"{key}=: expected" in done.stdout + done.stderr
    assert said in done.stdout + done.stderr

# SPDX-License-Identifier: MIT
"""The commands that ask a supervisor, against one that answers whatever a test wants it to."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from harness import procs
from harness.fake import SILENCE, Error, FakeSupervisor, cause, outcome, pool, status, worker
from harness.probe import needs_root
from harness.settings import BROOD, WAIT, environment


@pytest.fixture
def fake(scratch):
    """A fake supervisor with these answers to methods: fake(Status=…, Start=…)."""
    made = []

    def function(default=SILENCE, **answers):
        made.append(FakeSupervisor(scratch / f"socket{len(made)}", {None: default, **answers}))
        return made[-1]

    yield function
    for one in made:
        one.close()


@pytest.fixture
def ask(cli):
    """Runs a command against a fake supervisor: ask(fake, "stop", "web")."""

    def function(server, command, *words, **keywords):
        return cli(command, "--socket", server.path, *words, **keywords)

    return function


WEB = pool("web", [worker("web", 0), worker("web", 1, restarts=3, cause=cause())])
DB = pool("db", [worker("db", 0, state="failed", uptime=None, cause=cause("exit status 3", 3))],
          state="failed")


# Where the socket is.

def test_nothing_listens(cli, scratch):
    done = cli("status", "--socket", scratch / "nothing")
    assert done.returncode == 6
    assert str(scratch / "nothing") in done.stderr and "brood up" in done.stderr
    assert done.stdout == ""


def test_a_stale_socket_is_none(cli, scratch):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(scratch / "stale"))
    assert cli("status", "--socket", scratch / "stale").returncode == 6


def test_socket_of_the_environment(cli, fake):
    server = fake(Status=status(WEB))
    assert cli("status", env=environment(BROOD_SOCKET=server.path)).returncode == 0


def test_socket_of_the_runtime_directory(cli, scratch, fake):
    (scratch / "brood").mkdir()
    server = FakeSupervisor(scratch / "brood/control.sock", {"Status": status(WEB)})
    try:
        done = cli("status", env=environment(XDG_RUNTIME_DIR=str(scratch)))
        other = fake(Status=status(DB))
        named = cli("status", env=environment(XDG_RUNTIME_DIR=str(scratch),
                                              BROOD_SOCKET=other.path))
    finally:
        server.close()
    assert "web" in done.stdout
    assert "db" in named.stdout and "web" not in named.stdout


def test_both_usual_places_are_named(cli, scratch):
    done = cli("status", env=environment(XDG_RUNTIME_DIR=str(scratch)))
    if done.returncode == 6:
        assert str(scratch) in done.stderr and "/run/brood/control.sock" in done.stderr


def test_path_that_is_too_long(cli):
    done = cli("status", "--socket", "/" + "x" * 200)
    assert done.returncode == 2 and "too long" in done.stderr


@needs_root
def test_permission_denied(fake, scratch):
    server = fake(Status=status(WEB))
    os.chmod(server.path, 0o600)
    done = subprocess.run([BROOD, "status", "--socket", server.path], user=65534, group=65534,
                          extra_groups=[], capture_output=True, text=True, timeout=WAIT,
                          env=environment(), cwd="/", check=False)
    assert done.returncode == 5
    assert "permission denied" in done.stderr and "root" in done.stderr


# What a supervisor says.

def test_status_of_all(ask, fake):
    done = ask(fake(Status=status(WEB, DB)), "status")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and done.stderr == ""
    assert lines[0].split()[:4] == ["NAME", "STATE", "READY", "PID"]
    assert lines[1].split()[:3] == ["web", "up", "2/2"]
    assert lines[1].endswith("/1: killed by SIGSEGV")
    assert lines[2].split()[:3] == ["db", "failed", "0/1"]
    assert lines[2].endswith("exit status 3")
    assert len(lines) == 3
    assert "\033" not in done.stdout


def test_columns_are_aligned(ask, fake):
    lines = ask(fake(Status=status(WEB, DB)), "status").stdout.splitlines()
    begin = lines[0].index("STATE")
    assert [line[begin:].split()[0] for line in lines] == ["STATE", "up", "failed"]
    end = lines[0].index("RESTARTS") + len("RESTARTS")
    assert [line[:end].split()[-1] for line in lines] == ["RESTARTS", "3", "0"]


def test_wide_characters_keep_columns_straight(ask, fake):
    words = [worker("web", 0, state="日本語"), worker("web", 1, state="ready")]
    lines = ask(fake(Status=status(pool("web", words))), "status", "web").stdout.splitlines()
    rows = [line for line in lines if "web/" in line]
    # Three characters that take six columns; the dash is the pid.
    assert rows[0].index(" - ") == rows[1].index(" - ") - 3


def test_status_of_a_pool_lists_workers(ask, fake):
    server = fake(Status=status(WEB, DB))
    done = ask(server, "status", "web")
    assert "web/0" in done.stdout and "web/1" in done.stdout and "db" not in done.stdout
    assert "/etc/brood/web.conf:3" in done.stdout
    assert server.asked("Status") == [{"pool": "web"}]


def test_status_of_a_worker(ask, fake):
    server = fake(Status=status(WEB))
    done = ask(server, "status", "web/1")
    assert done.stdout.startswith("web/1: ready")
    assert "killed by SIGSEGV" in done.stdout and "web/0" not in done.stdout
    assert server.asked("Status") == [{"pool": "web", "worker": 1}]


def test_status_of_several(ask, fake):
    done = ask(fake(Status=status(WEB, DB)), "status", "db", "web/0")
    assert done.stdout.index("db/0") < done.stdout.index("web/0")


def test_status_as_json(ask, fake):
    done = ask(fake(Status=status(WEB, DB)), "status", "--json")
    result = json.loads(done.stdout)
    assert [one["name"] for one in result["pools"]] == ["web", "db"]
    assert result["brood"]["version"] == "0.1.0"
    assert done.stdout.count("\n") == 1


def test_usage_is_that_of_the_whole_tree(ask, fake, start, fifo):
    hello = fifo()
    tree = start(["sh", "-c", 'sleep 1000 & sleep 1000 & echo $$ >"$1"; wait', "sh", str(hello)])
    pid = int(hello.line())
    server = fake(Status=status(pool("web", [worker("web", 0, pid=pid), worker("web", 1)])))
    found = json.loads(ask(server, "status", "web", "--json").stdout)["pools"][0]
    first, second = found["workers_list"]
    assert first["processes"] == 3 and second["processes"] == 0
    assert first["memory"] >= 3 * 4096 and found["memory"] == first["memory"]
    assert first["cpu"] >= 0
    for child in procs.children(pid):
        procs.kill(child)
    assert tree.wait() is not None


def test_usage_counts_whom_the_cgroup_knows(ask, fake, scratch):
    """A process that has lost its parents is in no tree, but in the cgroup."""
    orphan = subprocess.Popen(["sleep", "1000"])
    try:
        (scratch / "cgroup.procs").write_text(f"{orphan.pid}\n")
        one = worker("web", 0, cgroup=str(scratch))
        two = worker("web", 1, cgroup=str(scratch / "nothing"))
        server = fake(Status=status(pool("web", [one, two])))
        found = json.loads(ask(server, "status", "--json").stdout)["pools"][0]["workers_list"]
    finally:
        orphan.kill()
        orphan.wait()
    assert [one["processes"] for one in found] == [1, 0]


def test_cpu_time_is_counted(ask, fake):
    busy = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        server = fake(Status=status(pool("web", [worker("web", 0, pid=busy.pid)])))
        used = []

        def grown():
            reply = json.loads(ask(server, "status", "--json").stdout)
            used.append(reply["pools"][0]["cpu"])
            return used[-1] >= 0.1

        procs.until(grown, "a tenth of a second of CPU time")
    finally:
        busy.kill()
        busy.wait()
    assert used == sorted(used)


def test_nothing_reaches_the_terminal_from_outside(ask, fake):
    evil = worker("web", 0, status="\033]0;gotcha\a\u009b2J\nweb/7 ready")
    done = ask(fake(Status=status(pool("web", [evil]))), "status", "web", "web/0")
    assert not any(c in done.stdout for c in "\033\a\u009b")
    assert "\\x1b]0;gotcha\\x07" in done.stdout and "\\nweb/7" in done.stdout


def test_a_supervisor_that_says_little(ask, fake):
    done = ask(fake(Status={"pools": [{}, {"workers_list": [{}]}, {"workers_list": 7}]}), "status")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 4


# Errors and their statuses.

@pytest.mark.parametrize("error, status_wanted, word", [
    (Error("io.brood.NoSuchPool", pool="wbe", known=["db", "web"]), 4, "did you mean 'web'"),
    (Error("io.brood.NoSuchPool", pool="quux", known=["web"]), 4, "quux"),
    (Error("io.brood.NoSuchWorker", pool="web", worker=9), 4, "web/9"),
    (Error("io.brood.PermissionDenied", text="only root may"), 5, "only root may"),
    (Error("io.brood.Busy", text="a roll is under way"), 8, "a roll is under way"),
    (Error("io.brood.NotPossible", text="it is stopped"), 8, "it is stopped"),
    (Error("io.brood.TimedOut", text="web/1 is starting", outcomes=[]), 7, "web/1 is starting"),
    (Error("org.varlink.service.MethodNotFound", method="x"), 125, "version"),
    (Error("org.varlink.service.InvalidParameter", parameter="pools"), 2, "pools"),
    (Error("com.example.Unheard"), 125, "com.example.Unheard"),
])
@pytest.mark.parametrize("command", ["restart", "status"])
def test_errors(ask, fake, command, error, status_wanted, word):
    done = ask(fake(error), command, "web")
    assert done.returncode == status_wanted
    assert word in done.stderr and done.stderr.startswith(f"brood {command}: ")
    assert done.stdout == ""


def test_invalid_configuration(ask, fake):
    error = Error("io.brood.InvalidConfig", errors=["a.conf:3: error: no", "a.conf:9: error: no"])
    done = ask(fake(ReloadConfig=error), "reload")
    assert done.returncode == 1
    assert done.stderr.splitlines()[:2] == ["a.conf:3: error: no", "a.conf:9: error: no"]


def test_time_out_shows_what_has_been_done(ask, fake):
    error = Error("io.brood.TimedOut", text="", outcomes=[outcome("web", "stopped", 0)])
    done = ask(fake(Stop=error), "stop", "web", "--timeout", "1s")
    assert done.returncode == 7 and done.stdout == "web/0: stopped\n"


# What does not work at all.

@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n\0", b"\0", b"[]\0", b"{}}\0", b"\xff\xfe\0",
    b'{"error":7}\0', b'{"parameters":[]}\0', b"[" * 100000 + b"\0",
], ids=["http", "empty", "array", "rest", "bytes", "error", "parameters", "deep"])
def test_garbage(ask, fake, raw):
    done = ask(fake(raw), "status")
    assert done.returncode == 125 and "Varlink" in done.stderr


@pytest.mark.parametrize("raw", [b"", b'{"parameters":{"po', b'{"parameters":{}}'],
                         ids=["none", "half", "no-end"])
@pytest.mark.parametrize("command", ["status", "stop", "shutdown"])
def test_the_supervisor_goes_away(ask, fake, command, raw):
    words = ["web"] if command == "stop" else []
    done = ask(fake(raw), command, *words)
    assert done.returncode == 6 and "closed the connection" in done.stderr


def test_a_reply_in_pieces(ask, fake):
    """Each byte by itself; the client must put them together."""
    text = FakeSupervisor.encode({"outcomes": [outcome("web", "stöpped")]}, False)
    server = fake(Stop=[text[i:i + 1] for i in range(len(text))])
    server.answer = lambda connection, call: [connection.sendall(text[i:i + 1])
                                              for i in range(len(text))]
    assert ask(server, "stop", "web").stdout == "web: stöpped\n"


def test_large_replies(ask, fake):
    """2000 workers with a long status each: several megabytes."""
    many = pool("web", [worker("web", i, status="x" * 2000) for i in range(2000)])
    done = ask(fake(Status=status(many)), "status", "--json")
    assert len(json.loads(done.stdout)["pools"][0]["workers_list"]) == 2000


def test_silence_has_an_end(ask, fake):
    began = time.monotonic()
    done = ask(fake(Stop=SILENCE), "stop", "web", "--timeout", "200ms")
    assert done.returncode == 7 and "has not answered" in done.stderr
    assert 0.2 <= time.monotonic() - began < WAIT


def test_half_an_answer_has_an_end(ask, fake):
    server = fake()
    server.answer = lambda connection, call: connection.sendall(b'{"parameters":{}')
    done = ask(server, "wait", "web", "--timeout", "200ms")
    assert done.returncode == 7


@pytest.mark.deadline(60)
def test_a_supervisor_that_takes_no_connections(cli, scratch):
    """As a stopped one with a full backlog does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(scratch / "full"))
        listener.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for one in waiting:
            one.setblocking(False)
            try:
                one.connect(str(scratch / "full"))
            except BlockingIOError:
                pass
        began = time.monotonic()
        process = subprocess.Popen([BROOD, "status", "--socket", str(scratch / "full")],
                                   env=environment(), stderr=subprocess.PIPE, text=True)
        assert process.wait(timeout=50) == 7
        assert time.monotonic() - began >= 5
        assert "does not take connections" in process.stderr.read()
        process.stderr.close()
        for one in waiting:
            one.close()


# What is asked for.

@pytest.mark.parametrize("command, method", [
    ("start", "Start"), ("stop", "Stop"), ("restart", "Restart"), ("reload", "ReloadPool")])
def test_changes(ask, fake, command, method):
    server = fake({"outcomes": [outcome("web", "done, 2 of 2 ready"), outcome("db", "done")]})
    done = ask(server, command, "web", "db", "--timeout", "1500ms")
    assert done.returncode == 0
    assert done.stdout == "web: done, 2 of 2 ready\ndb: done\n"
    parameters = {"pools": ["web", "db"], "wait": True, "timeout": 1.5}
    if command == "restart":
        parameters["rolling"] = False
    assert server.calls == [(method, parameters)]


def test_no_wait(ask, fake):
    server = fake({"outcomes": []})
    assert ask(server, "restart", "--rolling", "--no-wait", "web").returncode == 0
    assert server.calls == [("Restart", {"pools": ["web"], "wait": False, "rolling": True})]


def test_all(ask, fake):
    server = fake({"outcomes": []})
    assert ask(server, "stop", "--all").returncode == 0
    assert server.asked("Stop") == [{"pools": [], "wait": True}]


def test_nothing_named_is_not_all(ask, fake):
    server = fake({"outcomes": []})
    assert ask(server, "stop").returncode == 2
    assert ask(server, "stop", "--all", "web").returncode == 2
    assert server.calls == []


def test_workers_side_by_side(ask, fake):
    """No call waits for another: the first is answered when the last has been made."""
    server = fake()

    def answer(parameters):
        procs.until(lambda: len(server.asked("Stop")) == 3, "the other calls")
        return {"outcomes": [outcome(parameters["pools"][0], "stopped", parameters.get("worker"))]}

    server.answers["Stop"] = answer
    done = ask(server, "stop", "web/0", "db", "web/1")
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == ["db: stopped", "web/0: stopped", "web/1: stopped"]


def test_one_failure_is_the_status(ask, fake):
    replies = {"outcomes": [outcome("web", "ready", 0),
                            outcome("web", "exit status 1, gave up", 1, ok=False)]}
    done = ask(fake(Start=replies), "start", "web")
    assert done.returncode == 1
    assert done.stdout == "web/0: ready\n"
    assert done.stderr == "brood start: web/1: exit status 1, gave up\n"


def test_outcomes_as_json(ask, fake):
    server = fake(Start=lambda parameters: {"outcomes": [outcome(parameters["pools"][0], "ready")]})
    done = ask(server, "start", "--json", "web", "db/0")
    assert {one["pool"] for one in json.loads(done.stdout)["outcomes"]} == {"web", "db"}


def test_reload_of_the_configuration(ask, fake):
    change = {"pool": "web", "what": "rolled", "ok": True, "text": "rolled"}
    server = fake(ReloadConfig={"changes": [change], "warnings": ["a.conf:1: warning: odd"]})
    done = ask(server, "reload")
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "web: rolled\n", "a.conf:1: warning: odd\n")
    assert server.asked("ReloadConfig") == [{"wait": True}]


@pytest.mark.parametrize("word, parameters", [
    ("8", {"workers": 8}), ("+2", {"by": 2}), ("-2", {"by": -2}), ("0", {"workers": 0})])
def test_scale(ask, fake, word, parameters):
    server = fake({"outcomes": []})
    assert ask(server, "scale", "web", word).returncode == 0
    assert server.asked("Scale") == [{"pool": "web", "wait": True, **parameters}]


@pytest.mark.parametrize("words", [[], ["web"], ["web", "x"], ["web", "1", "2"], ["web/0", "1"],
                                   ["web", "99999999999"], ["web", "-"]])
def test_scale_needs_a_pool_and_a_number(ask, fake, words):
    server = fake({"outcomes": []})
    assert ask(server, "scale", *words).returncode == 2
    assert server.calls == []


@pytest.mark.parametrize("words", [["web", "USR1"], ["-s", "USR1", "web"]])
def test_signal(ask, fake, words):
    server = fake({"outcomes": []})
    assert ask(server, "signal", *words).returncode == 0
    assert server.asked("Signal") == [{"pools": ["web"], "signal": "USR1"}]


@pytest.mark.parametrize("words", [["web", "NOPE"], ["USR1"], [], ["-s", "NOPE", "web"]])
def test_signal_needs_a_target_and_a_signal(ask, fake, words):
    server = fake({"outcomes": []})
    assert ask(server, "signal", *words).returncode == 2
    assert server.calls == []


def test_wait(ask, fake):
    server = fake({"outcomes": [outcome("web", "stopped")]})
    done = ask(server, "wait", "web", "--for=stopped", "--timeout", "5")
    assert done.returncode == 0
    assert server.asked("Wait") == [{"pools": ["web"], "for": "stopped", "timeout": 5.0}]
    assert ask(server, "wait", "web", "--for=happy").returncode == 2


@pytest.mark.parametrize("command", ["status", "start"])
@pytest.mark.parametrize("word", ["web/", "/1", "web/x", "web/-1", "web/99999999999", "x" * 300])
def test_what_is_no_target(ask, fake, command, word):
    server = fake({"outcomes": []})
    assert ask(server, command, word).returncode == 2
    assert server.calls == []


# Events.

def event(number, **more):
    return {"event": {"seq": number, "event": "started", "pool": "web", **more}}


def test_events(ask, fake):
    server = fake(Events=[event(1), event(2, cause="ö"), {}])
    done = ask(server, "events", "web")
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [1, 2]
    assert done.returncode == 0 and "ö" in done.stdout
    assert server.asked("Events") == [{"follow": False, "pools": ["web"]}]


def test_events_come_as_they_happen(fake):
    server = fake(Events=[event(1), event(2), SILENCE])
    process = subprocess.Popen([BROOD, "events", "--follow", "--socket", server.path],
                               env=environment(), stdout=subprocess.PIPE, text=True)
    assert [json.loads(process.stdout.readline())["seq"] for _ in range(2)] == [1, 2]
    assert process.poll() is None
    process.stdout.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT) == -signal.SIGTERM


def test_events_end_with_the_supervisor(ask, fake):
    server = fake()
    server.answer = lambda connection, call: (
        connection.sendall(FakeSupervisor.encode(event(1), True)),
        connection.shutdown(socket.SHUT_RDWR))
    done = ask(server, "events", "--follow")
    assert done.returncode == 6 and len(done.stdout.splitlines()) == 1


# Shutdown.

def test_shutdown_waits_for_the_end_of_the_process(fifo, scratch, cli):
    """The answer comes first; the command returns when the process is gone."""
    path, ended = scratch / "socket", scratch / "ended"
    code = ("import socket, sys, time, pathlib\n"
            "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"
            "print(flush=True)\n"
            "c, _ = s.accept(); c.recv(9999); c.sendall(b'{\"parameters\":{}}\\0'); c.close()\n"
            "time.sleep(.3); pathlib.Path(sys.argv[2]).touch()\n")
    process = subprocess.Popen(["/usr/bin/python3", "-c", code, str(path), str(ended)],
                               stdout=subprocess.PIPE)
    process.stdout.readline()
    done = cli("shutdown", "--socket", path)
    assert done.returncode == 0 and ended.exists()
    process.wait(WAIT)
    process.stdout.close()


def test_shutdown_without_waiting(ask, fake):
    server = fake(Shutdown={})
    assert ask(server, "shutdown", "--no-wait").returncode == 0
    assert server.asked("Shutdown") == [{"wait": False}]


# At hand.

COMMANDS = ["status", "start", "stop", "restart", "reload", "reset", "scale", "signal", "wait",
            "events", "top", "shutdown"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help(cli, command):
    done = cli(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    for word in (f"usage: brood {command} ", "--socket", "Exit status:", "Examples:"):
        assert word in done.stdout
    assert cli("help", command).stdout == done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_help_names_every_command(cli):
    text = cli("help").stdout
    assert all(f"\n  {command} " in text for command in COMMANDS)


def test_options_after_words(ask, fake):
    server = fake({"outcomes": []})
    assert ask(server, "stop", "web", "--no-wait", "--", "--json").returncode == 0
    assert server.asked("Stop") == [{"pools": ["web", "--json"], "wait": False}]

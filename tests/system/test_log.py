# SPDX-License-Identifier: MIT
"""What brood says, in which shape, and that saying it never holds it up."""

import json
import os
import pty
import re
import subprocess

import pytest

from harness import procs
from harness.config import pool, section
from harness.settings import around, play

TEXT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (\S+?)(?:/(\d+))? (?:\[(\d+)\] )?(\S.*)")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
CRASHER = play("until:2", "(", "exit:3", ")", "exit:0")


def test_text_lines(brood):
    b = brood("-n", 2, "--name", "web", "--backoff", "10ms", cmd=CRASHER, log="text")
    assert b.wait() == 0
    seen = {"0": [], "1": []}
    for line in b.text().splitlines():
        match = TEXT.fullmatch(line)
        assert match, line
        assert match[1] in ("web", "brood"), line
        if match[2]:
            seen[match[2]].append((match[3], match[4]))
    for rows in seen.values():
        assert sum(what.startswith("started") for _, what in rows) == 3
        assert all(pid for pid, what in rows if what.startswith("started"))
        assert any("3" in what for _, what in rows if what.startswith("exited"))


def test_text_is_the_default(brood):
    b = brood("--name", "web", cmd=["true"], log=None)
    b.wait()
    assert TEXT.fullmatch(b.text().splitlines()[0])[1] == "web"


def test_name_is_the_commands_by_default(brood):
    b = brood(cmd=["/bin/true"], log="json")
    b.wait()
    assert {row["pool"] for row in b.events if "pool" in row} == {"true"}


def test_json_lines(brood):
    b = brood("-n", 2, "--name", "web", "--backoff", "10ms", cmd=CRASHER)
    assert b.wait() == 0
    for line in b.text().splitlines():
        row = json.loads(line)
        assert TIME.fullmatch(row["time"])
        assert isinstance(row["event"], str)
    for row in b.select_events("started"):
        assert row["pool"] == "web" and row["worker"] in (0, 1)
        assert row["generation"] in (1, 2, 3) and row["pid"] > 0
    exits = b.select_events("exited", worker=0)
    assert [row["generation"] for row in exits] == [1, 2, 3]
    assert all("cause" in row for row in exits)
    assert [row["pid"] for row in exits] == [row["pid"] for row in
                                             b.select_events("started", worker=0)]


@pytest.mark.parametrize("words, word", [("exit:3", "3"), ("raise:SEGV", "SEGV"),
                                         ("raise:KILL", "KILL"), ("exit:0", "0")])
def test_cause_of_an_exit(brood, words, word):
    b = brood("--restart", "no", cmd=play(words))
    b.wait()
    assert word in b.select_events("exited")[0]["cause"]


def test_events_come_in_an_order_that_makes_sense(brood):
    b = brood("-n", 3, "--backoff", "5ms..10ms", cmd=play("until:3", "(", "exit:1", ")"))
    assert b.wait() == 0
    for worker in range(3):
        kinds = [row["event"] for row in b.events if row.get("worker") == worker]
        runs = [kind for kind in kinds if kind in ("started", "exited")]
        assert runs == ["started", "exited"] * 4, kinds
        assert kinds[-1] in ("done", "stopped", "exited"), kinds


def test_quiet(brood):
    b = brood("-n", 2, "-q", "--backoff", "none", cmd=CRASHER, log="text")
    assert b.wait() == 0
    assert b.text() == ""


@pytest.mark.parametrize("directory", ['/no/"quoted"\\', "/no/new\nline\ttab", "/no/\x1b[31mred",
                                       "/no/ümläut", b"/no/\xff\xfe"])
@pytest.mark.parametrize("log", ["json", "text"])
def test_hostile_names_break_no_line(brood, directory, log):
    b = brood("--restart", "no", "--name", "web", "--chdir", os.fsdecode(directory), cmd=["true"],
              log=log)
    b.wait()
    assert b.text()
    for line in b.stderr.splitlines():
        if log == "json":
            json.loads(line.decode())
        else:
            assert line.startswith(b"2") and b"\x1b" not in line, line


# --- nobody reads


def full_pipe():
    """A pipe that takes not one byte more, blocking, as a stuck terminal or log shipper."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    for piece in (b"x" * 65536, b"x"):
        try:
            while True:
                os.write(write_end, piece)
        except BlockingIOError:
            pass
    os.set_blocking(write_end, True)
    return read_end, write_end


def test_nobody_reads_the_log(brood, fifo):
    hello = fifo()
    read_end, write_end = full_pipe()
    b = brood("-n", 2, "--backoff", "none", stderr=write_end, cmd=play(f"hello:{hello}", "pause"))
    pids = {h.worker: h.pid for h in hello.hellos(2)}
    for generation in range(2, 12):
        procs.kill(pids[0])
        again = hello.hello()
        assert again[1:] == (0, generation)
        pids[0] = again.pid
    assert os.get_blocking(write_end), "brood changed the open file that it shares with others"
    assert b.stop() == 0
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize("log", ["json", "text"])
def test_a_reader_that_comes_late_gets_whole_lines(brood, fifo, log):
    hello = fifo()
    read_end, write_end = full_pipe()
    b = brood("-n", 2, "--backoff", "none", stderr=write_end, log=log,
              cmd=play("until:40", "(", "exit:1", ")", f"hello:{hello}", "pause"))
    hello.hellos(2)
    os.set_blocking(read_end, False)
    while True:
        try:
            os.read(read_end, 65536)
        except BlockingIOError:
            break
    procs.kill(b.pids()[0])
    hello.hello()
    assert b.stop() == 0
    data = b""
    os.close(write_end)
    while piece := os.read(read_end, 65536):
        data += piece
    os.close(read_end)
    for line in data.lstrip(b"x").splitlines():
        json.loads(line) if log == "json" else TEXT.fullmatch(line.decode())[0]


def test_a_reader_that_goes_away(brood, fifo):
    """EPIPE and SIGPIPE are no reason to end."""
    hello = fifo()
    read_end, write_end = os.pipe()
    b = brood("--backoff", "none", stderr=write_end, cmd=play(f"hello:{hello}", "pause"))
    os.close(write_end)
    pid = hello.hello().pid
    os.close(read_end)
    for _ in range(3):
        procs.kill(pid)
        pid = hello.hello().pid
    assert b.stop() == 0


def test_log_on_a_full_disk(brood, fifo):
    hello = fifo()
    with open("/dev/full", "w") as full:
        b = brood("--backoff", "none", stderr=full, cmd=play(f"hello:{hello}", "pause"))
    procs.kill(hello.hello().pid)
    assert hello.hello().generation == 2
    assert b.stop() == 0


def test_closed_stderr_gets_nothing_of_brood(brood, fifo, scratch):
    """With fd 2 closed, a file that brood or a worker opens must not become the log."""
    hello, out = fifo(), scratch / "out"
    b = brood("--stdout", f"append:{out}", "--backoff", "none", prefix=around("close:2"),
              cmd=play(f"hello:{hello}", "until:3", "(", "exit:1", ")", "say:done"))
    assert b.wait() == 0
    assert [h.generation for h in hello.hellos(4)] == [1, 2, 3, 4]
    assert out.read_text() == "done\n"


def test_log_to_a_terminal_has_text(brood, fifo):
    master, slave = pty.openpty()
    b = brood("--name", "web", stderr=slave, log=None, cmd=["true"], stdout=subprocess.DEVNULL)
    os.close(slave)
    assert b.wait() == 0
    data = b""
    try:
        while piece := os.read(master, 4096):
            data += piece
    except OSError:
        pass
    os.close(master)
    assert b"web/0" in data and b"started" in data


# --- levels

ERRORS = {"spawn-failed", "given-up", "leftover", "restart-limit", "roll-failed"}
WARNINGS = {"backoff", "killing", "reload-failed", "unheard"}
DEBUG = {"loop", "signal"}


def level_of(kind):
    return ("error" if kind in ERRORS else "warning" if kind in WARNINGS else
            "debug" if kind in DEBUG else "info")


# Fails for good in the end, after restarts with and without a delay.
HOPELESS = ["-n", 2, "--backoff", "1ms", "--start-limit", "3/1h"]


def test_each_line_has_its_level(brood):
    b = brood(*HOPELESS, "--log-level", "debug", cmd=["false"])
    b.wait()
    rows = [json.loads(line) for line in b.text().splitlines()]
    assert {row["event"] for row in rows} >= {"started", "exited", "backoff", "given-up", "loop"}
    for row in rows:
        assert row["level"] == level_of(row["event"]), row


@pytest.mark.parametrize("words, told", [
    ([], {"error", "warning", "info"}),
    (["-q"], {"error"}),
    (["--log-level", "error"], {"error"}),
    (["--log-level=crit"], {"error"}),
    (["--log-level", "warning"], {"error", "warning"}),
    (["--log-level", "4"], {"error", "warning"}),
    (["--log-level", "info"], {"error", "warning", "info"}),
    (["--log-level", "notice"], {"error", "warning", "info"}),
    (["--log-level", "debug"], {"error", "warning", "info", "debug"}),
    (["-q", "--log-level", "warn"], {"error", "warning"}),
])
def test_a_level_tells_itself_and_what_is_graver(brood, words, told):
    b = brood(*HOPELESS, *words, cmd=["false"])
    b.wait()
    assert {row["level"] for row in b.events} == told
    assert len(b.select_events("given-up")) == 2


def test_a_signal_is_told_to_who_wants_to_know(brood, fifo):
    hello = fifo()
    b = brood("--log-level", "debug", cmd=play(f"hello:{hello}", "pause"))
    hello.hello()
    assert b.stop() == 0
    b.check_count(1, "signal", reason="SIGTERM")


def test_level_of_a_configuration(up):
    """A reload changes it, both ways."""
    u = up(section("Brood", LogLevel="warning"), pool("web", play("pause")))
    u.wait_listening()
    assert u.events == []
    u.configure(section("Brood", LogLevel="debug"), pool("web", play("pause")))
    u.ctl("reload")
    u.wait_event("reload", level="info", reason="taken over")
    u.check_count(1, "configuration", level="debug")
    u.configure(section("Brood", LogLevel="err"), pool("web", play("pause")))
    u.ctl("reload")
    u.configure(section("Brood", LogLevel="nope"), pool("web", play("pause")))
    assert u.ctl("reload", status=None).status != 0
    u.wait_event("reload", level="error")
    u.check_count(1, "reload", level="info")
    u.check_count(1, "configuration", level="error")


def test_the_command_line_knows_better_than_the_configuration(up):
    u = up(section("Brood", LogLevel="error"), pool("web", play("pause")),
           options=["--log-level", "debug"])
    u.wait_event("loop")
    u.ctl("reload")
    u.wait_event("reload", level="info")


def test_who_changes_something_is_told_to_who_wants_to_know(up):
    u = up(pool("web", play("pause")), options=["--log-level", "debug"])
    u.ctl("status")
    client = u.start_ctl("reload")
    assert client.finish().status == 0
    reason = f"ReloadConfig, by user {os.getuid()}, process {client.process.pid}"
    u.check_count(1, "call", level="debug", reason=reason)
    u.check_count(1, "call")

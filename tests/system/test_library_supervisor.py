# SPDX-License-Identifier: MIT
"""The embeddable supervisor, in a program with a poll(2) loop of its own (tests/api/embed.c)."""

import errno
import queue
import signal
import subprocess
import threading

import pytest

from harness import procs
from harness.settings import WAIT, play
from library import launch, program  # noqa: F401

class Embedded:
    """tests/api/embed.c, spoken to a line at a time."""

    def __init__(self, process):
        self.process = process
        self.events = []
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def line(self):
        line = self.lines.get(timeout=WAIT)
        assert line is not None, "it ended"
        return line

    def answer(self):
        """The next line that is no event."""
        while True:
            line = self.line()
            if not line.startswith("event "):
                return line
            self.events.append(line)

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def ask(self, *words):
        self.say(*words)
        return self.answer()

    def event(self, *words):
        """The next event that begins with these words; what follows them."""
        prefix = " ".join(map(str, ("event", *words)))
        while True:
            line = self.events.pop(0) if self.events else self.line()
            if line.startswith(prefix):
                return line.removeprefix(prefix).strip()

    def free(self):
        assert self.ask("free") == f"freed {errno.ECHILD}", "no child is left, not even a zombie"
        assert self.process.wait(WAIT) == 0


@pytest.fixture
def embedded(launch, program, loop):
    return Embedded(launch(program("api-embed"), loop, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True))


def test_a_pool_lives_and_is_stopped(embedded, fifo):
    hello, report = fifo(), fifo()
    assert embedded.ask("pool", "web", 2, "--", *play(f"hello:{hello}", "pause")) == "pool 0"
    assert embedded.ask("ended", "all") == "result 1"
    assert embedded.ask("start", 0) == "result 0"
    first = {row.worker: row for row in hello.hellos(2)}
    assert sorted(first) == [0, 1]
    assert embedded.ask("workers", "all") == "result 2"
    assert embedded.ask("ended", 0) == "result 0"
    assert embedded.ask("status", 0) == f"result -{errno.EBUSY}"
    embedded.event("ready web 0")
    state = embedded.ask("worker", 0, 0).split("|")
    assert state == [f"worker ready 1 {first[0].pid} 1 0 0", ""]

    procs.kill(first[1].pid)
    exited = embedded.event("exited web 1 1")
    assert exited == f"{first[1].pid} 137|killed by SIGKILL|"
    again = hello.hello()
    assert (again.worker, again.generation) == (1, 2)
    assert embedded.ask("worker", 0, 1).split()[4:6] == ["2", "1"]

    assert embedded.ask("stop", "all") == "result 0"
    embedded.event("ended web")
    assert embedded.ask("ended", "all") == "result 1"
    assert embedded.ask("status", "all") == "result 0"
    assert embedded.ask("worker", 0, 0) == "worker stopped 0 0 1 0 143|killed by SIGTERM"
    embedded.free()
    assert report.empty()


def test_what_a_worker_is_given(embedded, fifo, scratch):
    report = fifo()
    embedded.ask("pool", "web", 1, f"directory={scratch}", "nice=5", "flags=128", "--",
                 *play(f"report:{report}", "pause"))
    embedded.ask("start", 0)
    seen = report.report()
    assert seen["cwd"] == str(scratch)
    assert seen["env"]["COLOUR"] == "blue-0"
    assert (seen["env"]["BROOD_POOL"], seen["env"]["BROOD_WORKERS"]) == ("web", "1")
    assert seen["limits"]["NOFILE"] == [99, 99]
    assert seen["nice"] == 5
    assert set(seen["fds"]) == {0, 1, 2}
    assert seen["fds"][0]["target"] == "/dev/null"
    embedded.free()


def test_pools_are_apart(embedded, fifo):
    a, b = fifo(), fifo()
    assert embedded.ask("pool", "a", 2, "--", *play(f"hello:{a}", "pause")) == "pool 0"
    assert embedded.ask("pool", "b", 3, "--", *play(f"hello:{b}", "pause")) == "pool 1"
    assert embedded.ask("start", "all") == "result 0"
    pids = [row.pid for row in a.hellos(2)], [row.pid for row in b.hellos(3)]
    assert embedded.ask("stop", 0) == "result 0"
    embedded.event("ended a")
    assert embedded.ask("ended", 0) == "result 1"
    assert embedded.ask("ended", 1) == embedded.ask("ended", "all") == "result 0"
    assert not any(map(procs.alive, pids[0])) and all(map(procs.alive, pids[1]))
    assert embedded.ask("start", 0) == "result 0"
    assert sorted(row.generation for row in a.hellos(2)) == [2, 2]
    assert embedded.ask("kill", "all") == "result 0"
    embedded.event("ended")
    embedded.event("ended")
    assert embedded.ask("status", "all") == "result 1", "killed, not stopped"
    embedded.free()


def test_restart_roll_signal(embedded, fifo):
    hello, said = fifo(), fifo()
    embedded.ask("pool", "web", 2, "--", *play(f"hello:{hello}", "pause"))
    embedded.ask("start", 0)
    hello.hellos(2)
    assert embedded.ask("restart", 0) == "result 0"
    assert [row.generation for row in hello.hellos(2)] == [2, 2]
    assert embedded.ask("roll", 0) == "result 0"
    assert [(row.worker, row.generation) for row in hello.hellos(2)] == [(0, 3), (1, 3)]
    embedded.event("roll-done web")
    assert embedded.ask("signal", 0, signal.SIGKILL.value) == "result 0"
    assert [row.generation for row in hello.hellos(2)] == [4, 4]
    embedded.free()
    assert said.empty()


def test_free_leaves_nothing(embedded, fifo):
    hello = fifo()
    embedded.ask("pool", "web", 3, "--", *play("ignore:TERM", f"hello:{hello}", "pause"))
    embedded.ask("start", 0)
    pids = [row.pid for row in hello.hellos(3)]
    embedded.free()
    assert not any(map(procs.alive, pids))


@pytest.mark.parametrize("how", ["stop", "kill", "free"])
def test_the_whole_tree_goes(embedded, fifo, scratch, how):
    hello = fifo()
    script = scratch / "script"
    script.write_text(f"#!/bin/sh\nsetsid {' '.join(play(f'hello:{hello}', 'pause'))} &\nwait\n")
    script.chmod(0o755)
    embedded.ask("pool", "web", 1, "--", script)
    embedded.ask("start", 0)
    pid = hello.hello().pid
    if how != "free":
        assert embedded.ask(how, 0) == "result 0"
        embedded.event("ended web")
    embedded.free()
    procs.wait_gone(pid)


def test_a_command_that_cannot_run(embedded, scratch):
    script = scratch / "script"
    script.write_text("#!/nosuch\n")
    script.chmod(0o755)
    embedded.ask("pool", "web", 1, "--", script)
    embedded.ask("start", 0)
    told = embedded.event("given-up web 0 1")
    assert told.startswith(f"0 127|exec {script}: No such file or directory"), told
    assert embedded.ask("status", 0) == "result 127"
    embedded.free()


def test_restarts_used_up(embedded, fifo):
    hello = fifo()
    embedded.ask("pool", "web", 2, "max=2", "backoff=none", "--",
                 *play(f"hello:{hello}", "exit:3"))
    embedded.ask("start", 0)
    embedded.event("restart-limit web")
    embedded.event("ended web")
    assert embedded.ask("status", 0) == "result 3"
    embedded.free()


def test_commands_from_the_callback(embedded, fifo):
    hello = fifo()
    embedded.ask("pool", "a", 1, "restart=1", "--", "false")
    embedded.ask("pool", "b", 2, "--", *play(f"hello:{hello}", "pause"))
    embedded.say("on given-up stop all")
    embedded.ask("start", 1)
    hello.hellos(2)
    embedded.ask("start", 0)
    embedded.event("given-up a 0")
    embedded.event("ended b")
    assert embedded.ask("ended", "all") == "result 1"
    embedded.free()


def test_a_start_from_the_callback(embedded, fifo):
    hello = fifo()
    embedded.ask("pool", "a", 1, "--", *play(f"hello:{hello}", "exit:0"))
    embedded.say("on exited start 0")
    embedded.ask("start", 0)
    assert [hello.hello().generation, hello.hello().generation] == [1, 2]
    embedded.event("ended a")
    embedded.free()


def test_a_fork_of_the_program_may_not_use_it(embedded, fifo):
    hello = fifo()
    embedded.ask("pool", "a", 1, "--", *play(f"hello:{hello}", "pause"))
    embedded.ask("start", 0)
    pid = hello.hello().pid
    assert embedded.ask("fork") == f"child -{errno.ECHILD} -{errno.ECHILD}"
    assert procs.alive(pid), "freed in the child alone"
    assert embedded.ask("signal", 0, signal.SIGKILL.value) == "result 0"
    assert hello.hello().generation == 2
    embedded.free()


def test_an_idle_supervisor_does_nothing(embedded, fifo):
    hello = fifo()
    embedded.ask("pool", "a", 2, "--", *play(f"hello:{hello}", "pause"))
    embedded.ask("start", 0)
    hello.hellos(2)
    embedded.event("ready a 0")
    embedded.event("ready a 1")
    pid = embedded.process.pid
    procs.until(lambda: procs.stat(pid)[0] == "S", "it to wait")
    before = procs.context_switches(pid)
    with pytest.raises(TimeoutError):
        hello.line(1)
    assert procs.context_switches(pid) - before <= 2, "at most the end of what start began"
    embedded.free()


@pytest.mark.parametrize("words, number, text", [
    (["web", 1, "--"], errno.EINVAL, "argv: no command given"),
    (["web", 1, "--", "nosuchcommand"], errno.ENOENT, "exec nosuchcommand: command not found"),
    (["web", 1, "--", "/etc/passwd"], errno.EACCES, "exec /etc/passwd: Permission denied"),
    (["web", 1, "backoff=soon", "--", "true"], errno.EINVAL, "backoff: 'soon' is not understood"),
    (["web", 1, "success=x", "--", "true"], errno.EINVAL, "success_exit: 'x' is not understood"),
    (["web", 1, "limit=5", "--", "true"], errno.EINVAL, "start_limit: '5' is not understood"),
    (["web", 1, "restart=9", "--", "true"], errno.EINVAL, "restart: 9 is not a policy"),
    (["web", 1, "user=nosuch", "--", "true"], errno.ENOENT, "user 'nosuch' does not exist"),
    (["web", 1, "nice=77", "flags=128", "--", "true"], errno.EINVAL, "nice: 77 is not from"),
    (["web", 1, "flags=65536", "--", "true"], errno.EINVAL, "flags: some are unknown"),
    (["web", 1000001, "--", "true"], errno.EINVAL, "workers: 1000001 is above 1000000"),
    (["web", 1, "size=4", "--", "true"], errno.EINVAL, "Invalid argument"),
    (["old", 1, "--", "true"], errno.EEXIST, "name: there is a pool 'old' already"),
])
def test_pools_that_cannot_be(embedded, words, number, text):
    assert embedded.ask("pool", "old", 1, "--", "true") == "pool 0"
    answer = embedded.ask("pool", *words)
    assert answer.startswith(f"error -{number} {text}")
    assert embedded.ask("workers", "all") == "result 1"
    assert embedded.ask("start", 7) == f"result -{errno.EINVAL}"
    assert embedded.ask("worker", 0, 7) == f"error -{errno.EINVAL}"
    assert embedded.ask("signal", 0, 99) == f"result -{errno.EINVAL}"
    embedded.free()


def test_older_programs_have_smaller_structs(embedded, fifo):
    hello = fifo()
    # As far as `argv`; what lies beyond is the default, whatever it holds.
    assert embedded.ask("pool", "a", 1, "restart=9", "size=32", "--",
                        *play(f"hello:{hello}", "pause")) == "pool 0"
    embedded.ask("start", 0)
    hello.hello()
    embedded.free()


def test_refused_where_exits_are_discarded(launch, program):
    process = launch(program("api-embed"), "ignore-children", stdout=subprocess.PIPE)
    assert process.communicate(timeout=WAIT)[0] == f"error -{errno.ECHILD}\n".encode()

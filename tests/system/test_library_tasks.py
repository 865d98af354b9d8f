# SPDX-License-Identifier: MIT
"""brood_fork_processes(): Tornado's semantics, and what is better than there (tests/api/tasks.c)."""

import errno
import os
import resource
import signal
import subprocess

import pytest

from harness import procs
from harness.settings import INJECT, WAIT
from library import launch, program  # noqa: F401

def fails(number):
    """The line of a parent to which the call returned this error."""
    return f"parent -{number} 0"


class Tasks:
    """One run of tests/api/tasks.c."""

    def __init__(self, launch, path, fifo, words, keywords):
        self.fifo = fifo
        self.process = launch(path, fifo, *words, **keywords)
        self.pid = self.process.pid
        self.before = fifo.line().removeprefix("before ")

    def tasks(self, count):
        """The next hellos: task id → (pid, generation)."""
        found = {}
        for line in self.fifo.lines(count):
            word, task, pid, generation = line.split()
            assert word == "task", line
            found[int(task)] = (int(pid), int(generation))
        return found

    def wait(self):
        return self.process.wait(WAIT)

    def nothing_more(self):
        assert self.fifo.empty(), self.fifo.line()
        assert procs.children() == [], procs.describe(procs.children())


@pytest.fixture
def tasks(launch, program, fifo):
    def function(*words, **keywords):
        return Tasks(launch, program("api-tasks"), fifo(), words, keywords)

    return function


def test_every_task_has_its_id(tasks):
    run = tasks("count:4", "plain", "--", "hello", "exit:0")
    assert sorted(run.tasks(4)) == [0, 1, 2, 3]
    assert run.wait() == 0, "the parent exits 0, and never returns"
    run.nothing_more()


def test_no_count_means_every_usable_cpu(tasks):
    cpu = min(os.sched_getaffinity(0))
    run = tasks("count:0", "plain", "--", "hello",
                preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    assert list(run.tasks(1)) == [0]
    assert run.wait() == 0
    run.nothing_more()


def test_abnormal_ends_are_restarted_under_the_same_id(tasks):
    run = tasks("count:2", "restarts:10", "backoff:none", "events", "--", "crash-until:3", "hello")
    lines = []
    while "event ended" not in (lines or [""])[-1]:
        lines.append(run.fifo.line())
    assert run.wait() == 0
    hellos = sorted(line.split()[1::2] for line in lines if line.startswith("task"))
    assert hellos == [["0", "3"], ["1", "3"]], "the third process of each, in the state of the fork"
    exits = [line.split(None, 6) for line in lines if line.startswith("event exited")]
    assert len(exits) == 6
    assert sorted((row[2], row[3], row[5]) for row in exits) == [
        (task, generation, "0" if generation == "3" else "137")
        for task in "01" for generation in "123"]
    assert {row[6] for row in exits if row[3] != "3"} == {"killed by SIGKILL"}
    run.nothing_more()


def test_a_failing_status_is_restarted_a_clean_one_is_not(tasks):
    run = tasks("count:1", "restarts:1", "backoff:none", "--", "hello", "exit:7")
    assert run.tasks(1)[0][1] == 1
    assert run.tasks(1)[0][1] == 2
    assert run.fifo.line() == fails(errno.ENOTRECOVERABLE)
    assert run.wait() == 100
    run.nothing_more()


def test_plain_default_restarts_with_backoff(tasks):
    run = tasks("count:1", "restarts:-1", "plain", "--", "hello", "crash-until:3")
    assert [run.tasks(1)[0][1] for _ in range(3)] == [1, 2, 3]
    assert run.wait() == 0
    run.nothing_more()


def test_giving_up_leaves_no_sibling(tasks):
    run = tasks("count:3", "restarts:0", "plain", "--", "hello", "gather:3", "only:1", "exit:3")
    pids = [pid for pid, _ in run.tasks(3).values()]
    assert run.fifo.line() == fails(errno.ENOTRECOVERABLE)
    assert not any(procs.alive(pid) for pid in pids), "stopped before the call returns"
    assert run.wait() == 100
    run.nothing_more()


def test_giving_up_kills_what_does_not_stop(tasks):
    run = tasks("count:2", "none", "timeout-ms:100", "events", "--", f"ignore:{signal.SIGTERM:d}",
                "hello", "gather:2", "only:1", "crash-until:9")
    lines = run.fifo.lines(7)
    while not lines[-1].startswith("parent"):
        lines.append(run.fifo.line())
    assert any(line.startswith("event killing 0") for line in lines)
    assert lines[-1] == fails(errno.ENOTRECOVERABLE)
    assert run.wait() == 100
    run.nothing_more()


def test_the_parent_may_ask_to_return(tasks):
    run = tasks("count:2", "return", "--", "exit:0")
    assert run.fifo.line() == f"parent {0x7fffffff} 0"
    assert run.wait() == 0
    run.nothing_more()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_parent_ends_all(tasks, number):
    run = tasks("count:3", "--", "hello", "pause")
    run.tasks(3)
    os.kill(run.pid, number)
    assert run.wait() == -number, "as if it had not been caught"
    run.nothing_more()


def test_a_signal_is_told_to_who_asks(tasks):
    run = tasks("count:2", "return", f"stop-signal:{signal.SIGUSR1:d}", "--", "hello", "pause")
    run.tasks(2)
    os.kill(run.pid, signal.SIGTERM)
    assert run.fifo.line() == f"parent -{errno.EINTR} {signal.SIGTERM:d}"
    assert run.wait() == 100
    run.nothing_more()


def test_a_second_signal_kills(tasks):
    run = tasks("count:2", "--", f"ignore:{signal.SIGTERM:d}", "hello", "pause")
    run.tasks(2)
    os.kill(run.pid, signal.SIGTERM)
    procs.until(lambda: procs.status(run.pid, "ShdPnd") == "0" * 16, "the first to be taken")
    os.kill(run.pid, signal.SIGINT)
    assert run.wait() == -signal.SIGTERM, "the first one counts"
    run.nothing_more()


def test_what_the_caller_ignores_stays_ignored(tasks):
    run = tasks("count:1", f"ignore:{signal.SIGHUP:d}", "--", "hello", "pause")
    (pid, _), = run.tasks(1).values()
    os.kill(run.pid, signal.SIGHUP)
    assert procs.alive(pid)
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait() == -signal.SIGTERM
    run.nothing_more()


def test_a_child_has_nothing_of_the_parents(tasks):
    run = tasks("count:3", f"block:{signal.SIGUSR1:d}", f"handle:{signal.SIGUSR2:d}",
                f"handle:{signal.SIGCHLD:d}", f"handle:{signal.SIGTERM:d}", "backoff:none", "--",
                "facts", "crash-until:2")
    seen = run.fifo.lines(6)
    assert run.wait() == 0
    assert {line.split()[2] for line in seen} == {run.before}, "the third as the first, also anew"
    assert f"{1 << (signal.SIGUSR1 - 1):016x}" in run.before
    run.nothing_more()


def test_buffered_output_is_written_once(tasks):
    run = tasks("count:3", "print", "--", "exit:0", stdout=subprocess.PIPE)
    assert run.wait() == 0
    assert run.process.stdout.read() == b"buffered\n"


def test_children_stay_in_the_group(tasks):
    run = tasks("count:2", "--", "hello", "pause", start_new_session=True)
    pids = [pid for pid, _ in run.tasks(2).values()]
    assert {procs.stat(pid)[2] for pid in pids} == {run.pid}
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait() == -signal.SIGINT
    assert procs.children() == []


def test_parent_death_signal(tasks):
    run = tasks("count:2", f"death:{signal.SIGKILL:d}", "--", "hello", "pause")
    pids = [pid for pid, _ in run.tasks(2).values()]
    run.process.kill()
    for pid in pids:
        procs.wait_gone(pid)
    procs.reap()


def test_without_one_children_live_on(tasks):
    run = tasks("count:1", "--", "hello", "pause")
    (pid, _), = run.tasks(1).values()
    run.process.kill()
    run.wait()
    assert procs.alive(pid)
    procs.kill(pid)
    procs.wait_gone(pid)


def test_an_idle_parent_does_nothing(tasks):
    run = tasks("count:2", "--", "hello", "pause")
    run.tasks(2)
    procs.until(lambda: procs.stat(run.pid)[0] == "S", "the parent to wait")
    before = procs.context_switches(run.pid)
    with pytest.raises(TimeoutError):
        run.fifo.line(0.5)
    assert procs.context_switches(run.pid) == before
    os.kill(run.pid, signal.SIGTERM)
    run.wait()


@pytest.mark.parametrize("words, number", [
    (["thread"], errno.EBUSY),
    ([f"ignore:{signal.SIGCHLD:d}"], errno.ECHILD),
    (["count:1000001"], errno.ERANGE),
    (["flags:64"], errno.EINVAL),
    (["backoff:often"], errno.EINVAL),
    (["stop-signal:99"], errno.EINVAL),
    (["death:-1"], errno.EINVAL),
])
def test_refused(tasks, words, number):
    run = tasks("count:1", *words, "--", "hello")
    assert run.fifo.line() == fails(number)
    assert run.wait() == 100
    run.nothing_more()


def test_refused_in_a_task(tasks):
    run = tasks("count:1", "--", "nest")
    assert run.fifo.line() == f"nested -{errno.EALREADY}"
    assert run.wait() == 0
    run.nothing_more()


def test_refused_without_descriptors(tasks):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))

    run = tasks("count:100", "--", "hello", preexec_fn=few)
    assert run.fifo.line() == fails(errno.EMFILE)
    assert run.wait() == 100
    run.nothing_more()


def test_many_tasks(tasks):
    run = tasks("count:200", "backoff:none", "restarts:200", "--", "crash-until:2", "hello")
    assert sorted(run.tasks(200)) == list(range(200))
    assert run.wait() == 0
    run.nothing_more()


# --- faults of the system


@pytest.fixture
def struck(launch, program, fifo):
    """Like tasks, with these calls of the parent made to fail."""
    def function(faults, *words):
        inject = [word for fault in faults for word in ("--fault", fault)]
        return Tasks(lambda *argv, **keywords: launch(INJECT, *inject, "--", *argv, **keywords),
                     program("api-tasks"), fifo(), words, {})

    return function


@pytest.mark.parametrize("fault, cause", [
    ("clone=EAGAIN@2", "Resource temporarily unavailable"),
    ("socketpair=EMFILE@2", "Too many open files"),
    ("pidfd_open=ENOMEM@3", "Cannot allocate memory"),
    ("epoll_ctl=ENOSPC@4", "No space left on device"),
])
def test_a_refused_fork_is_tried_again(struck, fault, cause):
    run = struck([fault], "count:3", "events", "--", "hello", "exit:0")
    lines = []
    while "event ended" not in (lines or [""])[-1]:
        lines.append(run.fifo.line())
    assert run.wait() == 0
    failed = [line.split(None, 6) for line in lines if line.startswith("event spawn-failed")]
    assert [row[6] for row in failed] == [cause]
    assert {line.split()[1] for line in lines if line.startswith("task")} == {"0", "1", "2"}
    run.nothing_more()


def test_a_loop_that_fails_leaves_no_task(struck):
    run = struck(["epoll_wait=ENOMEM@2"], "count:3", "backoff:none", "--", "hello", "gather:3",
                 "only:0", "crash-until:2", "pause")
    run.tasks(3)
    while not (line := run.fifo.line()).startswith("parent"):
        pass
    assert line == fails(errno.ENOMEM)
    assert run.wait() == 100
    run.nothing_more()

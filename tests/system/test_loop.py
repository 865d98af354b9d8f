# SPDX-License-Identifier: MIT
"""The loop from outside: idleness, both backends, refused kernel features, many of everything."""

import os
import signal
import time

import pytest

from harness import procs
from harness.probe import uring_refused
from harness.settings import BROOD, around, environment, play


@pytest.mark.parametrize("count", [1, 50])
def test_idle_means_idle(brood, fifo, count):
    hello = fifo()
    b = brood("-n", count, cmd=play("until:1", "(", "only:0", "(", "exit:1", ")", ")",
                                    f"hello:{hello}", "pause"))
    hello.hellos(count)
    b.wait_event("started", nth=count + 1)

    def settled():
        before = procs.context_switches(b.pid)
        time.sleep(0.1)
        return before == procs.context_switches(b.pid)

    procs.until(settled, "the end of the start")
    # A stable run may end its backoff quietly, but that needs no wake-up either.
    before = procs.context_switches(b.pid)
    time.sleep(2)  # two seconds in which nothing happens are what is measured
    assert procs.context_switches(b.pid) == before
    assert b.stop() == 0


def test_two_hundred_killed_at_once(brood, fifo):
    hello = fifo()
    b = brood("-n", 200, cmd=play(f"hello:{hello}", "pause"))
    first = hello.hellos(200)
    for h in first:
        procs.kill(h.pid)
    second = hello.hellos(200)
    assert sorted(h.worker for h in second) == list(range(200))
    assert {h.generation for h in second} == {2}
    procs.until(lambda: len(b.pids()) == 200, "200 children")
    assert sorted(b.pids()) == sorted(h.pid for h in second)
    assert b.stop() == 0


def test_a_storm_of_short_lives(brood, fifo):
    """Every worker dies as soon as it lives, 40 times; each life is told exactly once."""
    hello = fifo()
    b = brood("-n", 20, "--backoff", "none",
              cmd=play("until:40", "(", "raise:KILL", ")", f"hello:{hello}", "pause"))
    assert {h.generation for h in hello.hellos(20, timeout=30)} == {41}
    # The last workers may say hello before the turn that started them has written its lines.
    assert b.stop() == 0
    lives = [e for e in b.select_events("exited") if e["generation"] <= 40]
    assert len(lives) == 20 * 40


def test_signals_in_a_storm(brood, fifo):
    """HUP, forwards and crashes at the same time: in the end all workers are there, once each."""
    hello = fifo()
    b = brood("-n", 8, "--backoff", "none", "--stop-timeout", "2s",
              cmd=play("ignore:USR1,USR2,WINCH", f"hello:{hello}", "pause"))
    newest = {h.worker: h for h in hello.hellos(8)}
    for step in range(30):
        victim = newest[step % 8]
        procs.kill(victim.pid)
        for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH):
            b.signal(number)
        h = hello.hello()
        newest[h.worker] = max(newest[h.worker], h, key=lambda one: one.generation)
        while not hello.empty():
            h = hello.hello()
            newest[h.worker] = max(newest[h.worker], h, key=lambda one: one.generation)

    def quiet():
        while not hello.empty():
            h = hello.hello()
            newest[h.worker] = max(newest[h.worker], h, key=lambda one: one.generation)
        return sorted(b.pids()) == sorted(h.pid for h in newest.values())

    b.wait_event("exited", pid=victim.pid)  # or the stop would find it dying of the kill
    # A worker of the roll that was struck before it was ready ends it; then that was said.
    procs.until(lambda: b.select_events("roll-done") or b.select_events("roll-failed"), "a roll's end")
    procs.until(quiet, "eight workers, once each")
    assert b.stop() == 0


# --- what the kernel refuses


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_refused_uring_falls_back_to_epoll(start, fifo, error):
    hello = fifo()
    b = start([*around(f"refuse:io_uring_setup={error}"), BROOD, "run", "--loop=auto",
               "--log-format=json", "-n", "2", "--", *play(f"hello:{hello}", "pause")])
    procs.kill(hello.hellos(2)[0].pid)
    assert hello.hello().generation == 2
    fds = [os.readlink(f"/proc/{b.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{b.pid}/fd")]
    assert "anon_inode:[eventpoll]" in fds and "anon_inode:[io_uring]" not in fds
    assert b.stop() == 0


def test_auto_takes_uring_where_it_works(start, fifo):
    if uring_refused():
        pytest.skip(f"io_uring is refused here: {uring_refused()}")
    hello = fifo()
    b = start([BROOD, "run", "--", *play(f"hello:{hello}", "pause")])
    hello.hello()
    fds = [os.readlink(f"/proc/{b.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{b.pid}/fd")]
    assert "anon_inode:[io_uring]" in fds
    assert b.stop() == 0


def test_loop_is_the_one_asked_for(brood, fifo, loop):
    hello = fifo()
    b = brood(cmd=play(f"hello:{hello}", "pause"))
    hello.hello()
    fds = [os.readlink(f"/proc/{b.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{b.pid}/fd")]
    assert ("anon_inode:[io_uring]" in fds) == (loop == "uring")
    assert b.stop() == 0


@pytest.mark.parametrize("error, text", [("EPERM", "Operation not permitted"),
                                         ("ENOSYS", "Function not implemented")])
def test_uring_by_force_where_it_is_refused(cli, error, text):
    done = cli("run", "--loop=uring", "--", "true", prefix=around(f"refuse:io_uring_setup={error}"))
    assert done.returncode == 125
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("brood run: ")
    assert "io_uring" in lines[0] and text in lines[0]


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
@pytest.mark.parametrize("calls", [["clone3"], ["close_range"], ["clone3", "close_range"],
                                   ["pidfd_send_signal"]])
def test_refused_calls_have_a_fallback(brood, fifo, calls, error):
    """An old kernel or a strict seccomp profile: the same life, with what there is."""
    hello, report = fifo("hello"), fifo("report")
    b = brood("-n", 3, "--stop-timeout", "200ms",
              prefix=around("fds:20", "refuse:" + ",".join(f"{call}={error}" for call in calls)),
              cmd=play(f"report:{report}", f"hello:{hello}", "pause"))
    first = {h.worker: h for h in hello.hellos(3)}
    for worker in range(3):
        procs.kill(first[worker].pid)
        assert hello.hello()[1:] == (worker, 2)
    for _ in range(6):
        seen = report.report()
        assert set(seen["fds"]) == {0, 1, 2}
        assert seen["pgid"] == seen["pid"]
    b.signal(signal.SIGHUP)
    hello.hellos(3)
    assert b.stop() == 0


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_failures_are_named_with_the_fallback_too(brood, scratch, error):
    b = brood("--restart", "no", "--chdir", scratch / "none", cmd=["true"],
              prefix=around(f"refuse:clone3={error},close_range={error}"))
    assert b.wait() not in (0, None)
    assert str(scratch / "none") in b.text() and "No such file or directory" in b.text()


# --- many descriptors


def test_thousands_of_inherited_descriptors(brood, fifo):
    hello, report = fifo("hello"), fifo("report")
    b = brood("-n", 2, prefix=around("limit:NOFILE=18500", "fds:18000"),
              cmd=play(f"report:{report}", f"hello:{hello}", "pause"))
    first = hello.hellos(2)
    procs.kill(first[0].pid)
    assert hello.hello()[1:] == (first[0].worker, 2)
    assert all(set(report.report()["fds"]) == {0, 1, 2} for _ in range(3))
    assert b.stop() == 0


def test_more_workers_than_the_soft_limit_of_descriptors(brood, fifo):
    """brood raises its own soft limit as far as it may."""
    hello = fifo()
    b = brood("-n", 80, prefix=around("limit:NOFILE=64:4096"), cmd=play(f"hello:{hello}", "pause"))
    assert len({h.worker for h in hello.hellos(80)}) == 80
    assert b.stop() == 0


def test_nothing_leaks_over_many_restarts(brood, fifo):
    hello, go = fifo("hello"), fifo("go")
    b = brood("-n", 4, "--backoff", "none",
              cmd=play("until:3", "(", "exit:1", ")", "until:50", "(", "exit:1", ")",
                       f"hello:{hello}", f"await:{go}", "exit:1"))

    def facts():
        return (len(os.listdir(f"/proc/{b.pid}/fd")), len(os.listdir(f"/proc/{b.pid}/task")),
                len(open(f"/proc/{b.pid}/maps").readlines()))

    hello.hellos(4, timeout=30)
    procs.until(lambda: len(b.pids()) == 4, "four workers")
    before = facts()
    for _ in range(50):
        go.release(4)
        hello.hellos(4)
    after = procs.until(lambda: facts() if facts()[0] <= before[0] else None, "closed descriptors")
    assert after[1] == before[1]
    assert after[2] <= before[2] + 2
    assert b.stop() == 0


def test_enormous_environment(brood, fifo):
    report = fifo()
    big = {f"VAR{i}": "x" * 1000 for i in range(500)}
    b = brood(env=environment(**big), cmd=play(f"report:{report}"))
    seen = report.report()
    assert seen["env"]["VAR499"] == "x" * 1000
    assert b.wait() == 0

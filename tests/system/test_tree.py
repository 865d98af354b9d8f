# SPDX-License-Identifier: MIT
"""The whole tree: descendants that flee, strangers that come, brood as PID 1."""

import signal

import pytest

from harness import procs
from harness.settings import around, play


def test_default_is_a_process_group_of_its_own(brood, fifo):
    report = fifo()
    b = brood("-n", 2, cmd=play(f"report:{report}", "pause"))
    for seen in (report.report(), report.report()):
        assert seen["pgid"] == seen["pid"]
        assert seen["ppid"] == b.pid
    b.stop()


def test_stop_goes_to_the_group(brood, fifo):
    hello, told = fifo("hello"), fifo("told")
    b = brood("--stop-timeout", "300ms",
              cmd=play("fork", "(", f"tell:TERM={told}", f"hello:{hello}", "pause", ")",
                       f"hello:{hello}", "pause"))
    child = [h.pid for h in hello.hellos(2)]
    b.signal(signal.SIGTERM)
    pid = int(told.line().split()[1])
    assert pid in child
    b.wait()
    assert not procs.alive(pid)


def test_kill_mode_process_spares_the_group(brood, fifo):
    """The signal goes to the worker alone; what it leaves behind is still brought to its end."""
    hello, told = fifo("hello"), fifo("told")
    b = brood("--kill-mode", "process", "--stop-timeout", "300ms",
              cmd=play("fork", "(", f"tell:TERM={told}", f"hello:{hello}", "pause", ")",
                       f"tell:TERM={told}", f"hello:{hello}", f"await:{fifo('go')}"))
    hello.hellos(2)
    worker = b.wait_event("started")["pid"]
    b.signal(signal.SIGTERM)
    assert told.line() == f"TERM {worker}"
    b.wait()


def test_escalation_reaches_the_whole_group(brood, fifo):
    hello = fifo()
    b = brood("--stop-timeout", "50ms",
              cmd=play("ignore:TERM", "repeat:3", "(", "fork", "(", f"hello:{hello}", "pause", ")",
                       ")", f"hello:{hello}", "pause"))
    seen = hello.hellos(4)
    b.signal(signal.SIGTERM)
    b.wait()
    assert b.select_events("killing")
    assert not any(procs.alive(h.pid) for h in seen)


@pytest.mark.parametrize("flight", [
    ["fork", "(", "session", "ignore:TERM", "{}", "pause", ")"],
    ["orphan", "(", "session", "ignore:TERM", "{}", "pause", ")"],
    ["orphan", "(", "ignore:TERM", "{}", "pause", ")"],
    ["fork", "(", "session", "orphan", "(", "session", "ignore:TERM,INT,HUP", "{}", "pause", ")",
     "pause", ")"],
], ids=["session", "daemon", "orphan", "deep"])
def test_the_fled_are_found(brood, fifo, flight):
    """Whoever left the group or the parent is gone when brood says that it has stopped."""
    hello = fifo()
    words = [word.format(f"hello:{hello}") for word in flight]
    b = brood("-n", 2, "--stop-timeout", "200ms", cmd=play(*words, f"hello:{hello}", "pause"))
    seen = hello.hellos(4)
    b.signal(signal.SIGTERM)
    b.wait()
    assert not any(procs.alive(h.pid) for h in seen)


def test_the_fled_are_found_when_the_worker_obeys(brood, fifo):
    hello = fifo()
    b = brood("--stop-timeout", "200ms",
              cmd=play("orphan", "(", "session", "ignore:TERM", f"hello:{hello}", "pause", ")",
                       "quit:TERM=0", f"hello:{hello}", "pause"))
    seen = hello.hellos(2)
    b.signal(signal.SIGTERM)
    b.wait()
    assert not any(procs.alive(h.pid) for h in seen)


def test_the_fled_end_with_the_second_signal_too(brood, fifo):
    hello = fifo()
    b = brood("--stop-timeout", "1h",
              cmd=play("ignore:TERM", "fork", "(", "session", f"hello:{hello}", "pause", ")",
                       f"hello:{hello}", "pause"))
    seen = hello.hellos(2)
    b.signal(signal.SIGTERM)
    b.wait_event("stopping")
    b.signal(signal.SIGTERM)
    b.wait()
    assert not any(procs.alive(h.pid) for h in seen)


@pytest.mark.deadline(60)
@pytest.mark.parametrize("flight", [[], ["session", "ignore:TERM"]], ids=["group", "fled"])
def test_a_tree_may_be_deep(brood, fifo, flight):
    """How deep a tree is, its processes decide: brood needs no stack for it."""
    hello = fifo()
    b = brood("-n", 1, "--stop-timeout", "200ms",
              cmd=play(*(["fork", "(", *flight] if flight else []),
                       "chain:400", "(", f"hello:{hello}", "pause", ")",
                       *(["pause", ")"] if flight else []), f"hello:{hello}", "pause"))
    hello.hellos(2, timeout=40)
    below = procs.descendants(b.pid)
    assert len(below) > 400
    b.signal(signal.SIGTERM)
    b.wait(timeout=40)
    assert not any(procs.alive(pid) for pid in below)


def test_more_fled_than_descriptors(brood, fifo):
    """Whom brood has no descriptor for is signalled all the same, and waited for."""
    hello = fifo()
    b = brood("--stop-timeout", "200ms", prefix=around("limit:NOFILE=20:20"),
              cmd=play("repeat:40", "(", "fork", "(", "session", "ignore:TERM",
                       f"hello:{hello}", "pause", ")", ")", f"hello:{hello}", "pause"))
    seen = hello.hellos(41)
    b.signal(signal.SIGTERM)
    b.wait()
    assert not any(procs.alive(h.pid) for h in seen)


# --- children of brood that are no workers (CLONE_PARENT)


def test_siblings_are_found(brood, fifo):
    hello = fifo()
    b = brood("--stop-timeout", "200ms",
              cmd=play("repeat:5", "(", "sibling", "(", "session", "ignore:TERM",
                       f"hello:{hello}", "pause", ")", ")", f"hello:{hello}", "pause"))
    seen = hello.hellos(6)
    assert all(procs.stat(h.pid)[1] == b.pid for h in seen)
    b.signal(signal.SIGTERM)
    b.wait()
    assert not any(procs.alive(h.pid) for h in seen)


def test_dead_siblings_are_reaped_with_the_next_restart(brood, fifo):
    hello, go = fifo("hello"), fifo("go")
    b = brood("--backoff", "none",
              cmd=play("until:1", "(", "repeat:5", "(", "sibling", "(", ")", ")",
                       f"hello:{hello}", f"await:{go}", "exit:1", ")", f"hello:{hello}", "pause"))
    hello.hello()
    go.release()
    assert hello.hello().generation == 2
    procs.until(lambda: no_zombies(b.pid), "the siblings' reaping")
    assert len(b.pids()) == 1
    assert b.stop() == 0


def no_zombies(pid):
    return not any((procs.stat(child) or "X")[0] == "Z" for child in procs.children(pid))


@pytest.mark.deadline(60)
def test_a_thousand_strangers_leave_no_zombie(brood, fifo):
    hello = fifo()
    b = brood("-n", 2, cmd=play("repeat:500", "(", "orphan", "(", ")", ")", f"hello:{hello}",
                                "pause"))
    hello.hellos(2, timeout=40)
    procs.until(lambda: no_zombies(b.pid), "the strangers' reaping")
    assert len(b.pids()) == 2
    assert b.stop() == 0


def test_strangers_that_die_with_a_worker(brood, fifo):
    """A worker's exit and a crowd of adopted exits in the same moment: none may be mixed up."""
    hello = fifo()
    b = brood("-n", 3, "--backoff", "none",
              cmd=play("until:4", "(", "repeat:20", "(", "orphan", "(", ")", ")", "exit:1", ")",
                       f"hello:{hello}", "pause"))
    seen = hello.hellos(3)
    assert all(h.generation == 5 for h in seen)
    procs.until(lambda: no_zombies(b.pid), "the strangers' reaping")
    assert sorted(b.pids()) == sorted(h.pid for h in seen)
    assert b.stop() == 0


def test_living_strangers_are_no_workers(brood, fifo):
    """An adopted process that dies badly restarts nothing."""
    hello, strange = fifo("hello"), fifo("strange")
    b = brood(cmd=play("orphan", "(", f"hello:{strange}", "pause", ")", f"hello:{hello}", "pause"))
    hello.hello()
    stranger = strange.hello().pid
    procs.until(lambda: stranger in b.pids(), "the adoption")
    procs.kill(stranger)
    procs.until(lambda: procs.stat(stranger) is None, "the stranger's reaping")
    assert len(b.select_events("started")) == 1
    assert not b.select_events("exited")
    assert b.stop() == 0


# --- PID 1


def test_as_pid_1(first_process, fifo):
    report, hello = fifo("report"), fifo("hello")
    b = first_process("-n", 2, cmd=play(f"report:{report}", f"hello:{hello}", "pause"))
    assert [report.report()["ppid"] for _ in range(2)] == [1, 1]
    hello.hellos(2)
    procs.kill(b.pids()[0])
    assert hello.hello().generation == 2
    b.signal(signal.SIGTERM)
    assert b.wait() == 0


def test_as_pid_1_strangers_are_reaped(first_process, fifo):
    hello = fifo()
    b = first_process(cmd=play("repeat:200", "(", "orphan", "(", ")", ")", f"hello:{hello}",
                               "pause"))
    hello.hello()
    procs.until(lambda: no_zombies(b.pid), "the strangers' reaping")
    b.signal(signal.SIGTERM)
    assert b.wait() == 0


@pytest.mark.parametrize("words, status", [(["exit:0"], 0), (["exit:42"], 42)])
def test_as_pid_1_passes_the_status(first_process, words, status):
    assert first_process("--restart", "no", cmd=play(*words)).wait() == status


def test_as_pid_1_stops_the_fled(first_process, fifo):
    hello = fifo()
    b = first_process("--stop-timeout", "100ms",
                      cmd=play("orphan", "(", "session", "ignore:TERM", f"hello:{hello}", "pause",
                               ")", f"hello:{hello}", "pause"))
    hello.hellos(2)
    b.signal(signal.SIGTERM)
    b.wait()

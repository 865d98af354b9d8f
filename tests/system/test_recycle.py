# SPDX-License-Identifier: MIT
"""Workers that are replaced by age or by memory, through the same step as a rolling restart."""

import pytest

from harness import procs
from harness.config import pool
from harness.settings import play

READY = "notify:READY=1"


def test_by_age(up, fifo):
    hello = fifo()
    u = up(pool("web", play(f"hello:{hello}", READY, "pause"), Workers=2, Type="notify",
                RollingSurge=1, RecycleAfterSec="150ms"))
    first = hello.hellos(2)
    again = hello.hellos(2)
    assert sorted(one.worker for one in again) == [0, 1]
    assert {one.generation for one in again} == {2}
    u.wait_event("exited", pid=first[0].pid)
    assert all(one["restarts"] == 0 for one in u.workers("web"))


def test_new_one_is_ready_first(up_once, fifo):
    hello, go = fifo("hello"), fifo("go")
    u = up_once(pool("web", play(f"hello:{hello}", "until:1", "(", READY, "pause", ")",
                                 f"await:{go}", READY, "pause"), Type="notify", RollingSurge=1,
                     RecycleAfterSec="100ms"))
    old, new = hello.hello(), hello.hello()
    assert procs.alive(old.pid) and u.facts("web")["ready"] == 1
    (replacement,) = u.workers("web", role="replacement")
    assert replacement["pid"] == new.pid
    go.release()
    u.wait_event("exited", pid=old.pid)
    assert u.worker_pids("web") == {0: new.pid}


def test_one_after_another(up_once, fifo):
    """All are of the same age; with a surge of one there is never more than one extra."""
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", READY, "pause"), Workers=5, Type="notify",
                     RollingSurge=1, RecycleAfterSec="100ms"))
    while len(u.select_events("started")) < 20:
        hello.hello()
    alive, most = set(), 0
    for row in list(u.events):
        if row["event"] == "started":
            alive.add(row["pid"])
        elif row["event"] == "exited":
            alive.discard(row["pid"])
        most = max(most, len(alive))
    assert most == 6


def test_jitter_spreads_them(up_once):
    u = up_once(pool("web", play(READY, "pause"), Workers=10, Type="notify", RollingSurge=10,
                     RecycleAfterSec="200ms", RecycleJitter="50%"))
    for number in range(10):
        u.wait_event("exited", worker=number)
    ages = [row["ran"] for row in u.select_events("exited", generation=1)]
    assert max(ages) - min(ages) > 0.01


def test_replacement_that_fails_leaves_the_old_one(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", "until:1", "(", READY, "pause", ")", "exit:1"),
                     Type="notify", RollingSurge=1, RecycleAfterSec="100ms"))
    old = hello.hello()
    hello.hello()
    u.wait_event("exited", pool="web")
    assert procs.alive(old.pid) and u.worker_pids("web") == {0: old.pid}


def test_not_when_it_is_stopped(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", READY, "pause"), Type="notify", RollingSurge=1,
                     RecycleAfterSec="100ms"))
    hello.hello()
    u.ctl("stop", "web")
    while not hello.empty():
        hello.hello()
    with pytest.raises(TimeoutError):
        hello.line(timeout=0.3)


@pytest.mark.deadline(40)
def test_by_memory_of_the_tree(up_once, fifo):
    """A child's memory counts as the worker's own."""
    hello = fifo()
    u = up_once(pool("web", play(f"hello:{hello}", READY, "only:1", "(", "until:1", "(", "fork",
                                 "(", "grow:60", "pause", ")", ")", ")", "pause"), Workers=2,
                     Type="notify", RollingSurge=1, RecycleMemory="40M"))
    first = {one.worker: one.pid for one in hello.hellos(2)}
    again = hello.hello(timeout=20)
    assert (again.worker, again.generation) == (1, 2)
    u.wait_event("exited", pid=first[1])
    assert u.worker_pids("web") == {0: first[0], 1: again.pid}
    u.wait_event("replacing", reason="memory")

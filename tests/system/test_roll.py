# SPDX-License-Identifier: MIT
"""The rolling restart: the new one is ready before the old one is asked to go."""

import signal

import pytest

from harness import procs
from harness.config import pool
from harness.settings import play
from harness.up import BUSY, DONE, FAILED

READY = "notify:READY=1"


def web(*words, count=3, surge=1, **directives):
    return pool("web", play(*words), Workers=count, RollingSurge=surge, Type="notify",
                **{"Restart": "always", **directives})


def history(u, pool_name="web"):
    """(most processes at once, fewest ready at once after all were) as the events tell."""
    alive, ready, most, least, full = set(), set(), 0, None, False
    for row in list(u.events):
        if row.get("pool") != pool_name:
            continue
        event, pid = row["event"], row.get("pid")
        if event == "started":
            alive.add(pid)
        elif event == "ready":
            ready.add(pid)
        elif event in ("stopping", "exited"):
            ready.discard(pid)
            if event == "exited":
                alive.discard(pid)
        most = max(most, len(alive))
        full = full or len(ready) == 3
        if full:
            least = len(ready) if least is None else min(least, len(ready))
    return most, least


@pytest.mark.parametrize("surge, most", [(1, 4), (2, 5), (3, 6)])
def test_never_fewer_than_wanted(up, fifo, surge, most):
    hello = fifo()
    u = up(web(f"hello:{hello}", "sleep:20", READY, "pause", surge=surge))
    u.wait_event("ready", nth=3, pool="web")
    first = {one.worker: one.pid for one in hello.hellos(3)}
    u.ctl("restart", "--rolling", "web")
    again = {one.worker: one for one in hello.hellos(3)}
    u.wait_event("roll-done", pool="web")
    assert u.worker_pids("web") == {n: one.pid for n, one in again.items()}
    assert {one.generation for one in again.values()} == {2}
    procs.until(lambda: not any(procs.alive(pid) for pid in first.values()), "the old ones' end")
    seen, least = history(u)
    assert 3 < seen <= most and least == 3
    assert [one["restarts"] for one in u.workers("web")] == [0, 0, 0]


def test_replacement_can_be_seen(up_once, fifo):
    hello, go = fifo("hello"), fifo("go")
    u = up_once(web(f"hello:{hello}", "until:1", "(", READY, "pause", ")", f"await:{go}", READY,
                    "pause"))
    u.wait_event("ready", nth=3, pool="web")
    hello.hellos(3)
    rolling = u.start_ctl("restart", "--rolling", "web")
    new = hello.hello()
    facts = u.facts("web")
    assert facts["rolling"] and facts["state"] == "rolling" and facts["ready"] == 3
    (replacement,) = u.workers("web", role="replacement")
    assert (replacement["worker"], replacement["pid"]) == (new.worker, new.pid)
    assert (replacement["generation"], replacement["state"]) == (2, "starting")
    go.release(3)
    assert rolling.finish().status == DONE
    assert not u.facts("web")["rolling"] and u.workers("web", role="replacement") == []


def test_without_surge_in_place(up, fifo):
    hello = fifo()
    u = up(web(f"hello:{hello}", READY, "pause", surge=0))
    hello.hellos(3), u.wait_event("ready", nth=3, pool="web")
    u.ctl("restart", "--rolling", "web")
    assert [one.worker for one in hello.hellos(3)] == [0, 1, 2]
    u.wait_event("roll-done")
    assert history(u) == (3, 2)


@pytest.mark.parametrize("failing", [["exit:1"], ["raise:SEGV"], ["pause"]], ids=str)
def test_new_version_that_does_not_come_up(up, fifo, failing):
    """One is tried; the old workers stay, all of them, and go on being supervised."""
    hello = fifo()
    u = up(web("limit:CORE=0", f"hello:{hello}", "until:1", "(", READY, "pause", ")", *failing,
               TimeoutStartSec="100ms"))
    first = {one.worker: one.pid for one in hello.hellos(3)}
    u.wait_event("ready", nth=3, pool="web")
    done = u.ctl("restart", "--rolling", "web", status=FAILED)
    assert "web" in done.err
    assert u.worker_pids("web") == first and u.facts("web")["ready"] == 3
    assert hello.hello().worker == 0 and hello.empty()
    u.check_count(1, "roll-failed", pool="web")
    procs.until(lambda: sorted(u.pids()) == sorted(first.values()), "the replacement's end")


def test_more_than_one_at_once_fail(up_once, fifo):
    """With two under way, the failure of one ends the other."""
    hello = fifo()
    u = up_once(web(f"hello:{hello}", "until:1", "(", READY, "pause", ")", "only:1", "(", "exit:1",
                    ")", "pause", surge=2, TimeoutStartSec="20s"))
    first = {one.worker: one.pid for one in hello.hellos(3)}
    u.wait_event("ready", nth=3, pool="web")
    u.ctl("restart", "--rolling", "web", status=FAILED)
    procs.until(lambda: sorted(u.pids()) == sorted(first.values()), "the replacements' end")
    assert u.worker_pids("web") == first


def test_two_at_once(up_once, fifo):
    """The second is refused, and the first is not disturbed."""
    hello, go = fifo("hello"), fifo("go")
    u = up_once(web(f"hello:{hello}", "until:1", "(", READY, "pause", ")", f"await:{go}", READY,
                    "pause"))
    hello.hellos(3), u.wait_event("ready", nth=3, pool="web")
    rolling = u.start_ctl("restart", "--rolling", "web")
    hello.hello()
    done = u.ctl("restart", "--rolling", "web", status=BUSY)
    assert "web" in done.err
    go.release(3)
    assert rolling.finish().status == DONE
    assert [one.generation for one in hello.hellos(2)] == [2, 2] and hello.empty()


def test_stop_in_the_middle(up, fifo):
    hello = fifo()
    u = up(web(f"hello:{hello}", "until:1", "(", READY, "pause", ")", "pause"))
    hello.hellos(3), u.wait_event("ready", nth=3, pool="web")
    rolling = u.start_ctl("restart", "--rolling", "web")
    hello.hello()
    u.ctl("stop", "web")
    assert u.pids() == [] and u.facts("web")["state"] == "stopped"
    assert rolling.finish().status in (FAILED, BUSY)


def test_shutdown_in_the_middle(up, fifo):
    hello = fifo()
    u = up(web(f"hello:{hello}", "until:1", "(", READY, "pause", ")", "pause"))
    hello.hellos(3), u.wait_event("ready", nth=3, pool="web")
    u.ctl("restart", "--rolling", "web", "--no-wait")
    hello.hello()
    assert u.stop() == 0


def test_old_one_that_dies_meanwhile(up, fifo):
    """It is restarted at once, and the roll comes to its end: one process a worker after it."""
    hello, go = fifo("hello"), fifo("go")
    u = up(web(f"hello:{hello}", "until:1", "(", READY, "pause", ")", f"await:{go}", READY,
               "pause"))
    first = {one.worker: one.pid for one in hello.hellos(3)}
    u.wait_event("ready", nth=3, pool="web")
    rolling = u.start_ctl("restart", "--rolling", "web")
    hello.hello()
    procs.kill(first[0])
    procs.kill(first[2])
    go.release(8)
    assert rolling.finish().status in (DONE, FAILED)
    procs.until(lambda: u.facts("web")["ready"] == 3, "all three")
    procs.until(lambda: len(u.pids()) == 3, "no fourth one")
    assert sorted(u.worker_pids("web").values()) == sorted(u.pids())


def test_replacement_that_is_killed(up_once, fifo):
    hello = fifo()
    u = up_once(web(f"hello:{hello}", "until:1", "(", READY, "pause", ")", "pause"))
    first = {one.worker: one.pid for one in hello.hellos(3)}
    u.wait_event("ready", nth=3, pool="web")
    rolling = u.start_ctl("restart", "--rolling", "web")
    procs.kill(hello.hello().pid)
    assert rolling.finish().status == FAILED
    assert u.worker_pids("web") == first


def test_old_one_that_does_not_want_to_go(up_once, fifo):
    """Its time is the stop timeout; then the roll goes on."""
    hello = fifo()
    u = up_once(web("ignore:TERM", f"hello:{hello}", READY, "pause", count=2,
                    TimeoutStopSec="100ms"))
    hello.hellos(2), u.wait_event("ready", nth=2, pool="web")
    u.ctl("restart", "--rolling", "web")
    new = {one.worker: one.pid for one in hello.hellos(2)}
    assert u.worker_pids("web") == new
    procs.until(lambda: sorted(u.pids()) == sorted(new.values()), "the end of the old ones")


def test_backing_off_and_failed_workers(up_once, fifo):
    """What does not run is not waited for."""
    hello = fifo()
    u = up_once(web(f"hello:{hello}", "only:1", "(", "exit:1", ")", READY, "pause",
                    Restart="no"))
    hello.hellos(3)
    u.wait_state("web", "failed", number=1)
    u.ctl("restart", "--rolling", "web", status=None)
    assert {one.worker for one in hello.hellos(2)} >= {0, 2}


def test_roll_of_a_stopped_pool(up_once, fifo):
    hello = fifo()
    u = up_once(web(f"hello:{hello}", READY, "pause"))
    hello.hellos(3), u.ctl("stop", "web")
    u.ctl("restart", "--rolling", "web", status=None)
    assert u.facts("web")["ready"] in (0, 3)


def test_again_and_again(up, fifo):
    hello = fifo()
    u = up(web(f"hello:{hello}", READY, "pause"))
    hello.hellos(3), u.wait_event("ready", nth=3, pool="web")
    for generation in range(2, 6):
        u.ctl("restart", "--rolling", "web")
        assert {one.generation for one in hello.hellos(3)} == {generation}
    u.wait_event("roll-done", nth=4)
    assert history(u) == (4, 3)  # one at a time


def test_stopping_stragglers_count_as_extra(up_once, fifo):
    """Old ones that take their time to go are within the surge: never five at once."""
    hello = fifo()
    u = up_once(web(f"hello:{hello}", READY, "ignore:TERM", "sleep:200", "pause", count=3,
                    TimeoutStopSec="60ms"))
    hello.hellos(3), u.wait_event("ready", nth=3, pool="web")
    u.ctl("restart", "--rolling", "web")
    u.wait_event("roll-done")
    assert history(u)[0] == 4


def test_hangup_of_brood_run_still_rolls(brood, fifo):
    hello = fifo()
    b = brood("-n", 3, cmd=play(f"hello:{hello}", "pause"))
    hello.hellos(3), b.wait_event("ready", nth=3)
    b.signal(signal.SIGHUP)
    assert [one.worker for one in hello.hellos(3)] == [0, 1, 2]
    b.wait_event("roll-done")

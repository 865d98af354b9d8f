# SPDX-License-Identifier: MIT
"""More workers and fewer, live: the highest number goes first, and gently."""

import pytest

from harness import procs
from harness.config import pool
from harness.settings import play
from harness.up import BUSY, DONE, FAILED, TIMED_OUT, USAGE


@pytest.fixture
def web(up, fifo):
    hello = fifo("hello")
    u = up(pool("web", play(f"hello:{hello}", "pause"), Workers=3, Restart="always"))
    u.hello = hello
    u.first = {one.worker: one.pid for one in hello.hellos(3)}
    u.ctl("wait", "web", "--for=ready")
    return u


def test_up(web):
    web.ctl("scale", "web", "5")
    assert sorted(one.worker for one in web.hello.hellos(2)) == [3, 4]
    pids = web.worker_pids("web")
    assert {n: pids[n] for n in range(3)} == web.first and web.facts("web")["ready"] == 5


def test_down(web):
    web.ctl("scale", "web", "1")
    assert web.worker_pids("web") == {0: web.first[0]} and web.pids() == [web.first[0]]


def test_down_and_up_again(web):
    web.ctl("scale", "web", "1")
    web.ctl("scale", "web", "3")
    assert sorted(one.worker for one in web.hello.hellos(2)) == [1, 2]
    assert web.worker_pids("web")[0] == web.first[0]


def test_by_so_many(web):
    web.ctl("scale", "web", "+2")
    web.ctl("scale", "web", "-1")
    assert sorted(web.worker_pids("web")) == [0, 1, 2, 3]


def test_to_none_and_back(web):
    web.ctl("scale", "web", "0", status=None)
    if web.facts("web")["workers"] == 0:
        assert web.pids() == []
        web.ctl("scale", "web", "2")
        assert len(web.hello.hellos(2)) == 2
    else:
        assert web.worker_pids("web") == web.first  # refused: nothing has changed


def test_many(up_once):
    u = up_once(pool("web", play("pause"), Workers=1))
    u.ctl("scale", "web", "300")
    assert len(u.pids()) == 300 and u.facts("web")["ready"] == 300
    u.ctl("scale", "web", "2")
    assert len(u.pids()) == 2


def test_beyond_what_can_be(web):
    done = web.ctl("scale", "web", "99999999999", status=None)
    assert done.status in (USAGE, BUSY, FAILED) and done.err
    assert web.worker_pids("web") == web.first


def test_down_is_gentle(up_once, fifo):
    """A worker that goes gets its stop signal and its time; it is not asked twice."""
    told, hello, go = fifo("told"), fifo("hello"), fifo("go")
    u = up_once(pool("web", play(f"tell:TERM={told}", f"hello:{hello}", f"await:{go}", "exit:0"),
                     Workers=2, Restart="always", TimeoutStopSec="60s"))
    pids = {one.worker: one.pid for one in hello.hellos(2)}
    scaling = u.start_ctl("scale", "web", "1")
    assert told.line() == f"TERM {pids[1]}"
    (leaving,) = u.workers("web", role="retiring")
    assert (leaving["worker"], leaving["pid"]) == (1, pids[1])
    assert scaling.running()
    procs.kill(pids[1])
    assert scaling.finish().status == DONE
    assert u.worker_pids("web") == {0: pids[0]} and told.empty()


def test_worker_that_is_wanted_again_while_it_goes(up_once, fifo):
    """There are never two with one number."""
    hello = fifo()
    u = up_once(pool("web", play("ignore:TERM", f"hello:{hello}", "pause"), Workers=2,
                     TimeoutStopSec="300ms"))
    pids = {one.worker: one.pid for one in hello.hellos(2)}
    u.ctl("scale", "web", "1", "--no-wait")
    procs.until(lambda: u.workers("web", role="retiring"), "one that goes")
    u.ctl("scale", "web", "2")
    again = hello.hello()
    assert again.worker == 1 and not procs.alive(pids[1])
    assert u.worker_pids("web") == {0: pids[0], 1: again.pid}


def test_timeout(up_once, fifo):
    hello = fifo()
    u = up_once(pool("web", play("ignore:TERM", f"hello:{hello}", "pause"), Workers=2,
                     TimeoutStopSec="60s", Restart="no"))
    pids = {one.worker: one.pid for one in hello.hellos(2)}
    u.ctl("scale", "web", "1", "--timeout", "50ms", status=TIMED_OUT)
    procs.kill(pids[1])
    procs.until(lambda: u.pids() == [pids[0]], "the end of the second")
    procs.kill(pids[0])


def test_up_that_fails(up_once):
    u = up_once(pool("web", play("only:1", "(", "exit:1", ")", "notify:READY=1", "pause"),
                     Type="notify", Restart="no"))
    u.ctl("wait", "web", "--for=ready")
    assert "web/1" in u.ctl("scale", "web", "2", status=FAILED).err


def test_failure_beside_it_is_not_counted_twice(web):
    """Workers die while the pool grows and shrinks: each restart happens once."""
    for count in (5, 2, 4, 1, 3):
        asked = web.start_ctl("scale", "web", str(count))
        for pid in web.pids()[:1]:
            procs.kill(pid)
        assert asked.finish().status in (DONE, FAILED)
    web.ctl("start", "web")
    procs.until(lambda: sorted(web.pids()) == sorted(web.worker_pids("web").values()), "no other")
    assert sorted(web.worker_pids("web")) == [0, 1, 2]


def test_of_a_stopped_pool(web):
    web.ctl("stop", "web")
    web.ctl("scale", "web", "2")
    assert web.pids() == [] and web.facts("web")["workers"] == 2
    web.ctl("start", "web")
    assert sorted(one.worker for one in web.hello.hellos(2)) == [0, 1]


def test_worker_is_told_how_many_there_are(up_once, fifo):
    report = fifo()
    u = up_once(pool("web", play(f"report:{report}", "pause")))
    assert report.report()["env"]["BROOD_WORKERS"] == "1"
    u.ctl("scale", "web", "2")
    assert report.report()["env"]["BROOD_WORKERS"] == "2"


def test_who_was_stopped_stays_so(up):
    """That is no failure of the scaling."""
    u = up(pool("web", play("pause"), Workers=2))
    u.ctl("wait", "web", "--for=ready")
    u.ctl("stop", "web/0")
    u.ctl("scale", "web", "3", status=DONE)
    assert sorted(u.worker_pids("web")) == [1, 2]


def test_a_number_that_comes_back_during_a_restart(up):
    """It begins with the first generation, as the one did that the restart is about."""
    u = up(pool("web", play("only:0", "(", "ignore:TERM", ")", "pause"), Workers=2,
                TimeoutStopSec="1s"))
    u.ctl("wait", "web", "--for=ready")
    restart = u.start_ctl("restart", "web", "--timeout", "9s")
    u.wait_event("ready", worker=1, generation=2)
    u.ctl("scale", "web", "1", "--no-wait")
    u.wait_event("stopped", worker=1, generation=2)
    u.ctl("scale", "web", "2", "--no-wait")
    u.wait_event("killing", worker=0)
    assert u.worker("web", 1)["generation"] == 1
    done = restart.finish()
    assert done.status == DONE, done.err

# SPDX-License-Identifier: MIT
"""WatchdogSec=: a worker that gives no sign of life is ended, and everybody can see why."""

import signal

import pytest

from harness import procs
from harness.config import pool
from harness.settings import SLOW, play

ALIVE = "notify:WATCHDOG=1"
READY = "notify:READY=1"


def watched(*words, seconds="200ms", **directives):
    return pool("web", play("limit:CORE=0", *words), Type="notify", WatchdogSec=seconds,
                **{"Restart": "no", **directives})


def test_silence_ends_it(up):
    u = up(watched(READY, "pause"))
    row = u.wait_event("exited", pool="web")
    assert row["cause_kind"] == "watchdog" and 0.2 <= row["ran"]
    assert "SIGABRT" in row["cause"] and "watchdog" in row["cause"]
    u.wait_state("web", "failed")
    assert u.worker("web")["cause"]["kind"] == "watchdog"


def test_signs_of_life_keep_it(up):
    interval = int(300 * SLOW)
    u = up(watched(READY, "repeat:12", "(", ALIVE, "sleep:50", ")", "exit:0",
                   seconds=f"{interval}ms"))
    row = u.wait_event("exited", pool="web")
    assert (row["cause_kind"], row["exit_status"]) == ("exit", 0)


def test_silence_after_signs(up_once):
    u = up_once(watched(READY, "repeat:5", "(", ALIVE, "sleep:50", ")", "pause"))
    row = u.wait_event("exited", pool="web")
    assert row["cause_kind"] == "watchdog" and row["ran"] >= 0.4


def test_not_before_it_is_ready(up_once):
    u = up_once(watched("sleep:400", "exit:7"))
    assert u.wait_event("exited", pool="web")["exit_status"] == 7


def test_one_that_does_not_go(up_once):
    u = up_once(watched("ignore:ABRT,TERM", READY, "pause", TimeoutStopSec="50ms"))
    row = u.wait_event("exited", pool="web")
    assert row["cause_kind"] == "watchdog" and "SIGKILL" in row["cause"]


def test_whole_tree_goes(up_once, fifo):
    hello = fifo()
    u = up_once(watched("fork", "(", "ignore:ABRT,TERM", f"hello:{hello}", "pause", ")",
                        "ignore:ABRT,TERM", READY, "pause", TimeoutStopSec="50ms"))
    pid = hello.hello().pid
    u.wait_event("exited", pool="web")
    u.wait_state("web", "failed")
    procs.until(lambda: not procs.alive(pid), "the child's end")


@pytest.mark.parametrize("mode", ["on-watchdog", "on-abnormal", "on-failure", "always"])
def test_restart(up_once, fifo, mode):
    hello = fifo()
    u = up_once(watched(f"hello:{hello}", "until:1", "(", READY, "pause", ")", READY, ALIVE,
                        "repeat:1000", "(", ALIVE, "sleep:20", ")", Restart=mode))
    assert [hello.hello().generation for _ in range(2)] == [1, 2]
    u.wait_event("ready", nth=2, pool="web")
    assert u.worker("web")["restarts"] == 1


def test_worker_is_told(up_once, fifo):
    report = fifo()
    up_once(watched(f"report:{report}", READY, "pause", seconds="30s"))
    seen = report.report()
    assert seen["env"]["WATCHDOG_USEC"] == "30000000"
    assert seen["env"]["WATCHDOG_PID"] == str(seen["pid"])


def test_nothing_is_told_without(up_once, fifo):
    report = fifo()
    up_once(pool("web", play(f"report:{report}", "pause")))
    assert not {"WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS"} & set(report.report()["env"])


def test_it_asks_for_it(up_once):
    u = up_once(watched(READY, "notify:WATCHDOG=trigger", "pause", seconds="60s"))
    assert u.wait_event("exited", pool="web")["cause_kind"] == "watchdog"


def test_it_changes_the_interval(up_once):
    u = up_once(watched(READY, "notify:WATCHDOG_USEC=100000", "pause", seconds="60s"))
    assert u.wait_event("exited", pool="web")["cause_kind"] == "watchdog"


def test_stop_beside_the_watchdog(up_once, fifo):
    """A stop by hand while it is being ended: one end, no restart."""
    told, hello = fifo("told"), fifo("hello")
    u = up_once(watched(f"tell:ABRT={told}", "ignore:TERM", f"hello:{hello}", READY, "pause",
                        seconds="100ms", TimeoutStopSec="200ms", Restart="always"))
    hello.hello()
    assert told.line().startswith("ABRT")
    u.ctl("stop", "web", status=None)
    assert u.worker("web")["state"] == "stopped" and hello.empty()


def test_standing_still_counts_as_silence(up_once, fifo):
    hello = fifo()
    u = up_once(watched(f"hello:{hello}", READY, "repeat:100000", "(", ALIVE, "sleep:20", ")",
                        seconds="300ms", TimeoutStopSec="100ms"))
    pid = hello.hello().pid
    u.wait_event("ready", pool="web")
    procs.kill(pid, signal.SIGSTOP)
    assert u.wait_event("exited", pool="web")["cause_kind"] == "watchdog"

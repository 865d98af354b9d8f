# SPDX-License-Identifier: MIT
"""Many workers with few descriptors; stops that are quick; clocks that jump."""

import os
import re
import shutil
import subprocess
import time

import pytest

from harness import procs
from harness.config import pool
from harness.settings import HELPERS, SLOW, around, environment, play, sanitized


def soft_limit(pid):
    with open(f"/proc/{pid}/limits") as file:
        return next(line.split()[3] for line in file if line.startswith("Max open files"))


@pytest.mark.deadline(60)
def test_two_thousand_workers(up_once):
    """Each has a pidfd in brood, whose own soft limit was 1024; the workers get that limit back."""
    u = up_once(pool("web", ["/bin/sleep", "infinity"], Workers=2000, Restart="always"), log=None,
                prefix=around("limit:NOFILE=1024"), options=["-q"])
    u.ctl("wait", "web", "--for=ready", "--timeout", f"{int(30 * SLOW)}s")
    pids = u.worker_pids("web")
    assert len(pids) == 2000 and len(set(pids.values())) == 2000
    assert soft_limit(pids[0]) == soft_limit(pids[1999]) == "1024"
    for number in range(0, 2000, 50):
        procs.kill(pids[number])
    procs.until(lambda: u.facts("web")["restarts"] == 40 and u.facts("web")["ready"] == 2000,
                "forty restarts")
    begin = time.monotonic()
    assert u.call("Status", pool="web")["pools"][0]["workers"] == 2000
    assert time.monotonic() - begin < 0.5 * SLOW
    u.ctl("scale", "web", "1500")
    assert len(u.pids()) == 1500
    assert u.stop() == 0


@pytest.mark.deadline(60)
def test_notify_socket_for_each_of_many(up_once):
    """Two descriptors for each worker, or more."""
    u = up_once(pool("web", play("notify:READY=1", "pause"), Workers=700, Type="notify"),
                log=None, prefix=around("limit:NOFILE=1024"), options=["-q"])
    u.ctl("wait", "web", "--for=ready", "--timeout", f"{int(30 * SLOW)}s")
    assert u.facts("web")["ready"] == 700
    assert u.stop() == 0


def test_many_pools(up_once):
    u = up_once(*(pool(f"p{i}", ["/bin/sleep", "infinity"]) for i in range(200)))
    u.ctl("wait", "--all", "--for=ready")
    assert len(u.pids()) == 200
    u.ctl("restart", "--all")
    assert len(u.pids()) == 200
    assert u.stop() == 0


# --- stops that are quick


def backing_off(up, fifo):
    hello = fifo()
    u = up(pool("web", play(f"hello:{hello}", "exit:1"), Restart="always", RestartSec="60s"))
    hello.hello()
    u.wait_event("backoff", pool="web")
    return u


def test_stop_during_a_long_backoff(up, fifo):
    u = backing_off(up, fifo)
    with u.connect() as client:
        begin = time.monotonic()
        client.call("Stop", pools=["web"])
        assert time.monotonic() - begin < 0.1 * SLOW
    assert u.worker("web")["state"] == "stopped"


def test_end_during_a_long_backoff(up, fifo):
    u = backing_off(up, fifo)
    begin = time.monotonic()
    assert u.stop() in (0, 1)
    assert time.monotonic() - begin < 0.1 * SLOW


# --- clocks


TIMED = {"Restart": "always", "RestartSec": "400ms"}


@pytest.mark.skipif(sanitized(), reason="a sanitizer wants to be loaded first")
def test_wall_clock_goes_back_an_hour(up_once, fifo, scratch):
    """While a backoff, a start timeout, a watchdog and an age run: each ends when it should.

    The clock of the machine is not the test's to set: what brood reads is set back, by a library
    that is preloaded. That the kernel gets no time of that clock is the next test's affair."""
    jump, hello = scratch / "jump", fifo()
    u = up_once(
        pool("job", play(f"hello:{hello}", "exit:1"), **TIMED),
        pool("slow", play("pause"), Type="notify", TimeoutStartSec="400ms", Restart="no"),
        pool("dumb", play("limit:CORE=0", "notify:READY=1", "pause"), Type="notify",
             WatchdogSec="400ms", Restart="no"),
        pool("aged", play("notify:READY=1", "pause"), Type="notify", RuntimeMaxSec="400ms",
             Restart="no"),
        env=environment(LD_PRELOAD=os.path.join(HELPERS, "libclock.so"),
                        BROOD_TEST_CLOCK=str(jump)))
    hello.hello()
    jump.write_text("")
    begin = time.monotonic()
    hello.hello()
    assert 0.2 < time.monotonic() - begin < 2 * SLOW
    kinds = {u.wait_event("exited", pool=name)["cause_kind"] for name in ("slow", "dumb", "aged")}
    assert kinds == {"start-timeout", "watchdog", "runtime"}
    assert all(0.3 < row["ran"] < 3 * SLOW for row in u.select_events("exited")
               if row["pool"] != "job")
    # It did jump: the log says so.
    times = [row["time"] for row in u.events]
    assert min(times[1:]) < times[0]
    u.ctl("stop", "job")
    assert 0 <= u.call("Status")["brood"]["started"] < time.time()
    (web,) = u.call("Status", pool="aged")["pools"][0]["workers_list"]
    assert web["since"] >= 0
    assert u.stop() in (0, 1)


@pytest.mark.skipif(not shutil.which("strace") or sanitized(), reason="needs strace")
def test_no_timer_of_the_wall_clock(up, fifo, scratch):
    """Every timer that brood gives to the kernel is of a clock that nobody can set."""
    trace, hello = scratch / "trace", fifo()
    u = up(pool("job", play(f"hello:{hello}", "until:2", "(", "exit:1", ")", "pause"),
                Restart="always", RestartSec="50ms"),
           pool("watched", play("notify:READY=1", "pause"), Type="notify", WatchdogSec="60s"),
           prefix=["strace", "-f", "-o", trace, "-e", "trace=timerfd_create,timerfd_settime,"
                   "timer_create,setitimer,alarm,clock_nanosleep,futex,ppoll,epoll_pwait2"],
           pid_source=only_child)
    for _ in range(3):
        hello.hello()
    u.ctl("wait", "watched", "--for=ready")
    u.ctl("shutdown")
    u.wait()
    text = trace.read_text()
    assert re.search(r"timerfd_create\(CLOCK_(MONOTONIC|BOOTTIME)", text)
    for wrong in (r"timerfd_create\(CLOCK_REALTIME", r"timer_create\(CLOCK_REALTIME", r"setitimer\(",
                  r"alarm\(", r"clock_nanosleep\(CLOCK_REALTIME, TIMER_ABSTIME",
                  r"FUTEX_CLOCK_REALTIME[^)\n]*tv_sec"):
        assert not re.search(wrong, text), wrong


def only_child(strace):
    return procs.until(lambda: procs.children(strace), "brood below strace")[0]


def time_namespace():
    done = subprocess.run(["unshare", "--time", "--monotonic", "1000", "true"], check=False,
                          stderr=subprocess.DEVNULL)
    return done.returncode == 0


@pytest.mark.parametrize("shift", ["3600", "1000000000"])
def test_other_monotonic_clock(up_once, fifo, shift):
    """In a time namespace whose clocks have run for longer: nothing depends on where they stand."""
    if not time_namespace():
        pytest.skip("this user may make no time namespace here")
    hello = fifo()
    u = up_once(
        pool("job", play(f"hello:{hello}", "until:2", "(", "exit:1", ")", "pause"), **TIMED),
        pool("dumb", play("limit:CORE=0", "notify:READY=1", "pause"), Type="notify",
             WatchdogSec="200ms", Restart="no"),
        prefix=["unshare", "--time", "--fork", "--monotonic", shift, "--boottime", shift],
        pid_source=only_child)
    assert [hello.hello().generation for _ in range(3)] == [1, 2, 3]
    assert u.wait_event("exited", pool="dumb")["cause_kind"] == "watchdog"
    u.ctl("wait", "job", "--for=ready")
    one = u.worker("job")
    assert one["uptime"] < 60 and one["since"] < 60
    u.ctl("shutdown", status=None)
    u.wait()

# SPDX-License-Identifier: MIT
"""Who comes back: policies, exit lists, generations, backoff, start limit, total of restarts."""

import datetime
import os
import signal
import time

import pytest

from harness import procs
from harness.settings import play

ENDINGS = {"clean": "exit:0", "failure": "exit:3", "crash": "raise:SEGV", "kill": "raise:KILL"}
STATUSES = {"clean": 0, "failure": 3, "crash": 128 + signal.SIGSEGV, "kill": 128 + signal.SIGKILL}
COMES_BACK = {
    "no": (),
    "on-failure": ("failure", "crash", "kill"),
    "on-abnormal": ("crash", "kill"),
    "always": ("clean", "failure", "crash", "kill"),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("policy", COMES_BACK)
def test_policy(brood, fifo, policy, ending):
    hello = fifo("hello")
    b = brood("--restart", policy,
              cmd=play(f"hello:{hello}", "until:1", "(", ENDINGS[ending], ")", "pause"))
    first = hello.hello()
    assert (first.worker, first.generation) == (0, 1)
    if ending in COMES_BACK[policy]:
        second = hello.hello()
        assert (second.worker, second.generation) == (0, 2)
        assert second.pid != first.pid
        b.stop()
    else:
        assert b.wait() == STATUSES[ending]
        assert hello.empty()


def test_default_policy_is_on_failure(brood, fifo):
    hello = fifo()
    b = brood(cmd=play(f"hello:{hello}", "until:1", "(", "exit:1", ")", "exit:0"))
    assert [h.generation for h in hello.hellos(2)] == [1, 2]
    assert b.wait() == 0
    assert hello.empty()


def test_workers_are_numbered_and_keep_their_numbers(brood, fifo):
    hello = fifo()
    b = brood("-n", 4, cmd=play(f"hello:{hello}", "pause"))
    first = {h.worker: h for h in hello.hellos(4)}
    assert sorted(first) == [0, 1, 2, 3]
    assert sorted(b.pids()) == sorted(h.pid for h in first.values())
    for worker in (2, 0):
        procs.kill(first[worker].pid)
        again = hello.hello()
        assert (again.worker, again.generation) == (worker, 2)
    assert b.stop() == 0


def test_environment_of_workers(brood, fifo):
    report = fifo()
    b = brood("-n", 2, "--name", "shop",
              cmd=play(f"report:{report}", "until:1", "(", "exit:1", ")", "pause"))
    seen = [report.report()["env"] for _ in range(4)]
    b.stop()
    told = sorted((e["BROOD_WORKER"], e["BROOD_GENERATION"]) for e in seen)
    assert told == [("0", "1"), ("0", "2"), ("1", "1"), ("1", "2")]
    assert {e["BROOD_POOL"] for e in seen} == {"shop"}
    assert {e["BROOD_WORKERS"] for e in seen} == {"2"}


def test_auto_is_the_number_of_usable_cpus(brood, fifo):
    hello = fifo()
    b = brood("--workers=auto", prefix=["taskset", "-c", "0"], cmd=play(f"hello:{hello}", "pause"))
    hello.hello()
    b.wait_event("started")
    assert len(b.pids()) == 1
    b.stop()
    b = brood("-n", "auto", cmd=play(f"hello:{hello}", "pause"))
    hello.hello()
    for nth in range(1, len(b.pids()) + 1):
        b.wait_event("started", nth=nth)
    assert 1 <= len(b.pids()) <= len(os.sched_getaffinity(0))
    b.stop()


def test_success_exits_do_not_come_back(brood, fifo):
    hello = fifo()
    b = brood("-n", 2, "--success-exit", "0,75,SIGUSR1",
              cmd=play(f"hello:{hello}", "only:0", "(", "exit:75", ")", "raise:USR1"))
    assert b.wait() == 0
    assert len(hello.hellos(2)) == 2 and hello.empty()


def test_failure_besides_the_success_exits_does(brood, fifo):
    hello = fifo()
    b = brood("-n", 2, "--success-exit", "0,75",
              cmd=play(f"hello:{hello}", "until:1", "(", "exit:76", ")", "exit:75"))
    assert b.wait() == 0
    assert sorted(h.generation for h in hello.hellos(4)) == [1, 1, 2, 2]


def test_prevented_exits_stay_down(brood, fifo):
    hello = fifo()
    b = brood("-n", 2, "--restart", "always", "--prevent-exit", "4,SIGSEGV",
              cmd=play(f"hello:{hello}", "only:0", "(", "exit:4", ")", "raise:SEGV"))
    assert b.wait() == 1
    assert len(hello.hellos(2)) == 2 and hello.empty()


# --- backoff


def moment(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def test_backoff_grows_up_to_its_cap(brood, fifo):
    hello = fifo()
    b = brood("--backoff", "base=40ms,factor=2,max=100ms,jitter=0%,reset=60s",
              cmd=play(f"hello:{hello}", "until:5", "(", "exit:1", ")", "pause"))
    hello.hellos(6)
    waits = []
    for generation in range(1, 6):
        ended = b.wait_event("exited", generation=generation)
        begun = b.wait_event("started", generation=generation + 1)
        waits.append(moment(begun) - moment(ended))
    # The first restart is at once; a timer may be late, never early.
    for wait, least in zip(waits, (0, 0.040, 0.080, 0.100, 0.100)):
        assert wait >= least - 0.002, waits
    assert waits[0] < waits[3]
    assert not b.select_events("backoff", generation=1)
    assert len(b.select_events("backoff")) == 4
    b.stop()


def test_second_failure_in_a_row_waits(brood, fifo):
    hello = fifo()
    b = brood("--backoff", "60s", cmd=play(f"hello:{hello}", "exit:1"))
    assert [h.generation for h in hello.hellos(2)] == [1, 2]
    b.wait_event("backoff")
    assert not b.select_events("started", generation=3)
    b.stop()
    assert hello.empty()


@pytest.mark.parametrize("value", ["60s", "60s..90s", "base=60s,factor=3,max=2m,jitter=0%"])
def test_backoff_is_kept_for_each_worker_alone(brood, fifo, value):
    hello = fifo()
    b = brood("-n", 2, "--backoff", value,
              cmd=play(f"hello:{hello}", "only:0", "(", "exit:1", ")", "pause"))
    hello.hellos(3)
    b.wait_event("backoff", worker=0)
    other = b.wait_event("started", worker=1)
    procs.kill(other["pid"])
    again = hello.hello()
    assert (again.worker, again.generation) == (1, 2)
    b.stop()


def test_backoff_none_never_waits(brood, fifo):
    hello = fifo()
    b = brood("--backoff", "none", cmd=play(f"hello:{hello}", "until:30", "(", "exit:1", ")"))
    assert b.wait() == 0
    assert [h.generation for h in hello.hellos(31)] == list(range(1, 32))
    assert not b.select_events("backoff")


def test_stable_run_starts_the_backoff_over(brood, fifo):
    hello, go = fifo("hello"), fifo("go")
    b = brood("--backoff", "base=60s,reset=100ms",
              cmd=play(f"hello:{hello}", "until:1", "(", "exit:1", ")", f"await:{go}", "exit:1"))
    hello.hellos(2)
    time.sleep(0.25)  # the stable run itself: longer than reset
    go.release()
    assert hello.hello().generation == 3
    assert not b.select_events("backoff")
    b.stop()


# --- giving up


def test_start_limit_gives_up_on_one_worker(brood, fifo):
    hello, go = fifo("hello"), fifo("go")
    b = brood("-n", 2, "--backoff", "none", "--start-limit", "3/60s",
              cmd=play(f"hello:{hello}", "only:0", "(", "exit:1", ")", f"await:{go}"))
    seen = hello.hellos(4)
    assert sorted(h.generation for h in seen if h.worker == 0) == [1, 2, 3]
    b.wait_event("given-up", worker=0)
    other = next(h for h in seen if h.worker == 1)
    assert procs.alive(other.pid)
    go.release()
    assert b.wait() == 1


def test_start_limit_of_the_only_worker_passes_its_status(brood, fifo):
    hello = fifo()
    b = brood("--backoff", "none", "--start-limit", "2/60s", cmd=play(f"hello:{hello}", "exit:9"))
    assert b.wait() == 9
    assert len(hello.hellos(2)) == 2 and hello.empty()


@pytest.mark.parametrize("action", ["stop", "exit"])
def test_start_limit_that_ends_the_others(brood, fifo, action):
    hello = fifo()
    b = brood("-n", 3, "--backoff", "none", "--start-limit", "2/60s",
              "--start-limit-action", action,
              cmd=play(f"hello:{hello}", "only:0", "(", "exit:1", ")", "pause"))
    assert b.wait() == 1
    assert len(b.select_events("started", worker=0)) == 2
    assert all(len(b.select_events("started", worker=w)) == 1 for w in (1, 2))


def test_start_limit_counts_only_its_interval(brood, fifo):
    hello = fifo()
    b = brood("--backoff", "20ms..20ms", "--start-limit", "2/1ms",
              cmd=play(f"hello:{hello}", "until:6", "(", "exit:1", ")"))
    assert b.wait() == 0
    hello.hellos(7)


def test_max_restarts_used_up_stops_the_siblings(brood, fifo):
    hello = fifo()
    b = brood("-n", 3, "--backoff", "none", "--max-restarts", 4,
              cmd=play(f"hello:{hello}", "only:1", "(", "exit:1", ")", "pause"))
    assert b.wait() == 3
    seen = hello.hellos(7)
    assert sorted(h.generation for h in seen if h.worker == 1) == [1, 2, 3, 4, 5]
    assert hello.empty()
    assert b.select_events("restart-limit")


def test_max_restarts_is_over_the_whole_pool(brood, fifo):
    hello = fifo()
    b = brood("-n", 4, "--backoff", "none", "--max-restarts", 6,
              cmd=play(f"hello:{hello}", "exit:1"))
    assert b.wait() == 3
    hello.hellos(5)
    started = b.select_events("started")
    assert len(started) <= 10


def test_max_restarts_of_the_only_worker_passes_its_status(brood, fifo):
    hello = fifo()
    b = brood("--backoff", "none", "--max-restarts", 2, cmd=play(f"hello:{hello}", "exit:9"))
    assert b.wait() == 9
    assert len(hello.hellos(3)) == 3 and hello.empty()


def test_max_restarts_zero(brood, fifo):
    hello = fifo()
    b = brood("-n", 2, "--max-restarts", 0,
              cmd=play(f"hello:{hello}", "only:0", "(", "exit:1", ")", "pause"))
    assert b.wait() == 3

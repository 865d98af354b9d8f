# SPDX-License-Identifier: MIT
"""The exit status of `brood run`, row by row of its table."""

import signal

import pytest

from harness.settings import play


@pytest.mark.parametrize("words, status", [
    (["exit:0"], 0),
    (["exit:1"], 1),
    (["exit:77"], 77),
    (["exit:125"], 125),
    (["exit:255"], 255),
    (["raise:KILL"], 137),
    (["raise:SEGV"], 139),
    (["raise:TERM"], 143),
])
def test_one_worker_passes_its_own(brood, words, status):
    assert brood("--restart", "no", cmd=play(*words)).wait() == status


@pytest.mark.parametrize("words, status", [
    (["exit:0"], 0),
    (["only:0", "(", "exit:5", ")"], 1),
    (["exit:5"], 1),
    (["only:2", "(", "raise:KILL", ")"], 1),
])
def test_several_workers(brood, words, status):
    assert brood("-n", 3, "--restart", "no", cmd=play(*words)).wait() == status


def test_stopped_on_request_is_clean(brood, fifo):
    hello = fifo()
    b = brood("-n", 3, cmd=play(f"hello:{hello}", "pause"))
    hello.hellos(3)
    b.signal(signal.SIGTERM)
    assert b.wait() == 0


def test_one_worker_stopped_on_request_is_clean(brood, fifo):
    hello = fifo()
    b = brood(cmd=play(f"hello:{hello}", "pause"))
    hello.hello()
    b.signal(signal.SIGTERM)
    assert b.wait() == 0


@pytest.mark.parametrize("count, status", [(1, 137), (2, 1)])
def test_stopped_with_kill_is_not(brood, fifo, count, status):
    hello = fifo()
    b = brood("-n", count, "--stop-timeout", "50ms",
              cmd=play("ignore:TERM", f"hello:{hello}", "pause"))
    hello.hellos(count)
    b.signal(signal.SIGTERM)
    assert b.wait() == status
    assert len(b.select_events("killing")) == count


def test_worker_that_ends_cleanly_on_its_stop_signal(brood, fifo):
    hello = fifo()
    b = brood("-n", 2, cmd=play("quit:TERM=0", f"hello:{hello}", "pause"))
    hello.hellos(2)
    assert b.stop() == 0


def test_all_done_by_themselves(brood):
    b = brood("-n", 5, cmd=["true"])
    assert b.wait() == 0
    assert sorted(row["worker"] for row in b.select_events("done")) == [0, 1, 2, 3, 4]

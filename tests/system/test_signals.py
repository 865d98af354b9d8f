# SPDX-License-Identifier: MIT
"""What brood does with the signals it gets, and what its workers get."""

import signal

import pytest

from harness import procs
from harness.settings import around, play


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop_gracefully(brood, fifo, number):
    hello, told = fifo("hello"), fifo("told")
    b = brood("-n", 2, cmd=play(f"tell:TERM={told}", "quit:USR2=0", f"hello:{hello}", "pause"))
    seen = hello.hellos(2)
    b.signal(number)
    lines = sorted(told.lines(2))
    assert lines == sorted(f"TERM {h.pid}" for h in seen)
    assert not b.ended
    for h in seen:
        procs.kill(h.pid, signal.SIGUSR2)
    assert b.wait() == 0


def test_stop_signal_of_choice(brood, fifo):
    hello, told = fifo("hello"), fifo("told")
    b = brood("--stop-signal", "SIGUSR1",
              cmd=play(f"tell:USR1={told}", "quit:USR2=0", f"hello:{hello}", "pause"))
    pid = hello.hello().pid
    b.signal(signal.SIGTERM)
    assert told.line() == f"USR1 {pid}"
    procs.kill(pid, signal.SIGUSR2)
    assert b.wait() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_kills_at_once(brood, fifo, second):
    hello = fifo()
    b = brood("-n", 3, "--stop-timeout", "1h", cmd=play("ignore:TERM", f"hello:{hello}", "pause"))
    hello.hellos(3)
    b.signal(signal.SIGTERM)
    for worker in range(3):
        b.wait_event("stopping", worker=worker)
    b.signal(second)
    assert b.wait() == 1


def test_no_restart_while_stopping(brood, fifo):
    hello, told = fifo("hello"), fifo("told")
    b = brood("-n", 2, "--restart", "always",
              cmd=play(f"tell:TERM={told}", f"hello:{hello}", "pause"))
    first, second = hello.hellos(2)
    b.signal(signal.SIGTERM)
    told.lines(2)
    procs.kill(first.pid)
    b.wait_event("exited", pid=first.pid)
    procs.kill(second.pid)
    b.wait()
    assert hello.empty()


def test_stop_ends_a_backoff(brood, fifo):
    hello = fifo()
    b = brood("-n", 2, "--backoff", "1h", cmd=play(f"hello:{hello}", "exit:1"))
    hello.hellos(4)
    b.wait_event("backoff", worker=0)
    b.wait_event("backoff", worker=1)
    b.signal(signal.SIGTERM)
    assert b.wait() in (0, 1)


def test_a_stopped_process_can_be_stopped(brood, fifo):
    """SIGTERM alone would wait for a SIGCONT for ever."""
    hello = fifo()
    b = brood("--stop-timeout", "200ms", cmd=play(f"hello:{hello}", "raise:STOP", "pause"))
    pid = hello.hello().pid
    procs.until(lambda: procs.stat(pid)[0] == "T", "the process to stand still")
    b.signal(signal.SIGTERM)
    b.wait()


# --- SIGHUP: one after another


def rounds(b):
    """Worker by worker: the events of the roll, checked to be one after another."""
    rows = b.order("stopping", "exited", "started")
    rows = rows[[row[0] for row in rows].index("stopping"):]
    return [rows[i:i + 3] for i in range(0, len(rows), 3)]


def test_hup_restarts_one_after_another(brood, fifo):
    hello = fifo()
    b = brood("-n", 3, cmd=play(f"hello:{hello}", "pause"))
    first = {h.worker: h.pid for h in hello.hellos(3)}
    for worker in range(3):
        b.wait_event("started", worker=worker)
    b.signal(signal.SIGHUP)
    b.wait_event("rolling")
    second = {h.worker: h for h in hello.hellos(3)}
    b.wait_event("roll-done")
    assert sorted(second) == [0, 1, 2]
    assert all(h.generation == 2 and h.pid != first[w] for w, h in second.items())
    for worker, steps in enumerate(rounds(b)):
        assert steps == [("stopping", worker), ("exited", worker), ("started", worker)], b.text()
    assert b.stop() == 0


def test_hup_counts_as_no_restart(brood, fifo):
    hello = fifo()
    b = brood("-n", 2, "--max-restarts", 0, "--start-limit", "1/1h", "--backoff", "1h",
              cmd=play(f"hello:{hello}", "pause"))
    hello.hellos(2)
    for generation in range(2, 5):
        b.signal(signal.SIGHUP)
        assert sorted(tuple(h)[1:] for h in hello.hellos(2)) == [(0, generation), (1, generation)]
        b.wait_event("roll-done", nth=generation - 1)
    assert not b.select_events("backoff")
    assert b.stop() == 0


def test_hup_during_a_roll_is_not_lost(brood, fifo):
    """The second roll comes after or into the first: in the end nobody is older than it."""
    hello, told, go = fifo("hello"), fifo("told"), fifo("go")
    b = brood("-n", 2, "--restart", "always",
              cmd=play("until:1", "(", f"tell:TERM={told}", f"hello:{hello}", f"await:{go}",
                       "exit:0", ")", f"hello:{hello}", "pause"))
    hello.hellos(2)
    b.signal(signal.SIGHUP)
    told.line()
    b.signal(signal.SIGHUP)
    go.release(2)
    b.wait_event("roll-done")
    for worker in (0, 1):
        b.wait_event("started", worker=worker, generation=2)
    b.stop()


def test_term_during_a_roll_stops_all(brood, fifo):
    hello, told = fifo("hello"), fifo("told")
    b = brood("-n", 3, "--stop-timeout", "1h",
              cmd=play(f"tell:TERM={told}", "quit:USR2=0", f"hello:{hello}", "pause"))
    seen = hello.hellos(3)
    b.signal(signal.SIGHUP)
    told.line()
    b.signal(signal.SIGTERM)
    for h in seen[1:]:
        told.line()
    for h in seen:
        procs.kill(h.pid, signal.SIGUSR2)
    b.wait()
    assert hello.empty()


def test_crash_during_a_roll_is_healed(brood, fifo):
    hello, told = fifo("hello"), fifo("told")
    b = brood("-n", 2, cmd=play("until:1", "(", f"tell:TERM={told}", f"hello:{hello}", "pause", ")",
                                f"hello:{hello}", "pause"))
    first = {h.worker: h.pid for h in hello.hellos(2)}
    b.signal(signal.SIGHUP)
    told.line()
    procs.kill(first[1])
    assert hello.hello()[1:] == (1, 2)
    procs.kill(first[0])
    seen = hello.hello()
    assert seen[1:] == (0, 2)
    b.wait_event("roll-done")
    b.stop()


# --- forwarding


@pytest.mark.parametrize("number", ["USR1", "USR2", "WINCH"])
def test_forwarded_by_default(brood, fifo, number):
    hello, told = fifo("hello"), fifo("told")
    b = brood("-n", 3, cmd=play(f"tell:{number}={told}", f"hello:{hello}", "pause"))
    seen = hello.hellos(3)
    b.signal(getattr(signal, "SIG" + number))
    assert sorted(told.lines(3)) == sorted(f"{number} {h.pid}" for h in seen)
    b.stop()


def test_forward_list_replaces_the_default(brood, fifo):
    hello, told = fifo("hello"), fifo("told")
    b = brood("--forward", "SIGCONT,USR2",
              cmd=play(f"tell:USR1={told}", f"tell:USR2={told}", f"hello:{hello}", "pause"))
    pid = hello.hello().pid
    b.signal(signal.SIGUSR1)
    b.signal(signal.SIGUSR2)
    assert told.line() == f"USR2 {pid}"
    assert told.empty() and procs.alive(pid)
    assert b.stop() == 0


def test_forward_none(brood, fifo):
    hello, told = fifo("hello"), fifo("told")
    b = brood("--forward", "none",
              cmd=play(f"tell:USR1={told}", f"tell:TERM={told}", "quit:QUIT=0", f"hello:{hello}",
                       "pause"))
    pid = hello.hello().pid
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
        b.signal(number)
    b.signal(signal.SIGTERM)
    assert told.line() == f"TERM {pid}"
    procs.kill(pid, signal.SIGQUIT)
    assert b.wait() == 0


def test_signals_that_were_ignored_at_the_start(brood, fifo):
    """Under nohup or in a background job brood still stops on SIGTERM, and rolls on SIGHUP."""
    hello = fifo()
    b = brood("-n", 2, prefix=around("ignore:HUP,INT,QUIT,TERM,CHLD,PIPE,USR1", "block:all"),
              cmd=play(f"hello:{hello}", "pause"))
    seen = hello.hellos(2)
    procs.kill(seen[0].pid)
    assert hello.hello()[1:] == (seen[0].worker, 2)
    b.signal(signal.SIGTERM)
    assert b.wait() == 0

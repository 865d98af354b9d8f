# SPDX-License-Identifier: MIT
"""Resources that run out, and starts that take long: the others go on, and what can heal heals."""

import os
import pathlib
import subprocess

import pytest

from harness import procs
from harness.probe import needs_root
from harness.settings import around, environment, play

# A user that nobody is, and no test that runs beside this one: the kernel counts his processes.
USER = 100000 + os.getpid()


def told(hello):
    """The hellos that have come so far."""
    result = []
    while not hello.empty():
        result.append(hello.hello())
    return result


@needs_root
def test_no_more_processes_for_this_user(brood, fifo):
    """RLIMIT_NPROC: fork is refused with EAGAIN until somebody else of this user goes."""
    hello, other = fifo("hello"), fifo("other")
    fillers = [subprocess.Popen([*around(f"user:{USER}"), *play(f"hello:{other}", "pause")],
                                env=environment()) for _ in range(8)]
    other.hellos(8)
    # Room for the fillers, brood (whose threads count, too), and some of its workers.
    b = brood("-n", 8, "--backoff", "10ms..50ms",
              prefix=around("limit:NPROC=14:14", f"user:{USER}"),
              cmd=play(f"hello:{hello}", "pause"))
    failed = b.wait_event("spawn-failed", nth=10)
    assert "Resource temporarily unavailable" in failed["cause"]
    first = [hello.hello(), *told(hello)]
    assert all(procs.alive(h.pid) for h in first)
    for filler in fillers:
        filler.kill()
        filler.wait()
    rest = hello.hellos(8 - len(first))
    assert {h.worker for h in first + rest} == set(range(8))
    assert all(procs.alive(h.pid) for h in first)
    assert b.stop() == 0


@pytest.fixture
def pids_group():
    """A cgroup of the pids controller (v1 or v2) with a limit that the test sets."""
    base = pathlib.Path("/sys/fs/cgroup")
    for parent in (base / "pids", base):
        group = parent / f"brood-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / "pids.max").exists():
            break
        group.rmdir()
    else:
        pytest.skip("no cgroup with a pids limit may be made here")
    yield group
    procs.kill_all()
    procs.until(lambda: not (group / "cgroup.procs").read_text(), "an empty cgroup")
    group.rmdir()


def test_no_more_processes_in_the_cgroup(brood, fifo, pids_group):
    hello = fifo()
    (pids_group / "pids.max").write_text("6")
    enter = ["sh", "-c", f'echo $$ > {pids_group}/cgroup.procs; exec "$@"', "sh"]
    b = brood("-n", 6, "--backoff", "10ms..50ms", prefix=enter, cmd=play(f"hello:{hello}", "pause"))
    failed = b.wait_event("spawn-failed", nth=10)
    assert "Resource temporarily unavailable" in failed["cause"]
    first = [hello.hello(), *told(hello)]
    assert len(first) < 6
    procs.kill(first[0].pid)
    # A free place: somebody gets it, and the others were not touched.
    hello.hello()
    assert all(procs.alive(h.pid) for h in first[1:])
    (pids_group / "pids.max").write_text("max")
    procs.until(lambda: len(b.pids()) == 6, "six workers")
    assert all(procs.alive(h.pid) for h in first[1:])
    assert b.stop() == 0


def test_no_more_descriptors(brood, fifo):
    """A hard limit that is too low for all: some workers live, the others wait their turn."""
    hello, go = fifo("hello"), fifo("go")
    b = brood("-n", 40, "--backoff", "10ms..50ms", prefix=around("limit:NOFILE=30:30"),
              cmd=play(f"hello:{hello}", f"await:{go}"))
    failed = b.wait_event("spawn-failed", nth=40)
    assert "Too many open files" in failed["cause"]
    first = [hello.hello(), *told(hello)]
    assert all(procs.alive(h.pid) for h in first)
    # Whoever is done makes room for one that waits: in the end each has had its turn.
    workers = {h.worker for h in first}
    go.release(40)
    while len(workers) < 40:
        workers.add(hello.hello().worker)
    assert b.wait() == 0


@pytest.mark.parametrize("count", range(4, 14))
def test_limit_of_descriptors_that_leaves_no_room(brood, count):
    """Too few even for brood itself: a clear line, no crash; it may go on trying until SIGTERM."""
    b = brood(cmd=["true"], prefix=around(f"limit:NOFILE={count}:{count}"))
    procs.until(lambda: b.ended or b.select_events("spawn-failed"), "any outcome")
    if not b.select_events("exited"):
        assert "Too many open files" in b.text(), b.text()
    assert b.stop() in (0, 1, 125, 126)


# --- a slow exec


def test_slow_exec_holds_nobody_else_up(inject, fifo):
    """One start hangs in exec (a cold disk, a dead server): the others restart meanwhile."""
    hello = fifo()
    b, log = inject(["execve=delay:3000@5"], "-n", 4, children=True,
                    cmd=play(f"hello:{hello}", "pause"))
    first = {h.worker: h for h in hello.hellos(4)}
    procs.kill(first[0].pid)
    assert log.line() == "injected execve 5 delay:3000"
    for worker in (1, 2, 3):
        procs.kill(first[worker].pid)
    # In the order of their arrival, no clock needed: the held one comes last.
    assert [h.worker for h in hello.hellos(4)].index(0) == 3
    assert b.stop() == 0


def test_stop_during_a_slow_exec(inject, fifo):
    hello = fifo()
    b, log = inject(["execve=delay:2000@3"], "-n", 2, "--stop-timeout", "100ms", children=True,
                    cmd=play(f"hello:{hello}", "pause"))
    first = hello.hellos(2)
    procs.kill(first[0].pid)
    assert log.line().startswith("injected")
    b.stop()


def test_death_during_a_slow_exec(inject, fifo):
    """Killed between clone and exec: an exit like any other, the worker comes back."""
    hello = fifo()
    b, log = inject(["execve=delay:60000@3"], "-n", 2, "--backoff", "none", children=True,
                    cmd=play(f"hello:{hello}", "pause"))
    first = hello.hellos(2)
    procs.kill(first[0].pid)
    assert log.line().startswith("injected")
    other = next(h.pid for h in first if h is not first[0])
    held = procs.until(lambda: [pid for pid in b.pids() if pid != other], "the held child")
    procs.kill(held[0])
    h = hello.hello()
    assert h.worker == first[0].worker and h.generation >= 2
    assert b.stop() == 0


@pytest.mark.parametrize("call", ["clone3", "close_range"])
def test_slow_exec_with_the_fallback(inject, fifo, call):
    """What the fallback may cost is time, never a lost worker."""
    hello = fifo()
    b, _ = inject(["execve=delay:300@3"], "-n", 2, children=True,
                  before=around(f"refuse:{call}=ENOSYS"), cmd=play(f"hello:{hello}", "pause"))
    first = hello.hellos(2)
    procs.kill(first[0].pid)
    assert hello.hello()[1:] == (first[0].worker, 2)
    assert b.stop() == 0

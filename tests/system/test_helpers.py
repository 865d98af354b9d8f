# SPDX-License-Identifier: MIT
"""The tests' own tools do what the tests believe: without that, green means nothing."""

import os
import select
import signal
import subprocess

import pytest

from harness import procs
from harness.settings import INJECT, around, play


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_worker_ends_as_told():
    assert run(*play("exit:7")).returncode == 7
    assert run(*play("raise:SEGV")).returncode == -signal.SIGSEGV
    assert run(*play("until:3", "(", "exit:5", ")")).returncode == 99
    assert run(*play("nonsense")).returncode == 99


def test_worker_says_who_it_is(fifo):
    hello = fifo("hello")
    env = {"BROOD_WORKER": "4", "BROOD_GENERATION": "2"}
    process = subprocess.Popen(play(f"hello:{hello}", f"await:{fifo('go')}"), env=env)
    assert hello.hello() == (process.pid, 4, 2)
    process.kill()
    process.wait()


def test_worker_reports_what_the_kernel_knows(fifo):
    report = fifo("report")
    process = subprocess.Popen(
        [*around("block:USR1", "ignore:HUP", "fds:3"), *play(f"report:{report}")])
    seen = report.report()
    process.wait()
    assert seen["pid"] == process.pid and seen["ppid"] == os.getpid()
    assert int(seen["status"]["SigBlk"], 16) == 1 << (signal.SIGUSR1 - 1)
    assert int(seen["status"]["SigIgn"], 16) & 1 << (signal.SIGHUP - 1)
    assert len(seen["fds"]) == 6
    assert seen["cwd"] == os.getcwd()


def test_orphans_come_to_the_test(fifo):
    hello = fifo()
    process = subprocess.Popen(play("orphan", "(", f"hello:{hello}", "pause", ")"))
    orphan = hello.hello().pid
    process.wait()
    procs.until(lambda: procs.stat(orphan)[1] == os.getpid(), "the adoption")
    procs.kill(orphan)
    procs.wait_gone(orphan)


def test_refused_calls_fail_for_descendants_too():
    done = run(*around("refuse:clone=EAGAIN,clone3=EAGAIN,vfork=EAGAIN"),
               *play("fork", "(", ")"))
    assert done.returncode == 99 and "Resource temporarily unavailable" in done.stderr


@pytest.mark.parametrize("fault, status", [
    ("clone=EAGAIN@1", 99), ("clone=EAGAIN@2", 99), ("clone=EAGAIN@3", 0), ("clone=EAGAIN@3x2", 0)])
def test_injected_fault_hits_its_occurrence(fault, status):
    # Two children: calls no. 1 and 2 (the children's own are not counted).
    words = play("repeat:2", "(", "fork", "(", "fork", "(", ")", ")", ")")
    done = run(INJECT, "--fault", fault, "--", *words)
    assert done.returncode == status, done.stderr
    procs.until(lambda: procs.reap() >= 0 and not procs.children(), "the orphans' end")


def test_injected_delay_holds_one_child_only(fifo):
    slow, quick = fifo("slow"), fifo("quick")
    script = (f"{' '.join(play(f'hello:{slow}'))} & "
              f"{' '.join(play(f'hello:{quick}'))} & wait")
    process = subprocess.Popen(
        [INJECT, "--log", "/dev/null", "--children", "--fault", "execve=delay:60000@1x1", "--",
         "sh", "-c", script])
    # One of the two is held for a minute, whichever came first; the other one comes.
    assert select.select([slow.fd, quick.fd], [], [], 10)[0]
    assert slow.empty() or quick.empty()
    procs.kill_all()
    process.wait()


def test_status_goes_through_the_injector():
    assert run(INJECT, "--fault", "read=EIO@99", "--", *play("exit:6")).returncode == 6
    assert run(INJECT, "--fault", "read=EIO@99", "--", *play("raise:TERM")).returncode == -15

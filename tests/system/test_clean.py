# SPDX-License-Identifier: MIT
"""A worker starts clean, whatever brood itself was started with."""

import os
import signal

import pytest

from harness import procs
from harness.settings import around, play


@pytest.fixture
def report(brood, fifo):
    """A worker's report when brood starts in surroundings that these words make."""

    def function(*words, options=()):
        channel = fifo()
        b = brood(*options, prefix=around(*words) if words else (),
                  cmd=play(f"report:{channel}", "until:1", "(", "exit:1", ")"))
        first, second = channel.report(), channel.report()
        assert b.wait() == 0
        assert set(first["fds"]) == set(second["fds"])
        return second

    return function


def test_no_stray_descriptors(report):
    assert set(report()["fds"]) == {0, 1, 2}


def test_no_stray_descriptors_though_brood_inherited_fifty(report):
    assert set(report("fds:50")["fds"]) == {0, 1, 2}


def test_no_stray_descriptors_at_high_numbers(report):
    assert set(report("limit:NOFILE=4096", "fds:3000")["fds"]) == {0, 1, 2}


def test_empty_mask(report):
    assert int(report("block:all")["status"]["SigBlk"], 16) == 0


def test_default_dispositions(report):
    seen = report("ignore:HUP,INT,QUIT,PIPE,CHLD,TERM,USR1,WINCH,TSTP,TTOU")
    assert int(seen["status"]["SigIgn"], 16) == 0
    assert int(seen["status"]["SigCgt"], 16) == 0


def test_all_of_it_under_nohup(brood, fifo, scratch):
    channel = fifo()
    b = brood(prefix=["nohup", *around("block:all")], cmd=play(f"report:{channel}"), cwd=scratch)
    status = channel.report()["status"]
    assert b.wait() == 0
    assert [int(status[key], 16) for key in ("SigBlk", "SigIgn", "SigCgt")] == [0, 0, 0]


@pytest.mark.parametrize("soft", [256, 1024, 2000])
def test_original_limit_of_descriptors(report, soft):
    """brood may raise its own soft limit; its workers get what it was started with."""
    assert report(f"limit:NOFILE={soft}:4096")["limits"]["NOFILE"] == [soft, 4096]


def test_a_limit_asked_for_wins(report):
    seen = report("limit:NOFILE=256:4096", options=["--limit", "NOFILE=300:400"])
    assert seen["limits"]["NOFILE"] == [300, 400]


@pytest.mark.parametrize("missing", [[0], [1], [2], [0, 1, 2]])
def test_missing_standard_descriptors(brood, fifo, missing):
    """brood started with a closed stdin, stdout or stderr: no descriptor of its own ends there."""
    hello, channel = fifo("hello"), fifo("channel")
    b = brood("-n", 2, prefix=around(*(f"close:{fd}" for fd in missing)),
              cmd=play(f"report:{channel}", f"hello:{hello}", "pause"))
    for _ in range(2):
        seen = channel.report()
        assert set(seen["fds"]) <= {0, 1, 2}
        for fd in missing:
            assert seen["fds"].get(fd, {"target": "/dev/null"})["target"] == "/dev/null"
    first = hello.hellos(2)
    procs.kill(first[0].pid)
    assert hello.hello()[1:] == (first[0].worker, 2)
    b.signal(signal.SIGTERM)
    assert b.wait() == 0


def test_other_attributes_are_kept(report):
    seen = report()
    assert seen["umask"] == 0o022 or seen["umask"] == os.umask(os.umask(0o022))
    assert seen["nice"] == os.nice(0)
    assert seen["death_signal"] == 0
    assert seen["cwd"] == os.getcwd()

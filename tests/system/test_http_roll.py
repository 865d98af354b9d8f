# SPDX-License-Identifier: MIT
"""An HTTP pool on an inherited socket, under load: whatever is done to it, no request fails."""

import shutil

import pytest

from harness import procs
from harness.config import pool
from harness.net import SUMMARY, Load, Visitor, free_port
from harness.settings import play

pytestmark = pytest.mark.deadline(60)

def web(port, text, count, surge=1):
    return pool("web", play("notify:READY=1", f"serve:{text}"), Type="notify", Workers=count,
                RollingSurge=surge, Restart="always", TimeoutStopSec="20s",
                ListenStream=f"127.0.0.1:{port}", FileDescriptorName="web")


def check(load, visitor):
    assert not visitor.failures, visitor.failures[:3]
    assert load.errors() == {} and load.result["requests"] > 200, load.result


@pytest.fixture
def served(up_once, scratch):
    if not shutil.which("wrk"):
        pytest.skip("wrk is not installed")
    port = free_port()
    script = scratch / "summary.lua"
    script.write_text(SUMMARY)

    def function(*arguments):
        u = up_once(web(port, "v1", *arguments))
        u.ctl("wait", "web", "--for=ready")
        return u, Load(port, str(script)), Visitor(port), port

    return function


def more(visitor, count=100):
    """Lets the load go on until so many more have been served."""
    wanted = visitor.count + count
    procs.until(lambda: visitor.count >= wanted or visitor.failures, "requests")


@pytest.mark.parametrize("surge", [0, 1])
def test_rolled(served, surge):
    u, load, visitor, _ = served(3, surge)
    with load, visitor:
        more(visitor)
        for _ in range(3):
            u.ctl("restart", "--rolling", "web")
            more(visitor)
    check(load, visitor)
    assert {one["generation"] for one in u.workers("web")} == {4}


def test_scaled(served):
    u, load, visitor, _ = served(2)
    with load, visitor:
        for count in ("5", "1", "4", "2"):
            more(visitor)
            u.ctl("scale", "web", count)
        more(visitor)
    check(load, visitor)


def test_reloaded(served):
    """A new version comes in by a reload: the old one answers to the end, and then the new one."""
    u, load, visitor, port = served(3)
    with load, visitor:
        more(visitor)
        for text in ("v2", "v3"):
            u.configure(web(port, text, 3))
            u.ctl("reload")
            before = visitor.texts[text]
            procs.until(lambda t=text, b=before: visitor.texts[t] > b + 50, "the new version")
    check(load, visitor)
    assert set(visitor.texts) == {"v1", "v2", "v3"}


def test_all_of_it_at_once(served):
    u, load, visitor, port = served(3)
    with load, visitor:
        more(visitor)
        commands = [u.start_ctl("restart", "--rolling", "web"), u.start_ctl("scale", "web", "5")]
        u.configure(web(port, "v2", 3))
        commands.append(u.start_ctl("reload"))
        assert all(one.finish().status in (0, 1, 8) for one in commands)
        more(visitor)
        u.ctl("reload")
        more(visitor)
    check(load, visitor)


def test_stopped_and_started(served):
    """With nobody there the requests wait; they are not lost."""
    u, load, visitor, _ = served(2)
    with load, visitor:
        more(visitor)
        u.ctl("stop", "web")
        u.ctl("start", "web")
        more(visitor)
    check(load, visitor)


def test_version_that_does_not_come_up(served):
    u, load, visitor, port = served(3)
    with load, visitor:
        more(visitor)
        u.configure(web(port, "v2", 3).replace("notify:READY=1", "exit:1"))
        u.ctl("reload", status=1)
        more(visitor)
    check(load, visitor)
    assert set(visitor.texts) == {"v1"}

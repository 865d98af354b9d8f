# SPDX-License-Identifier: MIT
"""cgroup v2, where this user may make groups: one for each worker, killed as one."""

import itertools

import pytest

from harness import groups, procs
from harness.config import pool, section
from harness.settings import play

pytestmark = pytest.mark.skipif(not groups.writable(),
                                reason="no cgroup v2 here that this user may write to")


@pytest.fixture
def slice_name(numbers=itertools.count()):
    """A root that no other test has; below the group of the test's own process."""
    return f"slice-{next(numbers)}"


def test_group_for_each_worker(up, slice_name):
    u = up(section("Brood", Slice=slice_name), pool("web", play("pause"), Workers=2),
           pool("job", play("pause")))
    u.ctl("wait", "--all", "--for=ready")
    found = {}
    for name in ("web", "job"):
        for one in u.workers(name):
            group = groups.of(one["pid"])
            assert group.is_relative_to(groups.of() / slice_name)
            assert one["cgroup"] == str(group) and groups.members(group) == {one["pid"]}
            found[name, one["worker"]] = group
    assert len(set(found.values())) == 3
    assert found["web", 0].parent == found["web", 1].parent != found["job", 0].parent
    assert u.stop() == 0
    assert not (groups.of() / slice_name).exists(), "groups were left behind"


def test_nothing_can_flee(up, fifo, slice_name):
    """Not by a session, nor by a double fork, nor by a changed environment."""
    hello = fifo()
    u = up(section("Brood", Slice=slice_name), pool("web", play(
        "orphan", "(", "session", "exec", "env", "-i", *play(f"hello:{hello}", "pause"), ")",
        f"hello:{hello}", "pause")))
    pids = [one.pid for one in hello.hellos(2)]
    assert len({groups.of(pid) for pid in pids}) == 1
    u.ctl("stop", "web")
    assert not any(procs.alive(pid) for pid in pids)


def test_kill_takes_those_that_fork_on(up_once, fifo, slice_name):
    """A tree that grows while it is being killed."""
    hello = fifo()
    u = up_once(section("Brood", Slice=slice_name), pool("web", play(
        "ignore:TERM", "repeat:5", "(", "fork", "(", "session", "ignore:TERM", "repeat:1000", "(",
        "fork", "(", "sleep:20", ")", "sleep:1", ")", ")", ")", f"hello:{hello}", "pause"),
        TimeoutStopSec="50ms"))
    hello.hello()
    u.ctl("stop", "web", status=None)
    assert u.worker("web")["state"] == "stopped"
    # Dead ones that brood still has to take are nobody any more.
    assert not [pid for pid in procs.descendants(u.pid) if procs.alive(pid)]


def test_same_worker_same_group(up_once, fifo, slice_name):
    hello = fifo()
    u = up_once(section("Brood", Slice=slice_name),
                pool("web", play(f"hello:{hello}", "pause"), Restart="always"))
    for _ in range(3):
        pid = hello.hello().pid
        u.ctl("wait", "web", "--for=ready")
        assert groups.members(groups.of(pid)) == {pid}
        procs.kill(pid)


def controllers():
    return set((groups.of() / "cgroup.controllers").read_text().split())


def test_limit_that_cannot_be_kept(up_once, slice_name):
    """Said aloud where the controller is not there; with Strict=yes refused."""
    if "memory" in controllers():
        pytest.skip("this machine has the memory controller")
    limited = pool("web", play("pause"), MemoryMax="100M")
    u = up_once(section("Brood", Slice=slice_name), limited)
    u.wait_event("ready", pool="web")
    assert "MemoryMax" in u.text()
    assert u.stop() == 0
    u = up_once(section("Brood", Slice=slice_name, Strict=True), limited, wait=False)
    assert u.wait() != 0 and "MemoryMax" in u.text()


def test_limits_where_they_can_be_kept(up_once, slice_name):
    if not {"memory", "pids"} <= controllers():
        pytest.skip("this machine lacks the controllers")
    u = up_once(section("Brood", Slice=slice_name),
                pool("web", play("pause"), MemoryMax="100M", TasksMax=20))
    u.ctl("wait", "web", "--for=ready")
    group = groups.of(u.worker_pids("web")[0])
    assert (group / "memory.max").read_text() == f"{100 << 20}\n"
    assert (group / "pids.max").read_text() == "20\n"


def test_oom_is_recognised(up_once, slice_name):
    if "memory" not in controllers():
        pytest.skip("this machine lacks the memory controller")
    u = up_once(section("Brood", Slice=slice_name),
                pool("web", play("grow:100"), MemoryMax="20M", Restart="no"))
    assert u.wait_event("exited", pool="web")["cause_kind"] == "oom"


def test_brood_itself_stays_outside(up_once, slice_name):
    u = up_once(section("Brood", Slice=slice_name), pool("web", play("pause")))
    u.ctl("wait", "web", "--for=ready")
    assert groups.of(u.pid) != groups.of(u.worker_pids("web")[0])


def test_no_warning_about_what_nobody_asked_for(up_once):
    u = up_once(pool("web", play("pause")))
    u.wait_event("ready", pool="web")
    assert "not enforced" not in u.text()


def test_two_supervisors_side_by_side(up_once, scratch, fifo):
    """The same names of pools, in the same group: neither takes the other's processes."""
    hello = fifo()
    web = pool("web", play(f"hello:{hello}", "pause"))
    one = up_once(web)
    first = hello.hello().pid
    two = up_once(web, path=scratch / "second" / "socket", config="second.conf")
    second = hello.hello().pid
    assert groups.of(first) != groups.of(second)
    two.ctl("stop", "web")
    assert two.stop() == 0
    one.ctl("wait", "web", "--for=ready")
    assert one.worker_pids("web") == {0: first}
    assert one.stop() == 0

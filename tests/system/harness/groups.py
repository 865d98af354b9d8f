# SPDX-License-Identifier: MIT
"""Control groups (v2) as the kernel shows them."""

import contextlib
import os
import pathlib

from . import procs


def mount_point():
    """Where cgroup v2 is mounted, or None."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        if after.split()[0] == "cgroup2":
            return pathlib.Path(before.split()[4])
    return None


ROOT = mount_point()


def of(pid="self"):
    """The group of a process as a directory; None where there is no cgroup v2."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            if line.startswith("0::") and ROOT:
                return ROOT / line[3:].lstrip("/")
    return None


def writable():
    """Whether this process may make groups below its own."""
    own = of()
    return own is not None and os.access(own, os.W_OK)


def members(group):
    return {int(pid) for pid in (group / "cgroup.procs").read_text().split()}


def below(group):
    """All groups below one, the deepest first."""
    return sorted((path.parent for path in group.rglob("*/cgroup.procs")), reverse=True)


def make(name):
    """Makes a group below the root of all and moves this process there; None where it may not."""
    if not ROOT or not os.access(ROOT, os.W_OK):
        return None
    group = ROOT / name
    try:
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return None
    return group


def remove(group):
    """Leaves a group and removes it with all that is below it."""
    (ROOT / "cgroup.procs").write_text(str(os.getpid()))
    for path in [*below(group), group]:
        procs.until(lambda p=path: remove_one(p), f"{path} to be empty")


def remove_one(path):
    try:
        for pid in members(path):
            procs.kill(pid)
        path.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True

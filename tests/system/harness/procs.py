# SPDX-License-Identifier: MIT
"""Processes as /proc shows them: whose child, what state, what they do; ending a whole tree."""

import ctypes
import os
import select
import signal
import time

from . import settings

PR_SET_CHILD_SUBREAPER = 36

libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper():
    """Every descendant that loses its parent comes to this process: none can hide."""
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def stat(pid):
    """(state, parent, process group, session) of a process, None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[1]), int(fields[2]), int(fields[3])


def command(pid):
    """The command line of a process, for messages."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "?"


def status(pid, key):
    """One line's value of /proc/PID/status."""
    with open(f"/proc/{pid}/status", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == key:
                return value.strip()
    raise KeyError(key)


def parents():
    """pid → parent of every process that there is."""
    result = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            facts = stat(int(name))
            if facts:
                result[int(name)] = facts[1]
    return result


def children(pid=None, zombies=True):
    """The children of a process, of this one when none is given."""
    pid = pid or os.getpid()
    found = sorted(child for child, parent in parents().items() if parent == pid)
    if zombies:
        return found
    return [child for child in found if (stat(child) or "Z")[0] not in "ZX"]


def descendants(pid=None):
    """The whole tree below a process, parents before their children."""
    tree = {}
    for child, parent in parents().items():
        tree.setdefault(parent, []).append(child)
    result = []
    queue = [pid or os.getpid()]
    while queue:
        below = tree.get(queue.pop(0), [])
        result.extend(below)
        queue.extend(below)
    return result


def describe(pids):
    """A table of processes for a failure's message."""
    lines = []
    for pid in pids:
        facts = stat(pid)
        if facts:
            state, parent, group, session = facts
            lines.append(f"{pid} {state} ppid={parent} pgid={group} sid={session} {command(pid)}")
    return "\n".join(lines)


def alive(pid):
    """Whether a process is there and no zombie."""
    facts = stat(pid)
    return facts is not None and facts[0] not in "ZX"


def reap():
    """Takes every dead child of this process; how many."""
    count = 0
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return count
        if pid == 0:
            return count
        count += 1


def kill(pid, number=signal.SIGKILL):
    """Sends a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill_all():
    """Ends everything below this process and takes the dead, however deep they were."""
    end = time.monotonic() + settings.WAIT
    while time.monotonic() < end:
        for pid in descendants():
            kill(pid)
        reap()
        if not children():
            return
        time.sleep(0.005)


def wait_gone(pid, timeout=None):
    """Waits for the end of any process, a child of ours or not. A child of ours is reaped."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        timeout = timeout or settings.WAIT
        if not select.select([pidfd], [], [], timeout)[0]:
            raise TimeoutError(f"still there after {timeout} s: {describe([pid])}")
    finally:
        os.close(pidfd)
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def until(condition, what, timeout=None):
    """Looks again and again, for what the kernel gives no event; the condition's value."""
    end = time.monotonic() + (timeout or settings.WAIT)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain for {what}\n{describe(descendants())}")
        time.sleep(0.005)


def context_switches(pid):
    """How often all threads of a process together were put on a CPU."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as file:
            for line in file:
                if "ctxt_switches" in line:
                    total += int(line.split()[1])
    return total

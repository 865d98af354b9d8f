# SPDX-License-Identifier: MIT
"""What /proc and strace say about a supervisor: its processes, time, switches, memory, calls."""

import os
import re
import signal
import subprocess
import time
from collections import Counter

QUIET_SECONDS, SETTLE_SECONDS = 0.1, 3


def _read(path):
    """The text of `path`, empty where its process is gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _parents():
    """pid → parent pid of every process there is."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _read(f"/proc/{name}/stat").rpartition(")")[2].split()
            if fields:
                parents[int(name)] = int(fields[1])
    return parents


def _is_running(pid, program):
    try:
        return os.readlink(f"/proc/{pid}/exe") == program
    except OSError:
        return False


def supervisors(root, worker):
    """Everything below process `root` but the workers: (those with workers, all of them)."""
    parents = _parents()
    children = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    below, queue = [], [root]
    while queue:
        found = children.get(queue.pop(), [])
        below += found
        queue += found
    workers = {pid for pid in below if _is_running(pid, worker)}
    direct = {parents[pid] for pid in workers}
    return sorted(direct), sorted(set(below) - workers)


def file_system(path):
    """The type of the file system that `path` is on, "?" where it cannot be told."""
    path, kind, longest = os.path.realpath(path), "?", -1
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4]
        if os.path.commonpath([point, path]) == point and len(point) >= longest:
            kind, longest = after.split()[0], len(point)
    return kind


def threads(pids):
    """The thread ids of `pids`."""
    result = []
    for pid in pids:
        try:
            result += [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]
        except OSError:
            pass
    return result


def cpu_ns(pids):
    """Time on a processor of all threads of `pids`, without their children's."""
    fields = (_read(f"/proc/{tid}/schedstat").split() for tid in threads(pids))
    return sum(int(field[0]) for field in fields if field)


def switches(pids):
    """Context switches of all threads of `pids`, asked for or not: each ends a wakeup."""
    texts = (_read(f"/proc/{tid}/status") for tid in threads(pids))
    return sum(int(n) for text in texts for n in re.findall(r"ctxt_switches:\s+(\d+)", text))


def settle(pids):
    """Waits until `pids` have slept for a while, or for long enough where they never do."""
    end, before = time.monotonic() + SETTLE_SECONDS, -1
    while (now := switches(pids)) != before and time.monotonic() < end:
        before = now
        time.sleep(QUIET_SECONDS)


def memory(pids):
    """Bytes of `pids` together: proportional, private and resident."""
    total = Counter(pss=0, private=0, rss=0)
    for pid in pids:
        for key, kilobytes in re.findall(r"(\w+):\s+(\d+) kB", _read(f"/proc/{pid}/smaps_rollup")):
            name = {"Pss": "pss", "Rss": "rss"}.get(key) or key.startswith("Private_") and "private"
            if name:
                total[name] += 1024 * int(kilobytes)
    return dict(total)


class Trace:
    """strace on all threads of `pids`, not on what they start; counts finished calls by name.

    What strace's own coming interrupts ends with "= ?" or goes on as restart_syscall: not counted.
    """

    CALL = re.compile(r"^(?:\d+\s+)?(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed>).*\)\s+= [^?]")

    def __init__(self, pids, path):
        self.path, self.calls = path, Counter()
        self.tids = threads(pids)

    def __enter__(self):
        attach = [arg for tid in self.tids for arg in ("-p", str(tid))]
        self.strace = subprocess.Popen(
            ["strace", "-o", self.path, *attach],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in self.tids:
            line = self.strace.stderr.readline()
            if "attached" not in line:
                self.strace.kill()
                self.strace.wait()
                raise RuntimeError(line.strip() or "strace ended")
        return self

    def __exit__(self, *_):
        self.strace.send_signal(signal.SIGINT)
        self.strace.communicate()
        for line in _read(self.path).splitlines():
            call = self.CALL.match(line)
            if call and call[1] != "restart_syscall":
                self.calls[call[1]] += 1

# SPDX-License-Identifier: MIT
"""Who takes the output of one busy worker: brood as its supervisor, or a logger at the end of a pipe.

Each keeps it in files of one directory, in its fastest way that blocks rather than loses, and
without rotation, or with one that is larger than what comes.
"""

import os
import subprocess
from dataclasses import dataclass
from typing import Callable

from cage import Failed

S6_MOST = 268435455  # a file of s6-log is rotated then, at the latest
SECONDS = 120


@dataclass
class Logger:
    name: str
    run: Callable[[list, str], None]  # (the worker's command line, an empty directory)


def _check(name, status):
    if status != 0:
        raise Failed(f"{name} ended with status {status}")


def _pipe(worker, argv, output=subprocess.DEVNULL):
    """`worker | argv >output`, until both have ended."""
    with subprocess.Popen(worker, stdout=subprocess.PIPE) as writer:
        with subprocess.Popen(argv, stdin=writer.stdout, stdout=output,
                              stderr=subprocess.DEVNULL) as reader:
            writer.stdout.close()
            _check(argv[0], reader.wait(SECONDS))
        _check(worker[0], writer.wait(SECONDS))


def _cat(worker, directory):
    with open(os.path.join(directory, "log"), "wb") as file:
        _pipe(worker, ["cat"], file)


def _s6_log(*actions):
    return lambda worker, directory: _pipe(
        worker, ["s6-log", "-b", f"s{S6_MOST}", *actions, os.path.join(directory, "log")])


def _svlogd(*options):
    def run(worker, directory):
        with open(os.path.join(directory, "config"), "w", encoding="ascii") as file:
            file.write("s0\n")
        _pipe(worker, ["svlogd", *options, directory])
    return run


def _brood(supervisor, style):
    def run(worker, directory):
        argv = [*supervisor.begin, "--restart", "no", "--log", directory, "--log-style", style,
                "--", *worker]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              timeout=SECONDS, check=False)
        if done.returncode != 0:
            raise Failed(done.stderr.strip() or f"brood ended with status {done.returncode}")
    return run


# whose it is, row, with timestamps, how
PEERS = [
    (None, "cat", False, _cat),
    ("s6", "s6-log", False, _s6_log()),
    ("s6", "s6-log t", True, _s6_log("t")),
    ("s6", "s6-log T", True, _s6_log("T")),
    ("runit", "svlogd 64K", False, _svlogd("-b", "65536")),
    ("runit", "svlogd -tt", True, _svlogd("-tt")),
    ("runit", "svlogd -tt 64K", True, _svlogd("-tt", "-b", "65536")),
]


def find(supervisors, style, timestamps):
    """Those of `supervisors` who have a logger, as loggers: ours in `style`."""
    here = {supervisor.name for supervisor in supervisors}
    found = [Logger(name, run) for peer, name, has_timestamps, run in PEERS
             if has_timestamps == timestamps and (peer is None or peer in here)]
    return found + [Logger(supervisor.name, _brood(supervisor, style))
                    for supervisor in supervisors if supervisor.brood]

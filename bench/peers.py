# SPDX-License-Identifier: MIT
"""Who is measured: the floor, brood on both loops, and each peer that is installed.

A row of the table says how N workers are put under a supervisor; all of them run the worker itself,
with no shell between, and as few features as they allow (no logger, no control socket).
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Callable

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass
class Job:
    """One start of a supervisor: `n` copies of `worker`; `dir` is an empty directory of its own."""
    n: int
    worker: str
    dir: str


@dataclass
class Supervisor:
    name: str
    command: Callable[[Job], list]
    version: str = ""
    note: str = ""        # what a reader has to know about its numbers
    rest: int = 0         # ms that a worker has to live to be restarted without a pause
    one_each: bool = False   # one supervising process for each worker
    most: int = 10_001    # workers that it can be asked for
    kills: int = 25       # single restarts in one turn; 1 where each takes a second
    brood: bool = False   # one of ours: the targets are for it
    begin: tuple = ()     # of ours, what its command line begins with

    @property
    def slow(self):
        """Whether some of its restarts wait for a second to go by, by design."""
        return self.rest > 0 or self.kills == 1


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _service_dirs(job):
    """A scan directory as s6, runit and daemontools have it, `run` being the worker itself."""
    for i in range(job.n):
        service = os.path.join(job.dir, f"w{i}")
        os.mkdir(service)
        os.symlink(job.worker, os.path.join(service, "run"))
    return job.dir


def _supervisord(job):
    path = os.path.join(job.dir, "supervisord.conf")
    _write(path, f"""[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={job.dir}/pid
minfds={1024 + 4 * job.n}
[program:worker]
command={job.worker}
process_name=%(process_num)d
numprocs={job.n}
autorestart=true
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
""")
    return ["supervisord", "-c", path]


def _dinit(job):
    waits = "".join(f"waits-for: w{i}\n" for i in range(job.n))
    _write(os.path.join(job.dir, "boot"), "type = internal\n" + waits)
    for i in range(job.n):
        _write(os.path.join(job.dir, f"w{i}"), f"""type = process
command = {job.worker}
restart = true
smooth-recovery = true
restart-delay = 0
restart-limit-count = 0
""")
    return ["dinit", "--user", "--quiet", "--services-dir", job.dir, "--socket-path",
            os.path.join(job.dir, "socket")]


def _brood(label, path, loop):
    begin = (path, "run", "-q", f"--loop={loop}")
    return Supervisor(f"{label} {loop}", lambda job: keep_alive(begin, job), brood=True, begin=begin)


def keep_alive(begin, job, *options):
    """brood's command line, with `options` of `brood run`."""
    return [*begin, "--restart", "always", "--backoff", "none", *options, "-n", str(job.n), "--",
            job.worker]


def _tornado(job):
    return [sys.executable, os.path.join(HERE, "peer_tornado.py"), str(job.n), job.worker]


PEERS = [
    ("s6-svscan", Supervisor(
        "s6", lambda job: ["s6-svscan", "-c", str(job.n + 10), _service_dirs(job)],
        rest=1100, kills=1, one_each=True, most=1000,
        note="s6-supervise as packaged waits 1 s after a death before it starts again")),
    ("runsvdir", Supervisor(
        "runit", lambda job: ["runsvdir", _service_dirs(job)],
        rest=1100, one_each=True, most=1000,
        note="runsv starts at most once a second: its workers are let live 1.1 s first")),
    ("svscan", Supervisor(
        "daemontools", lambda job: ["svscan", _service_dirs(job)],
        rest=1100, one_each=True, most=1000,
        note="supervise starts at most once a second: its workers are let live 1.1 s first")),
    ("dinit", Supervisor("dinit", _dinit, most=1000)),
    ("supervisord", Supervisor(
        "supervisord", _supervisord, kills=1, most=1000,
        note="its loop looks for dead children once a second")),
]
TORNADO = Supervisor("tornado", _tornado, most=1000,
                     note="fork_processes(), whose children exec the worker")


def debian_version(program):
    """The version of the package that `program` is from, where there are packages."""
    path = shutil.which(program)
    try:
        owner = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True, check=True)
        package = owner.stdout.partition(":")[0]
        query = ["dpkg-query", "-W", "-f", "${Version}", package]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _tornado_version():
    try:
        import tornado
    except ImportError:
        return None
    return tornado.version


def find(tools, broods):
    """(supervisors that can run, [(name, why not)]); `broods` maps a label to a path."""
    floor = os.path.join(tools, "floor")
    found = [Supervisor("floor", lambda job: [floor, str(job.n), job.worker],
                        note="blocking waitpid, vfork and exec, nothing else")]
    missing = []
    for label, path in broods.items():
        if not os.access(path, os.X_OK):
            missing.append((label, f"{path} is no program"))
            continue
        found += [_brood(label, path, loop) for loop in ("uring", "epoll")]
    for program, peer in PEERS:
        if shutil.which(program):
            peer.version = debian_version(program)
            found.append(peer)
        else:
            missing.append((peer.name, f"{program} is not installed"))
    version = _tornado_version()
    if version:
        TORNADO.version = version
        found.append(TORNADO)
    else:
        missing.append(("tornado", f"{sys.executable} has no module tornado"))
    return found, missing

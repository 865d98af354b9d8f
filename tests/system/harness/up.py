# SPDX-License-Identifier: MIT
"""`brood up` under test: its configuration, its control socket, and the client's commands."""

import collections
import json
import os
import socket
import subprocess

from . import procs, settings, varlink
from .supervisor import REPORTS, Supervisor

# Exit statuses of the client's commands.
DONE, FAILED, USAGE, NO_SUCH, DENIED, NOBODY, TIMED_OUT, BUSY = 0, 1, 2, 4, 5, 6, 7, 8


class Done(collections.namedtuple("Done", "status out err")):
    """What a client's command came to."""

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """A client's command that runs beside the test."""

    def __init__(self, argv, env=None, cwd=None):
        self.argv = [str(word) for word in argv]
        self.process = subprocess.Popen(
            self.argv, env=env or settings.environment(), cwd=cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def running(self):
        return self.process.poll() is None

    def finish(self, timeout=None):
        out, err = self.process.communicate(timeout=timeout or settings.WAIT)
        assert not any(report.decode() in err for report in REPORTS), err
        return Done(self.process.returncode, out, err)


def listens(path):
    """Whether somebody accepts connections there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


class Up(Supervisor):
    """A running `brood up`, with what its clients see."""

    def __init__(self, argv, config, path, **keywords):
        super().__init__(argv, **keywords)
        self.config = config
        self.path = path

    def wait_listening(self):
        procs.until(lambda: self.ended or listens(self.path), "the control socket")
        assert not self.ended, f"brood ended at once:\n{self.text()}"
        self.call("Status")  # is answered when the start is over

    def configure(self, *sections):
        """Writes the configuration anew; nobody is told."""
        write_config(self.config, *sections)

    # --- as a person does it

    def start_ctl(self, *words, prefix=(), **keywords):
        argv = [*prefix, settings.BROOD, words[0], "--socket", self.path, *words[1:]]
        return Command(argv, **keywords)

    def ctl(self, *words, status=DONE, **keywords):
        """Runs a command to its end and checks its exit status (None: any)."""
        done = self.start_ctl(*words, **keywords).finish()
        if status is not None:
            assert done.status == status, f"brood {' '.join(map(str, words))}: {done}\n{self.tail()}"
        return done

    # --- as a program does it

    def connect(self):
        return varlink.Client(self.path)

    def call(self, method, **parameters):
        with self.connect() as client:
            return client.call(method, **parameters)

    def facts(self, name):
        """One pool, as the status has it."""
        (one,) = self.call("Status", pool=name)["pools"]
        return one

    def workers(self, name, role="holder"):
        """The workers of a pool in the order of their numbers."""
        found = [one for one in self.facts(name)["workers_list"] if one["role"] == role]
        return sorted(found, key=lambda one: one["worker"])

    def worker(self, name, number=0):
        (one,) = [one for one in self.workers(name) if one["worker"] == number]
        return one

    def worker_pids(self, name):
        """number → pid of those that have one."""
        return {one["worker"]: one["pid"] for one in self.workers(name) if one.get("pid")}

    def wait_state(self, name, state, number=0, timeout=None):
        return procs.until(lambda: self.worker(name, number)["state"] == state,
                           f"{name}/{number} to be {state}", timeout)


def write_config(path, *sections):
    """A file as brood wants it when it runs as root: nobody else may write it."""
    path.parent.mkdir(mode=0o755, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text("".join(sections))
    fresh.chmod(0o644)
    os.rename(fresh, path)

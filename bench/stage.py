# SPDX-License-Identifier: MIT
"""Supervisors side by side. All are started first and then take turns, round after round, in an
order that moves on: what else happens on the machine meets all of them alike."""

import os
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import proc
from cage import Failed, Sampler
from peers import Job



@dataclass
class Bench:
    tools: str
    supervisors: list
    rounds: int
    patience: float  # seconds in a measurement after which a supervisor sits out some rounds
    seconds_idle: float
    quick: bool      # less of everything
    say: callable

    def worker(self, kind):
        return os.path.join(self.tools, f"worker_{kind}")


class Stage:
    """Supervisors that stand side by side; one that fails leaves, and its reason stays."""

    def __init__(self, bench, kind):
        self.bench, self.worker = bench, bench.worker(kind)
        self.samplers, self.failed, self.spent = {}, {}, {}
        self.dir = tempfile.mkdtemp(prefix="brood-bench-")

    def start(self, key, supervisor, n, **options):
        """Starts `supervisor` with `n` workers; wait_up() has to follow."""
        if n > supervisor.most:
            self.failed[key] = f"not asked for more than {supervisor.most} workers"
            return
        place = tempfile.mkdtemp(dir=self.dir)
        argv = supervisor.command(Job(n, self.worker, place))
        options = {"rest": supervisor.rest, "deadline": 30} | options
        self.samplers[key] = Sampler(self.bench.tools, argv, place + ".log", n=n, **options)
        self.spent[key] = 0

    def wait_up(self):
        for key in list(self.samplers):
            self.attempt(key, lambda sampler: sampler.wait_up())

    def attempt(self, key, action):
        """action(sampler), or None where it fails or has failed before."""
        sampler = self.samplers.get(key)
        if not sampler:
            return None
        begin = time.monotonic()
        try:
            return action(sampler)
        except Failed as reason:
            self.failed[key] = str(reason)
            self.samplers.pop(key).close()
            return None
        finally:
            self.spent[key] += time.monotonic() - begin

    def turns(self, rounds, what):
        """(round, key) in turns; slow ones sit out rounds, so that all are done together."""
        self.spent = dict.fromkeys(self.spent, 0)
        share = self.bench.patience / rounds
        for number in range(rounds):
            self.bench.say(f"{what}: round {number + 1} of {rounds}")
            keys = list(self.samplers)
            first = number % max(1, len(keys))
            for key in keys[first:] + keys[:first]:
                if self.spent[key] <= number * share:
                    yield number, key

    def pids(self, key):
        """(supervising processes that have workers, all supervising processes)"""
        return proc.supervisors(self.samplers[key].pid, self.worker)

    def close(self):
        for sampler in self.samplers.values():
            sampler.close()
        shutil.rmtree(self.dir, ignore_errors=True)


@contextmanager
def staged(bench, kind="static"):
    stage = Stage(bench, kind)
    try:
        yield stage
    finally:
        stage.close()

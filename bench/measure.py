# SPDX-License-Identifier: MIT
"""The measurements, each a function from a Bench to a Section."""

import os
import time
from contextlib import ExitStack

import proc
from cage import Failed
from section import Column, Section, by_rounds, rounds_columns
from stage import staged
from stats import Samples, median

SPREAD = 25      # workers that are killed in turn where each has to rest between two deaths
CROWD = 10_000   # idle workers beside the one that is killed
STARTS = 500     # starts to count for starts a second, times rounds
STARTS_SECONDS = 2  # and the time after which we take what there is; twice that for slow ones
TRACE_SECONDS = 5
AFTERMATH_SECONDS = 2  # what they do so long after a start is no idleness: some pause for a second
POOL = 100       # workers where any number would do


def _start_singles(stage, supervisors):
    """One worker each; where workers have to rest, more of them, so that one is always ripe."""
    for supervisor in supervisors:
        n = SPREAD if supervisor.rest else 1
        stage.start(supervisor.name, supervisor, n, rotate=supervisor.rest > 0)
    stage.wait_up()
    for supervisor in supervisors:
        if not supervisor.slow:  # warm-up, not counted
            stage.attempt(supervisor.name, lambda sampler: sampler.ask("restart 50"))


def restart(bench, name, kind, what):
    section = Section(
        name, f"one restart of a {what}",
        "From right before kill(SIGKILL) to the replacement's first instruction, both on"
        " CLOCK_MONOTONIC;\n  worker and supervisor are asleep at the kill.", rounds_columns("µs"))
    taken = {supervisor.name: Samples() for supervisor in bench.supervisors}
    commands = {supervisor.name: f"restart {supervisor.kills}" for supervisor in bench.supervisors}
    with staged(bench, kind) as stage:
        _start_singles(stage, bench.supervisors)
        for number, key in stage.turns(4 * bench.rounds, name):
            answer = stage.attempt(key, lambda sampler, key=key: sampler.ask(commands[key]))
            taken[key].add(number, answer or [])
        section.failed = stage.failed
    by_rounds(section, taken, 1e3)
    return section


def storm(bench, name, n):
    section = Section(
        name, f"storm: all {n} workers killed at once",
        f"From right before the first of {n} kill()s to the first instruction of the last"
        " replacement.", rounds_columns("ms"))
    taken = {supervisor.name: Samples() for supervisor in bench.supervisors}
    with staged(bench) as stage:
        for supervisor in bench.supervisors:
            stage.start(supervisor.name, supervisor, n)
        stage.wait_up()
        for supervisor in bench.supervisors:
            if not supervisor.slow:  # warm-up, not counted
                stage.attempt(supervisor.name, lambda sampler: sampler.ask("storm 1"))
        for number, key in stage.turns(bench.rounds, name):
            answer = stage.attempt(key, lambda sampler: sampler.ask("storm 1"))
            taken[key].add(number, answer or [])
        section.failed = stage.failed
    by_rounds(section, taken, 1e6)
    return section


def _count_starts(bench, supervisor, n):
    seconds = STARTS_SECONDS * (2 if supervisor.slow else 1)
    with staged(bench) as stage:
        stage.start(supervisor.name, supervisor, n, mode="starts", deadline=seconds)
        stage.wait_up()
        answer = stage.attempt(supervisor.name, lambda sampler: sampler.ask(f"starts {bench.rounds * STARTS}"))
        if not answer:
            raise Failed(stage.failed[supervisor.name])
        starts, ns = answer
        return starts * 1e9 / ns if starts and ns else 0


def starts(bench, name, n):
    section = Section(
        name, f"starts a second, {n} worker{'s' * (n > 1)} that exit{'s' * (n == 1)} at once",
        f"Workers report and exit with status 1; {bench.rounds * STARTS} restarts, or those of"
        f" {STARTS_SECONDS} s.\n  Several peers hold each worker to one start a second, by design.",
        [Column("rate", "starts/s", "{:.0f}"), Column("x", "× floor", "{:.2f}")])
    rounds = max(1, bench.rounds // 8)
    for number in range(rounds):
        bench.say(f"{name}: round {number + 1} of {rounds}")
        for supervisor in bench.supervisors:
            if supervisor.name in section.failed or (supervisor.slow and number > 0):
                continue
            try:
                rate = _count_starts(bench, supervisor, n)
                section.samples.setdefault(supervisor.name, []).append(rate)
            except Failed as reason:
                section.failed[supervisor.name] = str(reason)
    floor = median(section.samples.get("floor", []))
    for supervisor, rates in section.samples.items():
        rate = median(rates)
        section.rows[supervisor] = {"rate": rate, "x": rate / floor if floor else None}
    return section


def _trace(stage, key, pids, action):
    """The calls of `pids` while action() runs, by name; None where strace cannot tell."""
    try:
        with proc.Trace(pids, os.path.join(stage.dir, "trace")) as trace:
            action()
        return trace.calls
    except (OSError, RuntimeError) as reason:
        stage.bench.say(f"{key}: no trace: {reason}")
        return None


def cost(bench, name):
    section = Section(
        name, "what one restart takes of the supervisor",
        "CPU: run time in /proc/PID/task/*/schedstat of all its threads, over single restarts;"
        " the child's part up\n  to exec is not in it. Calls: strace on its threads alone.",
        [Column("cpu", "CPU µs"), Column("x", "× floor", "{:.2f}"), Column("calls", "calls"),
         Column("n", "n", "{}")])
    cpu, kills = {}, {}
    with staged(bench) as stage:
        _start_singles(stage, bench.supervisors)
        by_name = {supervisor.name: supervisor for supervisor in bench.supervisors}
        direct = {key: stage.pids(key)[0] for key in stage.samplers}
        for _, key in stage.turns(bench.rounds, name):
            before, count = proc.cpu_ns(direct[key]), by_name[key].kills
            stage.attempt(key, lambda sampler, count=count: sampler.ask(f"restart {count}"))
            cpu[key] = cpu.get(key, 0) + proc.cpu_ns(direct[key]) - before
            kills[key] = kills.get(key, 0) + count
        for key in list(stage.samplers):
            count = by_name[key].kills
            calls = _trace(stage, key, direct[key], lambda key=key, count=count: stage.attempt(
                key, lambda sampler: sampler.ask(f"restart {count}")))
            if key in stage.samplers and calls is not None:
                section.rows[key] = {"calls": calls.total() / count}
                section.samples[key] = {"calls": {call: n / count for call, n in calls.items()}}
        section.failed = stage.failed
    for key in section.rows.keys() | kills.keys() - section.failed.keys():
        section.rows.setdefault(key, {}).update(cpu=cpu[key] / kills[key] / 1e3, n=kills[key])
    floor = section.value("floor", "cpu")
    section.rows = {key: section.rows[key] for key in by_name if key in section.rows}
    for row in section.rows.values():
        row["x"] = row["cpu"] / floor if floor else None
    return section


def pair_columns(base, other):
    return [Column(base, f"p50 {base} µs"), Column(other, f"p50 {other} µs"),
            Column("x", f"× {base}", "{:.2f}"), Column("low", "25 %", "{:.2f}"),
            Column("high", "75 %", "{:.2f}"), Column("n", "n", "{}")]


def pair(bench, section, name, base, other, rounds, **options):
    """A row for restarts of `other` beside those of `base`: each is (key, supervisor, workers)."""
    taken = {base[0]: Samples(), other[0]: Samples()}
    with staged(bench) as stage:
        for key, supervisor, n in (base, other):
            stage.start(key, supervisor, n, **options)
        stage.wait_up()
        for key in list(stage.samplers):  # warm-up, not counted
            stage.attempt(key, lambda sampler: sampler.ask("restart 50"))
        for number, key in stage.turns(rounds, f"{section.name} {name}"):
            answer = stage.attempt(key, lambda sampler: sampler.ask("restart 25"))
            taken[key].add(number, answer or [])
        if stage.failed:
            section.failed[name] = ", ".join(stage.failed.values())
            return
    first, second = taken.values()
    low, high = second.ratio_range(first)
    section.rows[name] = {
        base[0]: median(first.all) / 1e3, other[0]: median(second.all) / 1e3,
        "x": second.ratio(first), "low": low, "high": high, "n": len(second.all)}
    section.samples[name] = {key: s.rounds for key, s in taken.items()}


def crowd(bench, name):
    section = Section(
        name, f"one restart beside {CROWD} idle workers",
        f"As above, one of {CROWD + 1} workers killed again and again, in turns with a pool of 1"
        " under the same supervisor.", pair_columns("alone", "beside"))
    for supervisor in bench.supervisors:
        if supervisor.most > CROWD and not supervisor.one_each:
            pair(bench, section, supervisor.name, ("alone", supervisor, 1),
                 ("beside", supervisor, CROWD + 1), 2 * bench.rounds)
    return section


def memory(bench, name, sizes):
    section = Section(
        name, "memory of the supervisor alone",
        "PSS and private memory in /proc/PID/smaps_rollup of all its processes but the workers,"
        " KiB, each\n  measured with no other supervisor beside it; bytes a worker: from"
        f" {sizes[-2]} to {sizes[-1]}.",
        [column for n in sizes for column in (
            Column(f"pss{n}", f"PSS at {n}", "{:.0f}"),
            Column(f"private{n}", "private", "{:.0f}"))] + [
                Column("each", "bytes a worker", "{:.0f}")])
    for supervisor in bench.supervisors:
        row = {}
        for n in sizes:
            bench.say(f"{name}: {supervisor.name}, {n} workers")
            with staged(bench) as stage:
                key = supervisor.name
                stage.start(key, supervisor, n)
                stage.wait_up()
                if not supervisor.slow:
                    stage.attempt(key, lambda sampler: sampler.ask("storm 1"))
                if key not in stage.samplers:
                    section.failed[f"{key} at {n}"] = stage.failed[key]
                    continue
                proc.settle(stage.pids(key)[1])
                bytes_ = proc.memory(stage.pids(key)[1])
                row |= {f"pss{n}": bytes_["pss"] / 1024, f"private{n}": bytes_["private"] / 1024}
        few, many = (row.get(f"pss{n}") for n in sizes[-2:])
        if few is not None and many is not None:
            row["each"] = (many - few) * 1024 / (sizes[-1] - sizes[-2])
        if row:
            section.rows[supervisor.name] = row
    return section


def _trace_idle(stage, pids):
    """The number of calls of each in TRACE_SECONDS, all traced at once."""
    traces = {}
    with ExitStack() as stack:
        for key, some in pids.items():
            try:
                trace = proc.Trace(some, os.path.join(stage.dir, f"trace-{len(traces)}"))
                traces[key] = stack.enter_context(trace)
            except (OSError, RuntimeError) as reason:
                stage.bench.say(f"{key}: no trace: {reason}")
        time.sleep(TRACE_SECONDS)
    return {key: trace.calls.total() for key, trace in traces.items()}


def idle(bench, name):
    section = Section(
        name, f"{POOL} idle workers, {bench.seconds_idle:.0f} s",
        "Context switches of all threads of all supervising processes in that time, all supervisors"
        " at once; then\n  their system calls over another"
        f" {TRACE_SECONDS} s under strace, scaled to the same time.",
        [Column("switches", "wakeups", "{}"), Column("calls", "calls", "{:.0f}"),
         Column("processes", "processes", "{}")])
    with staged(bench) as stage:
        for supervisor in bench.supervisors:
            stage.start(supervisor.name, supervisor, POOL)
        stage.wait_up()
        for supervisor in bench.supervisors:
            if not supervisor.slow:  # not only started, but in the state that a death leaves
                stage.attempt(supervisor.name, lambda sampler: sampler.ask("storm 1"))
        pids = {key: stage.pids(key)[1] for key in stage.samplers}
        bench.say(f"{name}: watching")
        time.sleep(AFTERMATH_SECONDS)
        before = {key: proc.switches(pids[key]) for key in pids}
        time.sleep(bench.seconds_idle)
        for key in pids:
            section.rows[key] = {"switches": proc.switches(pids[key]) - before[key],
                                 "processes": len(pids[key])}
        for key, calls in _trace_idle(stage, pids).items():
            section.rows[key]["calls"] = calls * bench.seconds_idle / TRACE_SECONDS
        section.failed = stage.failed
    return section

# SPDX-License-Identifier: MIT
"""What the capture of output costs: how much of it a second, how much CPU, how much of a restart."""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, replace

import loggers
import proc
from cage import Failed
from measure import pair, pair_columns
from peers import keep_alive
from section import Column, Section
from stage import staged
from stats import Samples, median, percentile

LINE = 100         # bytes; worker_lines.c writes such lines
ROOM = 1 << 30     # a tmpfs with that much room is where the lines go
LINE_MS, MANY = 100, 1000
SETTLE_SECONDS = 2
RESTED_US = 20000  # long enough for a processor to fall asleep
MANY_SECONDS, MANY_ROUNDS = 2, 6  # each round; rounds, of which --quick takes a third


@dataclass
class Load:
    """One busy worker, and who is asked to take what it writes."""
    title: str
    style: str
    timestamps: bool
    lines: int
    size: int      # bytes a write(2)
    bases: tuple   # whom brood is compared with


# s6-log, which cannot do without rotation, takes 256 MiB into one file: no more than fits there.
LOADS = {
    "lograw": Load("one busy worker, its bytes as they are", "raw", False, 2_500_000, 4096,
                   ("cat", "s6-log", "svlogd 64K")),
    "logtext": Load("one busy worker, each line with its time", "text", True, 1_000_000, 4096,
                    ("s6-log t", "svlogd -tt 64K")),
    "loglines": Load("one busy worker that writes line by line, each line with its time", "text",
                     True, 500_000, LINE, ("s6-log t", "svlogd -tt 64K")),
}


def _place():
    """Where the lines go: memory if possible, since some peers end with an fsync and some do not."""
    shm = "/dev/shm"
    is_roomy = os.access(shm, os.W_OK) and shutil.disk_usage(shm).free >= ROOM
    in_memory = is_roomy and proc.file_system(shm) == "tmpfs"
    return tempfile.mkdtemp(prefix="brood-bench-", dir=shm if in_memory else None)


def _bytes_below(directory):
    return sum(os.path.getsize(os.path.join(folder, name))
               for folder, _, names in os.walk(directory) for name in names)


def _run_once(logger, worker, place, load, lines):
    """MB/s, from the worker's first write until nobody is left and everything is in the file."""
    directory, stamp = tempfile.mkdtemp(dir=place), os.path.join(place, "stamp")
    try:
        logger.run([worker, stamp, str(lines), str(load.size)], directory)
        end = time.monotonic_ns()
        written = _bytes_below(directory)
        with open(stamp, encoding="ascii") as file:
            begin = int(file.read())
    except (OSError, ValueError) as reason:
        raise Failed(str(reason)) from reason
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if written < lines * LINE:
        raise Failed(f"{written} bytes of {lines * LINE} arrived")
    return lines * LINE * 1e3 / (end - begin)


def _fill_rates(section, taken, bases):
    for name, samples in taken.items():
        if not samples.all:
            continue
        row = {"n": len(samples.all), "rate": median(samples.all)}
        for base in bases:
            if base in taken and taken[base].all:
                low, high = samples.ratio_range(taken[base])
                row |= {f"x {base}": samples.ratio(taken[base]), f"low {base}": low,
                        f"high {base}": high}
        section.rows[name] = row
        section.samples[name] = samples.rounds


def throughput(bench, name):
    load, place = LOADS[name], _place()
    lines = load.lines // (2 if bench.quick else 1)
    ratios = [column for base in load.bases for column in (
        Column(f"x {base}", f"× {base}", "{:.2f}"), Column(f"low {base}", "25 %", "{:.2f}"),
        Column(f"high {base}", "75 %", "{:.2f}"))]
    section = Section(
        name, load.title,
        f"{lines} lines of {LINE} bytes, {load.size} bytes a write(2) into a pipe, to a file on"
        f" {proc.file_system(place)}; from the worker's first\n  write until all processes have"
        " gone and everything is in the file. Nobody rotates.",
        [Column("rate", "MB/s", "{:.0f}"), *ratios, Column("n", "n", "{}")])
    found = loggers.find(bench.supervisors, load.style, load.timestamps)
    taken = {logger.name: Samples() for logger in found}
    rounds = max(3, bench.rounds // 3)
    try:
        for number in range(rounds):
            bench.say(f"{name}: round {number + 1} of {rounds}")
            first = number % len(found)
            for logger in found[first:] + found[:first]:
                if logger.name in section.failed:
                    continue
                try:
                    rate = _run_once(logger, bench.worker("lines"), place, load, lines)
                    taken[logger.name].add(number, [rate])
                except Failed as reason:
                    section.failed[logger.name] = str(reason)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    _fill_rates(section, taken, load.bases)
    return section


def _logging(supervisor, style, *options):
    """`supervisor`, one of ours, with the output of its workers captured."""
    return replace(supervisor, command=lambda job: keep_alive(
        supervisor.begin, job, "--log", job.dir, "--log-style", style, *options))


def _share(bench, supervisor, style, rounds):
    """How much of a core the supervisor takes, %, in each of `rounds` intervals."""
    bench.say(f"{supervisor.name}: {MANY} workers that log, {style}")
    logging = _logging(supervisor, style, "--env", f"BENCH_LINE_MS={LINE_MS}")
    with staged(bench, "glibc") as stage:
        stage.start(style, logging, MANY)
        stage.wait_up()
        if stage.failed:
            raise Failed(stage.failed[style])
        time.sleep(SETTLE_SECONDS)
        pids, shares = stage.pids(style)[1], []
        for _ in range(rounds):
            begin, before = time.monotonic_ns(), proc.cpu_ns(pids)
            time.sleep(MANY_SECONDS)
            spent = proc.cpu_ns(pids) - before
            shares.append(100 * spent / (time.monotonic_ns() - begin))
    return shares


def many(bench, name):
    rounds = MANY_ROUNDS // (3 if bench.quick else 1)
    section = Section(
        name, f"{MANY} workers that write a line every {LINE_MS} ms each",
        f"{MANY * 1000 // LINE_MS} lines of {LINE} bytes a second. CPU of all threads and processes"
        " of the supervisor, workers left out, as a\n  share of one core:"
        f" /proc/PID/task/*/schedstat over {rounds} intervals of {MANY_SECONDS} s.",
        [Column("cpu", "% of a core", "{:.2f}"), Column("low", "25 %", "{:.2f}"),
         Column("high", "75 %", "{:.2f}"), Column("raw", "in raw, %", "{:.2f}")])
    for supervisor in bench.supervisors:
        if not supervisor.brood:
            continue
        try:
            shares = {style: _share(bench, supervisor, style, rounds) for style in ("text", "raw")}
        except Failed as reason:
            section.failed[supervisor.name] = str(reason)
            continue
        text = shares["text"]
        section.samples[supervisor.name] = shares
        section.rows[supervisor.name] = {
            "cpu": median(text), "low": percentile(text, 25), "high": percentile(text, 75),
            "raw": median(shares["raw"])}
    return section


def restart(bench, name):
    section = Section(
        name, "one restart of a worker whose output is captured",
        "As in `restart`, with --log against without, in turns; rested: one restart each"
        f" {RESTED_US // 1000} ms.", pair_columns("without", "with"))
    for supervisor in bench.supervisors:
        if not supervisor.brood:
            continue
        both = ("without", supervisor, 1), ("with", _logging(supervisor, "text"), 1)
        pair(bench, section, supervisor.name, *both, 4 * bench.rounds)
        pair(bench, section, f"{supervisor.name}, rested", *both, bench.rounds, pace=RESTED_US)
    return section

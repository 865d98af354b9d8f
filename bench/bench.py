# SPDX-License-Identifier: MIT
"""The benchmark's command: finds who can be measured, measures, prints, writes JSON and SVG."""

import argparse
import json
import os
import platform
import sys
import time

import chart
import logs
import measure
import peers
import targets
from cage import Cage
from stage import Bench

SIZES = [1, 100, 1000]

# name → measurement; a name is what --only takes
MEASURES = {
    "restart": lambda b, name: measure.restart(b, name, "static", "minimal worker without libc"),
    "dynamic": lambda b, name: measure.restart(
        b, name, "glibc", "dynamically linked worker (first line of main)"),
    "storm100": lambda b, name: measure.storm(b, name, 100),
    "storm1000": lambda b, name: measure.storm(b, name, 1000),
    "starts1": lambda b, name: measure.starts(b, name, 1),
    "starts100": lambda b, name: measure.starts(b, name, 100),
    "cost": measure.cost,
    "crowd": measure.crowd,
    "memory": lambda b, name: measure.memory(b, name, SIZES),
    "idle": measure.idle,
    "lograw": logs.throughput,
    "logtext": logs.throughput,
    "loglines": logs.throughput,
    "logmany": logs.many,
    "logrestart": logs.restart,
}


def _options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--tools", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer rounds")
    parser.add_argument("--only", action="append", metavar="NAME", choices=MEASURES,
                        help="this measurement; may be repeated: " + ", ".join(MEASURES))
    parser.add_argument("--peers", metavar="NAMES",
                        help="of the peers only these, comma-separated ('' for none)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds (40; 4 with --quick)")
    parser.add_argument("--brood", action="append", default=[], metavar="[LABEL=]PATH",
                        help="this brood; several can be compared, each with a label of its own")
    parser.add_argument("--realtime", action="store_true",
                        help="all that is measured runs as SCHED_RR: for a machine that is busy")
    parser.add_argument("--out", default="bench-out", metavar="DIR", help="for JSON and SVG")
    return parser.parse_args()


def _broods(arguments):
    """[LABEL=]PATH → {label: path}"""
    result = {}
    for argument in arguments:
        label, equals, path = argument.rpartition("=")
        result[label if equals else "brood"] = os.path.abspath(path)
    return result


def _machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) // 1024
    return {
        "kernel": platform.release(), "machine": platform.machine(), "libc": platform.libc_ver()[1],
        "cpus": len(os.sched_getaffinity(0)), "cpu": models[0] if models else "",
        "memory_mib": memory, "load_before": os.getloadavg()[0],
    }


def _say(text):
    """Progress, for who looks on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _introduce(machine, found, missing):
    print(f"{machine['cpus']} processors ({machine['cpu']}), {machine['memory_mib']} MiB,"
          f" Linux {machine['kernel']}, glibc {machine['libc']},"
          f" load {machine['load_before']:.2f}")
    if machine["load_before"] > 0.5:
        print("The machine is busy: trust no number, and ratios little; --realtime helps.")
    for supervisor in found:
        about = [text for text in (supervisor.version, supervisor.note) if text]
        print(f"    {supervisor.name:12}  " + "; ".join(about))
    for name, reason in missing:
        print(f"    {name:12}  left out: {reason}")
    print()


def _write(directory, sections, reached, found, missing, machine):
    os.makedirs(directory, exist_ok=True)
    result = {
        "machine": machine,
        "supervisors": {s.name: {"version": s.version, "note": s.note} for s in found},
        "missing": dict(missing),
        "targets": [vars(target) | {"reached": target.reached} for target in reached],
        "sections": {section.name: section.json() for section in sections},
    }
    with open(os.path.join(directory, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, ensure_ascii=False)
    caption = (f"Linux {machine['kernel']}, {machine['cpus']} processors, {machine['date']};"
               f"{' SCHED_RR,' if machine['realtime'] else ''} medians, less is better unless said")
    with open(os.path.join(directory, "bench.svg"), "w", encoding="utf-8") as file:
        file.write(chart.svg(sections, [s.name for s in found if s.brood], caption))
    print(f"{directory}/bench.json, {directory}/bench.svg; {machine['seconds']:.0f} s")


def main():
    options = _options()
    machine = _machine() | {"date": time.strftime("%Y-%m-%d"), "realtime": options.realtime,
                              "quick": options.quick}
    found, missing = peers.find(options.tools, _broods(options.brood))
    if options.peers is not None:
        wanted = options.peers.split(",")
        found = [s for s in found if s.brood or s.name == "floor" or s.name in wanted]
    _introduce(machine, found, missing)
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(5))
    if options.quick:
        for supervisor in found:
            if not supervisor.brood and supervisor.name != "floor":
                supervisor.most = 100  # starting a thousand takes them seconds
    rounds = options.rounds or (4 if options.quick else 40)
    bench = Bench(options.tools, found, rounds, 1 if options.quick else 10, 10, options.quick, _say)
    sections, begin = [], time.monotonic()
    for name in options.only or MEASURES:
        section = MEASURES[name](bench, name)
        sections.append(section)
        _say("")
        print("\n".join(section.lines()), flush=True)
    machine["seconds"] = time.monotonic() - begin
    reached = targets.check(sections, [s.name for s in found if s.brood], SIZES)
    print("\n".join(targets.lines(reached)))
    _write(options.out, sections, reached, found, missing, machine)


if __name__ == "__main__":
    with Cage():
        try:
            main()
        except KeyboardInterrupt:
            sys.exit(130)

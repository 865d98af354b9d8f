# SPDX-License-Identifier: MIT
"""What brood set out to reach, and whether this run says so."""

from dataclasses import dataclass


@dataclass
class Target:
    supervisor: str
    what: str
    value: float
    limit: float
    form: str = "{:.2f}"
    at_least: bool = False

    @property
    def reached(self):
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self, width):
        verdict = "pass" if self.reached else "MISS"
        value, limit = self.form.format(self.value), self.form.format(self.limit)
        sign = "≥" if self.at_least else "≤"
        return f"    {verdict}  {self.supervisor.ljust(width)}  {self.what}: {value} ({sign} {limit})"


# section, key, what it is, limit
RATIOS = [
    ("restart", "x50", "one restart, p50 × floor", 1.10),
    ("restart", "x99", "one restart, p99 × floor's", 1.50),
    ("storm1000", "x50", "storm of 1000, p50 × floor", 1.00),
    ("crowd", "x", "one restart beside 10 000 idle × alone", 1.30),
    ("logmany", "cpu", "1000 workers × 10 lines/s, % of a core", 5.00),
    ("logrestart", "x", "one restart with captured output × without", 1.10),
]

# the same, where more is better
RATES = [
    ("lograw", "x cat", "captured in raw, bytes/s × cat's", 0.80),
    ("logtext", "x s6-log t", "captured as text, bytes/s × s6-log's", 1.50),
    ("logtext", "x svlogd -tt 64K", "captured as text, bytes/s × svlogd's", 1.50),
]


def check(sections, broods, sizes):
    """The targets of each of `broods` that the sections that were measured can speak of."""
    by_name = {section.name: section for section in sections}
    result = []
    for brood in broods:
        for rows, at_least in ((RATIOS, False), (RATES, True)):
            for name, key, what, limit in rows:
                value = by_name[name].value(brood, key) if name in by_name else None
                if value is not None:
                    result.append(Target(brood, what, value, limit, at_least=at_least))
        for n in sizes if "memory" in by_name else []:
            value = by_name["memory"].value(brood, f"pss{n}")
            if value is not None:
                limit = 400 + n * 300 / 1024
                result.append(Target(brood, f"PSS at {n} workers, KiB", value, limit, "{:.0f}"))
        switches = by_name["idle"].value(brood, "switches") if "idle" in by_name else None
        if switches is not None:
            result.append(Target(brood, "wakeups while idle", switches, 0, "{}"))
    return result


def lines(targets):
    yield "targets"
    width = max((len(target.supervisor) for target in targets), default=0)
    for target in targets:
        yield target.line(width)
    if not targets:
        yield "    none could be looked at"

# SPDX-License-Identifier: MIT
"""One measurement's outcome: a table of named numbers, each row a supervisor."""

from dataclasses import dataclass, field

from stats import percentile


@dataclass
class Column:
    """`key` of a row's values, its heading, and how it is printed."""
    key: str
    head: str
    form: str = "{:.1f}"


@dataclass
class Section:
    name: str
    title: str
    how: str  # what the numbers are made of
    columns: list
    rows: dict = field(default_factory=dict)     # supervisor → {key: number}
    samples: dict = field(default_factory=dict)  # supervisor → raw values by round
    failed: dict = field(default_factory=dict)   # supervisor → why there is no row

    def value(self, supervisor, key):
        return self.rows.get(supervisor, {}).get(key)

    def lines(self):
        """The section as aligned text."""
        table = [["", *(column.head for column in self.columns)]]
        for supervisor, values in self.rows.items():
            cells = (values.get(column.key) for column in self.columns)
            table.append([supervisor, *(
                "–" if cell is None else column.form.format(cell)
                for cell, column in zip(cells, self.columns))])
        widths = [max(map(len, cells)) for cells in zip(*table)]
        yield f"{self.name}: {self.title}"
        yield f"  {self.how}"
        for first, *rest in table:
            cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:]))
            yield f"    {first.ljust(widths[0])}  " + "  ".join(cells)
        for supervisor, reason in self.failed.items():
            yield f"    {supervisor.ljust(widths[0])}  not measured: {reason}"
        yield ""

    def json(self):
        return {"title": self.title, "how": self.how, "rows": self.rows, "samples": self.samples,
                "failed": self.failed}


def by_rounds(section, taken, scale, base="floor"):
    """Fills `section` from {supervisor: Samples in ns}: p50, p99 and what they are of `base`'s."""
    for supervisor, samples in taken.items():
        values = samples.all
        if not values:
            continue
        row = {"n": len(values), "p50": percentile(values, 50) / scale,
               "p99": percentile(values, 99) / scale}
        if base in taken and taken[base].all:
            low, high = samples.ratio_range(taken[base])
            row |= {"x50": samples.ratio(taken[base]), "x99": samples.ratio(taken[base], 99),
                    "low": low, "high": high}
        section.rows[supervisor] = row
        section.samples[supervisor] = samples.rounds


def rounds_columns(unit):
    return [Column("p50", f"p50 {unit}"), Column("p99", f"p99 {unit}"),
            Column("x50", "× floor", "{:.2f}"), Column("low", "25 %", "{:.2f}"),
            Column("high", "75 %", "{:.2f}"), Column("x99", "p99 × floor's", "{:.2f}"),
            Column("n", "n", "{}")]

# SPDX-License-Identifier: MIT
"""The result as one SVG: a panel for each number, a bar for each supervisor. Readable on light and
dark ground, with no script, font or style from elsewhere. A bar that would leave its panel is cut,
which its open end and its number say."""

from dataclasses import dataclass
from html import escape

WIDTH, PANEL_X, LABEL, BAR, GAP = 860, 430, 120, 14, 6
TOP, HEAD = 60, 34
CUT = 8  # a bar longer than this many times the floor's is cut

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 17px; font-weight: 600 } .head { font-weight: 600 } .dim { fill: #6e7781 }
  .floor { fill: #8c959f } .brood { fill: #0969da } .peer { fill: #bf8700 }
  .axis { stroke: #d0d7de } .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .dim { fill: #8d96a0 } .floor { fill: #6e7681 } .brood { fill: #4493f8 }
    .peer { fill: #d29922 } .axis { stroke: #3d444d } .ground { fill: #0d1117 }
  }"""


@dataclass
class Panel:
    section: str
    key: str
    title: str
    form: str


PANELS = [
    Panel("restart", "p50", "one restart, minimal worker, µs", "{:.0f}"),
    Panel("dynamic", "p50", "one restart, ordinary glibc worker, µs", "{:.0f}"),
    Panel("storm100", "p50", "storm of 100, ms", "{:.1f}"),
    Panel("storm1000", "p50", "storm of 1000, ms", "{:.0f}"),
    Panel("starts100", "rate", "starts a second, 100 workers (more is better)", "{:.0f}"),
    Panel("cost", "cpu", "supervisor CPU for a restart, µs", "{:.0f}"),
    Panel("cost", "calls", "supervisor system calls for a restart", "{:.1f}"),
    Panel("memory", "pss1000", "supervisor PSS at 1000 workers, KiB", "{:.0f}"),
    Panel("lograw", "rate", "output captured as it is, MB/s (more is better)", "{:.0f}"),
    Panel("logtext", "rate", "output captured with timestamps, MB/s (more is better)", "{:.0f}"),
]


def _bars(panel, section, kinds, x, y):
    values = {name: row[panel.key] for name, row in section.rows.items()
              if row.get(panel.key) is not None}
    yield f'<text class="head" x="{x}" y="{y + 14}">{escape(panel.title)}</text>'
    room = PANEL_X - LABEL - 140
    base = values.get("floor") or min((v for v in values.values() if v > 0), default=1)
    longest = max(1e-9, min(max(values.values(), default=1), CUT * base))
    y += HEAD - 8
    for name, value in values.items():
        length, cut = room * min(value, longest) / longest, value > longest
        left, middle = x + LABEL, y + BAR - 3
        yield f'<text x="{left - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>'
        bar = (f"M{left} {y}h{length:.1f}" + (f"l5 {BAR / 2}l-5 {BAR / 2}" if cut else f"v{BAR}")
               + f"h-{length:.1f}z")
        yield f'<path class="{kinds.get(name, "peer")}" d="{bar}"/>'
        text = panel.form.format(value) + (f" (× {value / base:.0f})" if cut else "")
        yield f'<text class="dim" x="{left + length + 9:.1f}" y="{middle}">{text}</text>'
        y += BAR + GAP
    yield f'<path class="axis" d="M{x + LABEL}.5 {y + 2}V{y - len(values) * (BAR + GAP) - 4}"/>'


def svg(sections, broods, caption):
    """The chart's text; `broods` are the names of the bars that are ours."""
    kinds = {"floor": "floor"} | dict.fromkeys(broods, "brood")
    by_name = {section.name: section for section in sections}
    panels = [panel for panel in PANELS if panel.section in by_name
              and any(panel.key in row for row in by_name[panel.section].rows.values())]
    most = max((len(by_name[panel.section].rows) for panel in panels), default=0)
    height_each = HEAD + most * (BAR + GAP) + 16
    height = TOP + (len(panels) + 1) // 2 * height_each
    body = []
    for i, panel in enumerate(panels):
        x, y = 10 + i % 2 * PANEL_X, TOP + i // 2 * height_each
        body += _bars(panel, by_name[panel.section], kinds, x, y)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>What a restart costs</title>", f"<style>{STYLE}\n</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        '<text class="title" x="10" y="26">What a restart costs</text>',
        f'<text class="dim" x="10" y="46">{escape(caption)}</text>', *body, "</svg>", ""])

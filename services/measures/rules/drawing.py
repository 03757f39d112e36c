"""Charts drawn on the server: a chart resource as SVG, and as rows of CSV.

NHS colours, never red against green; every kind of point has its own shape and fill as well, so that a chart printed in
black and white says the same.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, log10
from textwrap import wrap
from typing import Any
from xml.sax import saxutils

WIDTH, HEIGHT = 960, 480
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 64, 84
GREY, BLUE, ORANGE, PURPLE, RED, INK = "#a6a6a6", "#00b0f0", "#e46c0a", "#490092", "#de1b1b", "#212b32"
LINE = "#768692"

COLOURS: Mapping[str, str] = {
    "common_cause": GREY,
    "improvement": BLUE,
    "concern": ORANGE,
    "neutral_high": PURPLE,
    "neutral_low": PURPLE,
}
"""The colour of each signal."""

SHAPES: Mapping[str, str] = {
    "common_cause": "circle",
    "improvement": "diamond",
    "concern": "square",
    "neutral_high": "triangle-up",
    "neutral_low": "triangle-down",
}
"""The shape of each signal's marker, legible without colour."""

_OUTLINES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "diamond": ((0, -7), (7, 0), (0, 7), (-7, 0)),
    "square": ((-5, -5), (5, -5), (5, 5), (-5, 5)),
    "triangle-up": ((0, -7), (6, 5), (-6, 5)),
    "triangle-down": ((0, 7), (6, -5), (-6, -5)),
}

COLUMNS = (
    "measure", "organisation", "stratum", "period", "label", "status", "numerator", "denominator", "value", "lower_95",
    "upper_95", "segment", "centre", "lower", "upper", "lower_2sigma", "upper_2sigma", "outside", "rule", "signal",
    "provisional", "completeness",
)  # fmt: skip
"""The columns of a chart as CSV, in order."""


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where things go: `count` points from left to right, heights from `low` to `high`."""

    count: int
    low: float
    high: float

    def x(self, index: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (index + 0.5) / max(self.count, 1), 1)

    def y(self, height: float) -> float:
        share = (height - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)


def csv_text(chart: Mapping[str, Any]) -> str:
    """The points of a chart resource as CSV: a header, then a line for each point; null is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    whole = {name: chart[name] for name in ("measure", "organisation", "stratum")}
    writer.writerows({**whole, **point} for point in chart["points"])
    return out.getvalue()


def svg(chart: Mapping[str, Any]) -> str:
    """The chart resource as one self-contained SVG image, with its title and description for assistive technology."""
    low, high = chart["axes"]["y"]["domain"]
    plane = _Plane(len(chart["points"]), low, high)
    parts = [
        *_opening(chart),
        *_vertical_axis(chart, plane),
        *_horizontal_axis(chart, plane),
        *_limits(chart, plane),
        *_target(chart, plane),
        *_annotations(chart, plane),
        *_line(chart, plane),
        *(_marker(index, point, plane) for index, point in enumerate(chart["points"])),
        *_legend(chart),
        "</svg>",
    ]
    return "\n".join(parts)


def _opening(chart: Mapping[str, Any]) -> Iterator[str]:
    title = f"{chart['name']}: {chart['organisation_name']}"
    if chart["stratum"]:
        title += f" ({chart['stratum'].replace('=', ' ').replace('_', ' ')})"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title desc" font-family="Frutiger, Arial, sans-serif" font-size="12" '
        f'fill="{INK}">'
    )
    yield f'<title id="title">{_escaped(title)}</title>'
    yield f'<desc id="desc">{_escaped(chart["alt_text"])}</desc>'
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield _text(LEFT, 22, title, size=18, weight="bold")
    for number, line in enumerate(wrap(chart["summary"], 130)[:2]):
        yield _text(LEFT, 40 + 15 * number, line)


def _vertical_axis(chart: Mapping[str, Any], plane: _Plane) -> Iterator[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    axis = chart["axes"]["y"]
    yield (
        f'<text x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})">'
        f"{_escaped(axis['title'])}</text>"
    )
    for height in _ticks(plane.low, plane.high):
        y = plane.y(height)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#e8edee"/>'
        yield _text(LEFT - 8, y + 4, f"{height:,.6g}", anchor="end")


def _horizontal_axis(chart: Mapping[str, Any], plane: _Plane) -> Iterator[str]:
    base = HEIGHT - BOTTOM
    yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}" stroke="{INK}"/>'
    every = max(1, -(-plane.count // 12))
    for index, point in enumerate(chart["points"]):
        if index % every == 0:
            yield _text(plane.x(index), base + 18, point["period"], anchor="middle", size=11)
    yield _text((LEFT + WIDTH - RIGHT) / 2, base + 38, chart["axes"]["x"]["title"], anchor="middle")


def _limits(chart: Mapping[str, Any], plane: _Plane) -> Iterator[str]:
    """Centre lines (solid) and limits (dashed), segment by segment; a limit that follows the points is a stair."""
    for segment in chart["segments"]:
        indices = range(segment["first"], segment["last"] + 1)
        for line, style in (("centre", ""), ("lower", ' stroke-dasharray="6 4"'), ("upper", ' stroke-dasharray="6 4"')):
            for path in _stairs(line, indices, chart["points"], plane):
                yield f'<path class="{line}" d="{path}" fill="none" stroke="{INK}" stroke-width="1.2"{style}/>'


def _stairs(line: str, indices: range, points: Sequence[Mapping[str, Any]], plane: _Plane) -> Iterator[str]:
    for drawn, run in groupby(indices, key=lambda index: points[index][line] is not None):
        if drawn:
            steps = [(plane.x(i - 0.5), plane.x(i + 0.5), plane.y(points[i][line])) for i in run]
            yield "M" + "L".join(f"{left} {y}L{right} {y}" for left, right, y in steps)


def _target(chart: Mapping[str, Any], plane: _Plane) -> Iterator[str]:
    if chart["target"] is not None:
        y = plane.y(chart["target"]["value"])
        yield (
            f'<line class="target" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="{RED}" '
            'stroke-width="1.6" stroke-dasharray="3 3"/>'
        )
        yield _text(WIDTH - RIGHT, y - 5, f"Target {chart['target']['value']:,.6g}", anchor="end", colour=RED)


def _annotations(chart: Mapping[str, Any], plane: _Plane) -> Iterator[str]:
    for number, note in enumerate(chart["annotations"]):
        x, y = plane.x(note["point"]), TOP + 14 + 14 * (number % 3)
        ends = f'x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"'
        yield f'<line class="annotation" {ends} stroke="{INK}" stroke-dasharray="1 4"/>'
        yield _text(x + 4, y, _shortened(note["text"], 40), size=11)


def _line(chart: Mapping[str, Any], plane: _Plane) -> Iterator[str]:
    """The line through the values; it breaks where a period has none and where a segment ends."""
    points = list(enumerate(chart["points"]))
    for (segment, shown), run in groupby(points, key=lambda one: (one[1]["segment"], one[1]["value"] is not None)):
        if shown:
            path = "L".join(f"{plane.x(index)} {plane.y(point['value'])}" for index, point in run)
            yield f'<path class="values segment-{segment}" d="M{path}" fill="none" stroke="{LINE}" stroke-width="1.5"/>'


def _marker(index: int, point: Mapping[str, Any], plane: _Plane) -> str:
    x = plane.x(index)
    said = _escaped(
        f"{point['label']}: {point['status'] if point['value'] is None else format(point['value'], ',.6g')}"
    )
    if point["value"] is None:
        base = HEIGHT - BOTTOM - 6
        cross = f"M{x - 4} {base - 4}L{x + 4} {base + 4}M{x - 4} {base + 4}L{x + 4} {base - 4}"
        return f'<path class="no-value" d="{cross}" stroke="{INK}"><title>{said}</title></path>'
    shape = _shape(SHAPES[point["signal"]], x, plane.y(point["value"]))
    colour = COLOURS[point["signal"]]
    fill = "#ffffff" if point["provisional"] else colour
    edge = colour if point["provisional"] else INK
    return f'<g class="{point["signal"]}" fill="{fill}" stroke="{edge}"><title>{said}</title>{shape}</g>'


def _shape(name: str, x: float, y: float) -> str:
    if name == "circle":
        return f'<circle cx="{x}" cy="{y}" r="5"/>'
    outline = " ".join(f"{round(x + dx, 1)},{round(y + dy, 1)}" for dx, dy in _OUTLINES[name])
    return f'<polygon points="{outline}"/>'


def _legend(chart: Mapping[str, Any]) -> Iterator[str]:
    signals = [name for name in COLOURS if any(point["signal"] == name for point in chart["points"])]
    for number, name in enumerate(signals):
        x, y = LEFT + 10 + 170 * number, HEIGHT - 18
        yield f'<g class="legend" fill="{COLOURS[name]}" stroke="{INK}">{_shape(SHAPES[name], x, y)}</g>'
        yield _text(x + 12, y + 4, name.replace("_", " ").capitalize())


def _ticks(low: float, high: float) -> list[float]:
    """About five round heights between the two."""
    rough = (high - low) / 5
    size = 10.0 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    return [round(step * number, 12) for number in range(ceil(low / step), floor(high / step) + 1)]


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", size: int = 12, weight: str = "normal", colour: str = INK
) -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
    return f"<text {place}>{_escaped(words)}</text>"


_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _escaped(words: str) -> str:
    """What people wrote, as text of XML, which cannot hold control characters however they are written."""
    return saxutils.escape(_NO_XML.sub("\ufffd", words))


def _shortened(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1].rstrip() + "…"

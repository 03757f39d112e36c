"""The answer about a series, ready to draw: every point with its limits and what they say of it."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import msgspec
import numpy as np

from services.measures.rules.spc.blocks import Judged, judge
from services.measures.rules.spc.charts import CHARTS
from services.measures.rules.spc.exact import Floats
from services.measures.rules.spc.nhs_rules import Assurance, assurance
from services.measures.rules.spc.packing import pack
from services.measures.rules.spc.series import Ruleset, Series
from services.measures.rules.spc.verdicts import RULES, SIGNALS, VARIATIONS, Rule, Signal, Variation

TRIAL_POINTS = 12
STANDARD = Ruleset()


class Point(msgspec.Struct, frozen=True, gc=False):
    """One point of a chart. A value that is missing, or a limit that does not exist, is None."""

    label: str
    value: float | None
    denominator: float | None
    segment: int
    centre: float | None
    lower: float | None
    upper: float | None
    lower_2sigma: float | None
    upper_2sigma: float | None
    outside: bool
    rule: Rule | None
    signal: Signal


class Segment(msgspec.Struct, frozen=True, gc=False):
    """The `n` points `first` to `last` (indices, inclusive) of one centre; limits are None where they vary."""

    segment: int
    first: int
    last: int
    n: int
    centre: float | None
    lower: float | None
    upper: float | None


class RunsTest(msgspec.Struct, frozen=True, gc=False):
    """The runs test of one segment: its `n_useful` points off the centre line, and whether their runs are unusual."""

    segment: int
    n_useful: int
    longest_run: int | None
    longest_run_max: int | None
    crossings: int | None
    crossings_min: int | None
    signal: bool


class Summary(msgspec.Struct, frozen=True):
    """What is said of a whole series. `ruleset` is the variant of the rules that said it."""

    segments: list[Segment]
    variation: Variation
    assurance: Assurance | None
    runs: list[RunsTest]
    notices: list[str]
    ruleset: Ruleset


class Answer(msgspec.Struct, frozen=True):
    """One series, charted; fields as in `POST /v1/statistics/spc`."""

    id: str
    chart: str
    points: list[Point]
    segments: list[Segment]
    variation: Variation
    assurance: Assurance | None
    runs: list[RunsTest]
    notices: list[str]
    ruleset: Ruleset


def evaluate(series: Sequence[Series], *, ruleset: Ruleset = STANDARD) -> list[Answer]:
    """Chart every series, in the order given.

    Raises `InvalidSeries`, which names the place, for the first series that cannot be charted.
    """
    judged = judge(pack(series), ruleset)
    columns = Columns.of(judged)
    return [_answer(number, each, columns, ruleset) for number, each in enumerate(series)]


class Columns(NamedTuple):
    """Everything that was found, as plain lists: of points, and of segments."""

    judged: Judged
    ends: list[int]
    segments: list[int]
    value: list[float | None]
    verdicts: bytes
    first: list[int]
    length: list[int]
    centre: list[float | None]
    lines: list[list[float | None]]
    varying: list[list[float | None]] | None
    limited: list[bool]
    runs: list[list[int]]

    @classmethod
    def of(cls, judged: Judged) -> "Columns":
        """Lists of what was judged."""
        packed = judged.packed
        return cls(
            judged,
            packed.ends.tolist(),
            packed.segments.tolist(),
            nullable(judged.value),
            judged.verdicts.tobytes(),
            packed.first.tolist(),
            packed.length.tolist(),
            nullable(judged.centre),
            [nullable(line) for line in judged.lines],
            None if judged.varying is None else [nullable(line) for line in judged.varying],
            judged.limited.tolist(),
            [column.tolist() for column in judged.runs],
        )

    def span(self, number: int) -> tuple[range, int]:
        """The segments of series `number`, and its first point."""
        rows = range(self.segments[number - 1] if number else 0, self.segments[number])
        return rows, self.ends[number - 1] if number else 0

    def limits(self, steady: bool, row: int) -> Iterator[Any]:
        """The four limits of each point of segment `row`, as four iterables."""
        if steady or self.varying is None:
            return (repeat(line[row]) for line in self.lines)
        first = self.first[row]
        return (line[first : first + self.length[row]] for line in self.varying)


def nullable(values: Floats) -> list[float | None]:
    """A plain list, NaN as None."""
    result: list[float | None] = values.tolist()
    for place in np.flatnonzero(np.isnan(values)).tolist():
        result[place] = None
    return result


def _answer(number: int, series: Series, columns: Columns, ruleset: Ruleset) -> Answer:
    summary = summarise(number, series, columns, ruleset)
    parts = (getattr(summary, name) for name in Summary.__struct_fields__)
    return Answer(series.id, series.chart, _points(number, series, columns), *parts)


_RULE_OF = tuple(RULES[verdict // 3] for verdict in range(15))
_OUTSIDE = tuple(rule == "outside" for rule in _RULE_OF)
_SIGNAL_OF = {name: tuple(signals[verdict % 3] for verdict in range(15)) for name, signals in SIGNALS.items()}


def _points(number: int, series: Series, columns: Columns) -> list[Point]:
    steady, signal = CHARTS[series.chart].steady, _SIGNAL_OF[series.improvement]
    rows, begin = columns.span(number)
    points: list[Point] = []
    for segment, row in enumerate(rows):
        first = columns.first[row]
        last = first + columns.length[row]
        here = slice(first - begin, last - begin)
        verdicts = columns.verdicts[first:last]
        points += map(
            Point,
            series.labels[here],
            columns.value[first:last],
            repeat(None) if series.denominators is None else series.denominators[here],
            repeat(segment),
            repeat(columns.centre[row]),
            *columns.limits(steady, row),
            map(_OUTSIDE.__getitem__, verdicts),
            map(_RULE_OF.__getitem__, verdicts),
            map(signal.__getitem__, verdicts),
        )
    return points


def summarise(number: int, series: Series, columns: Columns, ruleset: Ruleset) -> Summary:
    """Segments, icons, runs and notices of series `number`."""
    rows, begin = columns.span(number)
    segments = [
        Segment(
            segment,
            columns.first[row] - begin,
            columns.first[row] - begin + columns.length[row] - 1,
            columns.length[row],
            columns.centre[row],
            columns.lines[0][row],
            columns.lines[1][row],
        )
        for segment, row in enumerate(rows)
    ]
    return Summary(
        segments,
        variation_of(series, columns, rows),
        assurance_of(series, columns, rows),
        [_runs(segment, row, columns) for segment, row in enumerate(rows)],
        list(_notices(series, columns, rows)),
        ruleset,
    )


def _runs(segment: int, row: int, columns: Columns) -> RunsTest:
    useful, longest, longest_max, crossings, crossings_min, _, signal = (column[row] for column in columns.runs)
    if not useful:
        return RunsTest(segment, 0, None, None, None, None, signal=False)
    return RunsTest(segment, useful, longest, longest_max, crossings, crossings_min, bool(signal))


def variation_of(series: Series, columns: Columns, rows: range) -> Variation:
    """The icon of the last point. On charts other than XmR an unusually long run that is still going on counts too."""
    if not rows:
        return "common_cause"
    row = rows[-1]
    direction = columns.verdicts[columns.first[row] + columns.length[row] - 1] % 3
    chart = CHARTS[series.chart]
    if direction == 1 and chart.runs and not chart.nhs:
        last = columns.runs[5][row]
        if abs(last) > columns.runs[2][row]:
            direction = 2 if last > 0 else 0
    return VARIATIONS[series.improvement][direction]


def assurance_of(series: Series, columns: Columns, rows: range) -> Assurance | None:
    """Target against the limits of the last point; of the last that has any where they vary from point to point."""
    chart = CHARTS[series.chart]
    if series.target is None or series.improvement == "neutral" or not rows:
        return None
    lower, upper = columns.lines[0][rows[-1]], columns.lines[1][rows[-1]]
    if not chart.steady and columns.varying is not None:
        first, last = columns.first[rows[-1]], columns.first[rows[-1]] + columns.length[rows[-1]]
        pairs = zip(columns.varying[0][first:last], columns.varying[1][first:last], strict=True)
        lower, upper = next((pair for pair in reversed(list(pairs)) if pair[1] is not None), (None, None))
    if lower is None or upper is None:
        return "inconsistent" if chart.nhs else None
    return assurance(series.target, lower, upper, series.improvement)


def _notices(series: Series, columns: Columns, rows: range) -> Iterator[str]:
    if not CHARTS[series.chart].limited:
        return
    for row in rows:
        length = columns.length[row]
        where = f" from {series.labels[columns.first[row] - columns.first[rows[0]]]} on" if len(rows) > 1 else ""
        if not columns.limited[row]:
            yield f"There are no limits{where}: the values do not vary, or are too few."
        elif length <= TRIAL_POINTS:
            yield f"The limits{where} rest on {TRIAL_POINTS} points or fewer: they are trial limits and will move."
        if series.fix_after is not None and length < series.fix_after:
            yield f"There are {length} of the {series.fix_after} points that are to fix the limits{where}."

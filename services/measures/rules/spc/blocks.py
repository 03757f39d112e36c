"""Limits, verdicts and runs of all segments, a block of like ones at a time.

A block is an array [points, segments] of one kind of chart, padded to its longest segment. Segments are taken in order
of length, so that padding stays small, and blocks are cut to fit the processor's cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.measures.rules.spc import nhs_rules, runs
from services.measures.rules.spc.charts import CHARTS, Chart
from services.measures.rules.spc.exact import Flags, Floats
from services.measures.rules.spc.limits import Limits, Sample
from services.measures.rules.spc.packing import Packed, Whole
from services.measures.rules.spc.runs import Runs
from services.measures.rules.spc.series import Ruleset
from services.measures.rules.spc.verdicts import COMMON_CAUSE, Verdicts, outside_limits

BLOCK_CELLS = 1 << 14
LINES = ("lower", "upper", "lower_2sigma", "upper_2sigma")


@dataclass(frozen=True, slots=True)
class Judged:
    """All that was found. Of every point: `value`, `verdicts`. Of every segment: `centre`, `lines` [4, segments] in the
    order of `LINES` (NaN where they vary or do not exist), `limited`, `runs`. `varying` [4, points] holds the limits of
    charts whose limits vary from point to point (None if there is no such chart).
    """

    packed: Packed
    value: Floats
    verdicts: Verdicts
    centre: Floats
    lines: Floats
    limited: Flags
    varying: Floats | None
    runs: Runs


def evaluate_block(chart: Chart, sample: Sample, multiplier: Floats, ruleset: Ruleset) -> tuple[Limits, Verdicts, Runs]:
    """The core: limits, verdicts [points, rows] and runs of one block. `multiplier` [rows] scales what is drawn."""
    with np.errstate(all="ignore"):
        limits = chart.limits(sample)
        counted = np.where(sample.included, limits.value, np.nan)
        tested = runs.analyse(counted, limits.centre, ruleset.runs)
        if not chart.runs:
            tested = tested._replace(signal=np.zeros_like(tested.signal))
        verdicts = nhs_rules.judge(limits, counted, ruleset) if _by_nhs_rules(chart, ruleset) else None
        drawn = Limits(*(_finite(line * multiplier) for line in limits))
        if verdicts is None:
            verdicts = outside_limits(drawn.value, drawn.lower, drawn.upper)
        return _floored(drawn) if ruleset.floor_at_zero else drawn, verdicts, tested


def _by_nhs_rules(chart: Chart, ruleset: Ruleset) -> bool:
    return chart.nhs or (ruleset.nhs_rules == "limited" and chart.limited and chart.runs)


def judge(packed: Packed, ruleset: Ruleset) -> Judged:
    """Evaluate every segment of every series."""
    points, segments = len(packed.values), len(packed.first)
    varies = any(not CHARTS[series.chart].steady for series in packed.series)
    result = Judged(
        packed,
        value=np.empty(points),
        verdicts=np.full(points, COMMON_CAUSE),
        centre=np.full(segments, np.nan),
        lines=np.full((4, segments), np.nan),
        limited=np.zeros(segments, bool),
        varying=np.full((4, points), np.nan) if varies else None,
        runs=Runs.empty(segments),
    )
    for chart, rows in _blocks(packed):
        _judge_block(chart, rows, result, ruleset)
    return result


def _blocks(packed: Packed) -> Iterator[tuple[Chart, Whole]]:
    names = np.array([series.chart for series in packed.series])[packed.owner]
    for name in dict.fromkeys(series.chart for series in packed.series):
        rows = np.flatnonzero(names == name)
        rows = rows[np.argsort(packed.length[rows], kind="stable")]
        while len(rows):
            longest = packed.length[rows[:BLOCK_CELLS]]
            taken = max(1, int(np.count_nonzero(np.arange(1, len(longest) + 1) * longest <= BLOCK_CELLS)))
            yield CHARTS[name], rows[:taken]
            rows = rows[taken:]


def _judge_block(chart: Chart, rows: Whole, result: Judged, ruleset: Ruleset) -> None:
    packed = result.packed
    position = np.arange(int(packed.length[rows].max()))[:, np.newaxis]
    filled = position < packed.length[rows]
    place = np.where(filled, packed.first[rows] + position, 0)
    owners = [packed.series[owner] for owner in packed.owner[rows].tolist()]
    fix_after = np.array([len(position) if series.fix_after is None else series.fix_after for series in owners])
    included = packed.included[place] & filled
    sample = Sample(
        values=np.where(filled, packed.values[place], np.nan),
        denominators=np.where(filled, packed.denominators[place], np.nan),
        filled=filled,
        included=included,
        baseline=included & (position < fix_after),
        centre=np.array([np.nan if series.centre is None else series.centre for series in owners]),
        screen=np.array([series.screen for series in owners]),
        sizes=packed.sizes[place],
        spreads=packed.spreads[place],
    )
    multiplier = np.array([series.multiplier for series in owners])
    limits, verdicts, tested = evaluate_block(chart, sample, multiplier, ruleset)
    _keep(result, chart, rows, place, filled, limits, verdicts, tested)


def _keep(
    result: Judged,
    chart: Chart,
    rows: Whole,
    place: Whole,
    filled: Flags,
    limits: Limits,
    verdicts: Verdicts,
    tested: Runs,
) -> None:
    """Put a block's findings where its points and segments belong."""
    points = place[filled]
    result.value[points] = limits.value[filled]
    result.verdicts[points] = verdicts[filled]
    result.centre[rows] = limits.centre[0]
    for kept, found in zip(result.runs, tested, strict=True):
        kept[rows] = found
    for number, line in enumerate(limits[2:]):
        if chart.steady:
            result.lines[number, rows] = line[0]
        elif result.varying is not None:
            result.varying[number, points] = line[filled]
            result.lines[number, rows] = _if_constant(line, filled)
    result.limited[rows] = (np.isfinite(limits.upper) & filled).any(axis=0)


def _if_constant(line: Floats, filled: Flags) -> Floats:
    """The limit of rows in which it is the same at every point; NaN for others."""
    same = ((line == line[0]) | ~filled).all(axis=0)
    return np.where(same, line[0], np.nan)


def _finite(line: Floats) -> Floats:
    finite = np.isfinite(line)
    return line if finite.all() else np.where(finite, line, np.nan)


def _floored(limits: Limits) -> Limits:
    positive = ~(limits.value < 0).any(axis=0)
    lower, lower_2sigma = (np.where(positive, np.maximum(x, 0), x) for x in (limits.lower, limits.lower_2sigma))
    return limits._replace(lower=lower, lower_2sigma=lower_2sigma)

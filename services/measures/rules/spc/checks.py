"""Refusals: what cannot be charted is turned away by name and place, never charted as something else."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from services.measures.rules.spc.charts import CHARTS, Chart
from services.measures.rules.spc.exact import Flags, Floats
from services.measures.rules.spc.series import InvalidSeries, Series

Whole = npt.NDArray[np.int64]


def check_shape(number: int, series: Series) -> None:
    """Refuse a series whose fields contradict one another; `number` is its place among those sent."""
    for field, index, message in _contradictions(series):
        raise InvalidSeries(message, series=number, id=series.id, field=field, index=index)


def check_numbers(all_series: Sequence[Series], ends: Whole, values: Floats, denominators: Floats) -> None:
    """Refuse figures that no such chart can hold. `values` and `denominators` are those of all series end to end."""
    charts = [CHARTS[series.chart] for series in all_series]
    lengths = np.diff(ends, prepend=0)
    lowest = np.repeat(np.array([chart.lowest for chart in charts]), lengths)
    excess = np.repeat(np.array([chart.proportion for chart in charts], bool), lengths)
    bare = np.repeat(np.array([chart.open for chart in charts], bool), lengths)
    faults: list[tuple[Flags, str, str]] = [
        (denominators < 0, "denominators", "a denominator is not negative"),
        (values < lowest, "values", "a value on this chart is not negative"),
        (bare & (values <= lowest), "values", "a value on this chart is greater than zero"),
        (excess & (values > denominators), "values", "there are more events than the denominator"),
        (
            (denominators == 0) & (values != 0) & ~np.isnan(values),
            "values",
            "there are events, but a denominator of zero",
        ),
    ]
    for wrong, field, message in faults:
        if wrong.any():
            place = int(wrong.argmax())
            number = int(np.searchsorted(ends, place, side="right"))
            index = place - (int(ends[number - 1]) if number else 0)
            raise InvalidSeries(message, series=number, id=all_series[number].id, field=field, index=index)


def _contradictions(series: Series) -> Iterable[tuple[str, int | None, str]]:
    chart, length = CHARTS.get(series.chart), len(series.labels)
    if chart is None:
        yield "chart", None, f"one of {', '.join(CHARTS)}"
        return
    if len(series.values) != length:
        yield "values", None, f"there are {length} labels but {len(series.values)} values"
    yield from _denominators(series, chart, length)
    yield from _places(series, length)
    yield from _options(series, chart)
    if chart.nhs and len(set(series.labels)) < length:
        first = next(index for index, label in enumerate(series.labels) if label in series.labels[:index])
        yield "labels", first, "this label comes twice: an XmR chart has one value a period"


def _denominators(series: Series, chart: Chart, length: int) -> Iterable[tuple[str, int | None, str]]:
    if series.denominators is None:
        if chart.denominators == "required":
            yield "denominators", None, f"a {series.chart} chart needs denominators"
    elif chart.denominators == "none":
        yield "denominators", None, f"a {series.chart} chart takes no denominators"
    elif len(series.denominators) != length:
        yield "denominators", None, f"there are {length} labels but {len(series.denominators)} denominators"


def _places(series: Series, length: int) -> Iterable[tuple[str, int | None, str]]:
    for field, places in (("rebase", series.rebase), ("exclude", series.exclude)):
        for index, place in enumerate(places or ()):
            if not 0 <= place < length:
                yield field, index, f"{place} is not the index of a point: there are {length}"


def _options(series: Series, chart: Chart) -> Iterable[tuple[str, int | None, str]]:
    if series.improvement not in ("increase", "decrease", "neutral"):
        yield "improvement", None, "one of increase, decrease, neutral"
    if series.fix_after is not None and series.fix_after < chart.shortest_baseline:
        yield "fix_after", None, f"a fixed baseline on this chart has {chart.shortest_baseline} points or more"
    if series.target is not None and not math.isfinite(series.target):
        yield "target", None, "a target is a number"
    if not (math.isfinite(series.multiplier) and series.multiplier > 0):
        yield "multiplier", None, "a multiplier is a number greater than zero"
    highest = 1 if chart.proportion else math.inf
    if series.centre is not None and (
        not math.isfinite(series.centre)
        or not chart.lowest <= series.centre <= highest
        or (chart.open and series.centre == chart.lowest)
    ):
        yield "centre", None, "a centre is a number this chart can hold, before the multiplier"

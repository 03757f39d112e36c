"""Series laid end to end in flat arrays, and cut into segments; what makes thousands of them one computation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from services.measures.rules.spc import exact
from services.measures.rules.spc.charts import CHARTS
from services.measures.rules.spc.checks import check_numbers, check_shape
from services.measures.rules.spc.exact import Flags, Floats
from services.measures.rules.spc.series import InvalidSeries, Series

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packed:
    """Points of all series end to end (`values` to `included`), and one entry a segment (`first` to `owner`).

    Series k has the points `ends[k - 1]` to `ends[k]` and the segments `segments[k - 1]` to `segments[k]`. `sizes` and
    `spreads` are of subgroups. Of a segment: its `first` point, its `length`, its `owner` among the series.
    """

    series: Sequence[Series]
    ends: Whole
    values: Floats
    denominators: Floats
    sizes: Floats
    spreads: Floats
    included: Flags
    segments: Whole
    first: Whole
    length: Whole
    owner: Whole


def pack(all_series: Sequence[Series]) -> Packed:
    """Check the series and lay them end to end.

    Raises `InvalidSeries` for the first that cannot be charted.
    """
    for number, series in enumerate(all_series):
        check_shape(number, series)
    ends = np.cumsum([len(series.labels) for series in all_series], dtype=np.int64)
    values, sizes, spreads = _values(all_series, ends)
    denominators = _flat(all_series, ends, "denominators", [_given(series) for series in all_series])
    check_numbers(all_series, ends, values, denominators)
    cuts = [_cuts(series) for series in all_series]
    segments = np.cumsum([len(cut) for cut in cuts], dtype=np.int64)
    owner = np.repeat(np.arange(len(cuts)), np.diff(segments, prepend=0))
    first = np.array(list(chain.from_iterable(cuts)), np.int64) + (ends - np.diff(ends, prepend=0))[owner]
    length = np.diff(first, append=len(values))
    return Packed(
        all_series,
        ends,
        values,
        denominators,
        sizes,
        spreads,
        _included(all_series, ends),
        segments,
        first,
        length,
        owner,
    )


def _cuts(series: Series) -> Sequence[int]:
    """Index of the first point of each segment."""
    if not series.labels:
        return ()
    return sorted({0, *series.rebase}) if series.rebase else (0,)


def _given(series: Series) -> Sequence[float | None]:
    return [1.0] * len(series.labels) if series.denominators is None else series.denominators


def _values(all_series: Sequence[Series], ends: Whole) -> tuple[Floats, Floats, Floats]:
    """Values, sizes and spreads of subgroups; the last two are only fillers where nothing has subgroups."""
    grouped = [number for number, series in enumerate(all_series) if CHARTS[series.chart].grouped]
    plain: list[Sequence[Any]] = [series.values for series in all_series]
    for number in grouped:
        plain[number] = [None] * len(all_series[number].values)
    values = _flat(all_series, ends, "values", plain)
    if not grouped:
        return values, values, values
    sizes, spreads = np.zeros_like(values), np.full_like(values, np.nan)
    for number in grouped:
        end, found = int(ends[number]), _subgroups(number, all_series[number])
        place = slice(end - len(found[0]), end)
        values[place], sizes[place], spreads[place] = found
    return values, sizes, spreads


def _subgroups(number: int, series: Series) -> tuple[Floats, Floats, Floats]:
    """Mean, size and standard deviation of each subgroup of one series."""
    groups: list[Sequence[float | None]] = []
    for index, group in enumerate(series.values):
        if isinstance(group, int | float):
            message = "each value on this chart is the array of its subgroup"
            raise InvalidSeries(message, series=number, id=series.id, field="values", index=index)
        groups.append(group or ())
    table = np.full((max((len(group) for group in groups), default=0), len(groups)), np.nan)
    for index, group in enumerate(groups):
        table[: len(group), index] = _floats(group)
        if any(value is not None and not np.isfinite(value) for value in group):
            raise InvalidSeries("not a number", series=number, id=series.id, field="values", index=index)
    sizes = np.count_nonzero(~np.isnan(table), axis=0).astype(np.float64)
    with np.errstate(all="ignore"):
        average = exact.mean(table)
        freedom = np.where(sizes > 1, sizes - 1, np.nan)
        spread = np.sqrt(exact.total((table - average) ** 2) / freedom)
    return average, sizes, spread


def _flat(all_series: Sequence[Series], ends: Whole, field: str, columns: list[Sequence[Any]]) -> Floats:
    """The columns end to end, missing as NaN; refuses what is not a finite number."""
    flat = list(chain.from_iterable(columns))
    try:
        array = _floats(flat)
    except (TypeError, ValueError):
        array = np.array([np.nan if not isinstance(value, int | float) else value for value in flat], np.float64)
    for place in np.flatnonzero(~np.isfinite(array)).tolist():
        if flat[place] is not None:
            number = int(np.searchsorted(ends, place, side="right"))
            index = place - (int(ends[number - 1]) if number else 0)
            raise InvalidSeries("not a number", series=number, id=all_series[number].id, field=field, index=index)
    return array


def _floats(values: Sequence[Any]) -> Floats:
    return np.array(values, dtype=np.float64)


def _included(all_series: Sequence[Series], ends: Whole) -> Flags:
    included = np.ones(int(ends[-1]) if len(ends) else 0, bool)
    for number, series in enumerate(all_series):
        if series.exclude:
            included[int(ends[number]) - len(series.labels) + np.array(series.exclude, np.int64)] = False
    return included

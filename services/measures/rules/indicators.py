"""Figures with intervals, a method by its name: what `POST /v1/statistics/intervals` answers."""

from collections.abc import Callable, Mapping, Sequence

from services.measures.rules.intervals import (
    Interval,
    confidence_level,
    mean_interval,
    proportion_interval,
    rate_interval,
)
from services.measures.rules.invalid import TOO_FAR_APART, InvalidRow, finite
from services.measures.rules.standardisation import dsr_interval, is_rate_interval, is_ratio_interval

INTERVALS: dict[str, Callable[[Mapping[str, object], int, float, float], Interval]] = {
    "proportion": proportion_interval,
    "rate": rate_interval,
    "mean": mean_interval,
    "dsr": dsr_interval,
    "is_ratio": is_ratio_interval,
    "is_rate": is_rate_interval,
}
"""The row function of each method: (row, its index, confidence, multiplier) -> interval."""


def intervals(
    method: str, rows: Sequence[Mapping[str, object]], *, confidence: float = 0.95, multiplier: float = 1
) -> list[Interval]:
    """One interval per row, in the order of the rows.

    Rows are as each method's function says; `confidence` is 0.9 to 1 or 90 to 100; `multiplier` scales value and bounds
    (the reference value of a ratio). Raises `InvalidRow` naming the row and the field.
    """
    if method not in INTERVALS:
        raise InvalidRow(None, "method", f"must be one of {', '.join(INTERVALS)}")
    level = confidence_level(confidence)
    scale = finite(multiplier, None, "multiplier")
    if scale <= 0:
        raise InvalidRow(None, "multiplier", "must be greater than zero")
    return [_interval(method, row, index, level, scale) for index, row in enumerate(rows)]


def _interval(method: str, row: Mapping[str, object], index: int, level: float, scale: float) -> Interval:
    try:
        return INTERVALS[method](row, index, level, scale)
    except ArithmeticError as wrong:
        raise InvalidRow(index, "values" if method == "mean" else "bands", TOO_FAR_APART) from wrong

"""Confidence intervals of counts, proportions, rates and means.

Wilson's for proportions; exact Poisson (chi-square) under 10 events and Byar's from 10 for counts and rates;
Student's t for means. Source: PHEindicatormethods 2.1.0 (OHID, "Technical guide: confidence intervals").
Missing bounds are NaN in arrays and None in an `Interval`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isfinite, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from services.measures.rules.invalid import InvalidRow, counts, finite, given

FloatArray = NDArray[np.float64]
Bounds = tuple[FloatArray, FloatArray]
Method = Literal["wilson", "exact", "byar", "student", "dobson"]

EXACT_BELOW = 10
"""Counts under this many events have an exact interval; from here on Byar's approximation is used."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its confidence interval, in the unit of the multiplier; None where there is none."""

    value: float | None
    lower: float | None
    upper: float | None
    method: Method


def confidence_level(confidence: float) -> float:
    """A level as a share: 0.9 to 1 as it is, 90 to 100 as per cent. Raises `InvalidRow` for anything else."""
    level = finite(confidence, None, "confidence")
    if level >= 90:
        level /= 100
    if not 0.9 <= level <= 1:
        raise InvalidRow(None, "confidence", "must be from 0.9 to 1, or from 90 to 100 per cent")
    return level


def critical_value(confidence: float) -> float:
    """The standard normal deviate of a two-sided level: 1.96 for 0.95, infinite for 1."""
    level = confidence_level(confidence)
    return float(special.ndtri(level + (1 - level) / 2))


def wilson(numerator: ArrayLike, denominator: ArrayLike, confidence: float = 0.95) -> Bounds:
    """Wilson score bounds of proportions, as shares; 0 and 1 where the confidence is 1."""
    x, n = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    z = critical_value(confidence)
    if not isfinite(z):
        return np.zeros_like(x / n), np.ones_like(x / n)
    middle, half = 2 * x + z**2, z * np.sqrt(z**2 + 4 * x * (1 - x / n))
    upper = np.minimum((middle + half) / 2 / (n + z**2), 1.0)  # of all cases it may come out one bit above 1
    return (middle - half) / 2 / (n + z**2), upper


def exact(count: ArrayLike, confidence: float = 0.95) -> Bounds:
    """Exact Poisson bounds of counts, from the chi-square distribution; the lower bound of 0 is 0."""
    x = np.asarray(count, np.float64)
    level = confidence_level(confidence)
    tail = (1 - level) / 2
    lower = np.where(x > 0, special.gammaincinv(np.maximum(x, 1e-300), tail), 0.0)
    return np.asarray(lower, np.float64), np.asarray(special.gammaincinv(x + 1, level + tail), np.float64)


def byars_lower(count: ArrayLike, confidence: float = 0.95) -> FloatArray:
    """Byar's lower bound of counts; NaN where it would be negative, and for a count of 0."""
    x = np.asarray(count, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = x * (1 - 1 / (9 * x) - critical_value(confidence) / (3 * np.sqrt(x))) ** 3
    return np.where(lower < 0, np.nan, lower)


def byars_upper(count: ArrayLike, confidence: float = 0.95) -> FloatArray:
    """Byar's upper bound of counts."""
    x = np.asarray(count, np.float64) + 1
    return np.asarray(x * (1 - 1 / (9 * x) + critical_value(confidence) / (3 * np.sqrt(x))) ** 3)


def poisson(count: ArrayLike, confidence: float = 0.95) -> Bounds:
    """Bounds of counts: exact under 10 events, Byar's from 10."""
    x = np.asarray(count, np.float64)
    few = x < EXACT_BELOW
    lower, upper = exact(x, confidence)
    return np.where(few, lower, byars_lower(x, confidence)), np.where(few, upper, byars_upper(x, confidence))


def poisson_method(count: float) -> Method:
    """Which interval a count of this size has."""
    return "exact" if count < EXACT_BELOW else "byar"


def student(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean of `values` with its t interval: (mean, lower, upper); the bounds of a single value are NaN."""
    level = confidence_level(confidence)
    size = len(values)
    mean = fsum(values) / size
    if size < 2:
        return mean, float("nan"), float("nan")
    deviation = sqrt(fsum((value - mean) ** 2 for value in values) / (size - 1))
    half = abs(float(special.stdtrit(size - 1, (1 - level) / 2))) * deviation / sqrt(size)
    return mean, mean - half, mean + half


def proportion_interval(row: Mapping[str, object], index: int, confidence: float, multiplier: float) -> Interval:
    """Wilson's interval of a `{"numerator", "denominator"}` row; None throughout where either is None."""
    if None in (given(row, index, "numerator"), given(row, index, "denominator")):
        return Interval(None, None, None, "wilson")
    x, n = counts(row, index, within=True)
    lower, upper = wilson(x, n, confidence)
    return scaled(x / n, lower, upper, multiplier, "wilson")


def rate_interval(row: Mapping[str, object], index: int, confidence: float, multiplier: float) -> Interval:
    """The Poisson interval of a `{"numerator", "denominator"}` row; None throughout where either is None."""
    if None in (given(row, index, "numerator"), given(row, index, "denominator")):
        return Interval(None, None, None, "byar")
    x, n = counts(row, index, within=False)
    lower, upper = poisson(x, confidence)
    return scaled(x / n, lower / n, upper / n, multiplier, poisson_method(x))


def mean_interval(row: Mapping[str, object], index: int, confidence: float, multiplier: float) -> Interval:
    """Student's interval of the mean of a `{"values": [...]}` row; None throughout where any value is None."""
    values = row.get("values")
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise InvalidRow(index, "values", "must be a list of at least one number")
    if any(value is None for value in values):
        return Interval(None, None, None, "student")
    numbers = [finite(value, index, f"values/{place}") for place, value in enumerate(values)]
    return scaled(*student(numbers, confidence), multiplier, "student")


def scaled(
    value: float, lower: float | FloatArray, upper: float | FloatArray, multiplier: float, method: Method
) -> Interval:
    """An `Interval` in the unit of the multiplier, with None for what is not finite."""
    low, high = float(lower) * multiplier, float(upper) * multiplier
    return Interval(shown(value * multiplier), shown(low), shown(high), method)


def shown(figure: float) -> float | None:
    """The figure, or None where it is not a finite number."""
    return float(figure) if isfinite(figure) else None

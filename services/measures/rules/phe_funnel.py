"""Funnels of public health: exact Poisson and Wilson limits about the average, with no overdispersion.

Source: PHEindicatormethods 2.1.0 (`calculate_funnel_limits`, `assign_funnel_significance`, `calculate_funnel_points`).
Tables are columns: a dictionary of equally long lists, in the order of the input.
"""

from collections.abc import Callable, Sequence
from math import ceil, floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from services.measures.rules.intervals import poisson, shown
from services.measures.rules.invalid import InvalidRow, not_negative, positive, same_length

FloatArray = NDArray[np.float64]
Statistic = Literal["proportion", "ratio", "rate"]
RatioType = Literal["count", "isr"]
RateType = Literal["dsr", "crude"]

CURVE_ROWS = 100
FEWEST_EVENTS = 10
NOT_APPLICABLE = "Not applicable for events less than 10 for dsrs"

_SIDES = (
    ("lower_2s", 0.025, "high"),
    ("upper_2s", 0.025, "low"),
    ("lower_3s", 0.001, "high"),
    ("upper_3s", 0.001, "low"),
)


def calculate_funnel_limits(
    numerators: Sequence[float],
    denominators: Sequence[float | None] | None = None,
    rates: Sequence[float | None] | None = None,
    *,
    statistic: Statistic,
    ratio_type: RatioType = "isr",
    rate_type: RateType = "crude",
    multiplier: float = 1,
    years_of_data: float = 1,
) -> dict[str, list[float]]:
    """The funnel's lines in 100 rows, closer together where the funnel is steep.

    Columns are `population` (proportion), `observed_events` (ratio) or `events` (rate), the four limits
    `lower_2s_limit` to `upper_3s_limit`, and what they belong to: `..._exp_events` of a ratio,
    `..._population_1_year` of a rate; `baseline` for proportions and rates. A ratio's limits are a percentage (`isr`)
    or a share above the expected (`count`). Raises `InvalidRow`.
    """
    x = _numerators(numerators)
    n = _denominators(x, denominators, rates, statistic, rate_type, positive(multiplier, None, "multiplier"))
    average = _average(x, n)
    years = positive(years_of_data, None, "years_of_data") if statistic == "rate" else 1.0
    first, last = _axis(float(np.nanmin(n)), float(np.nanmax(n)), years)
    if statistic == "rate":
        first, last = floor(first * average), ceil(last * average)
    steps = _steps(first, last, inner=statistic == "ratio")
    if statistic == "proportion":
        return _proportion_limits(steps, average, multiplier)
    if statistic == "ratio":
        return _ratio_limits(steps, ratio_type)
    return _rate_limits(steps, average, multiplier, years)


def assign_funnel_significance(
    numerators: Sequence[float],
    denominators: Sequence[float | None] | None = None,
    rates: Sequence[float | None] | None = None,
    *,
    statistic: Statistic,
    rate_type: RateType = "crude",
    multiplier: float = 1,
) -> list[str]:
    """How each row differs from the average: `High (0.001)`, `High (0.025)`, `Low (...)` or `Not significant`.

    Ratios are compared with 1. A directly standardised rate of fewer than 10 events is not judged. Raises `InvalidRow`.
    """
    x = _numerators(numerators)
    n = _denominators(x, denominators, rates, statistic, rate_type, positive(multiplier, None, "multiplier"))
    average = 1.0 if statistic == "ratio" else _average(x, n)
    low: list[tuple[str, NDArray[np.bool_]]] = []
    high: list[tuple[str, NDArray[np.bool_]]] = []
    for label, share in (("0.001", 0.998), ("0.025", 0.95)):
        below, above = _beyond(x, n, average, share, proportion=statistic == "proportion")
        low.append((f"Low ({label})", below))
        high.append((f"High ({label})", above))
    verdicts = np.select([test for _, test in low + high], [label for label, _ in low + high], "Not significant")
    if statistic == "rate" and rate_type == "dsr":
        verdicts = np.where(x < FEWEST_EVENTS, NOT_APPLICABLE, verdicts)
    return [str(verdict) for verdict in verdicts]


def calculate_funnel_points(
    numerators: Sequence[float],
    denominators: Sequence[float | None] | None = None,
    rates: Sequence[float | None] | None = None,
    *,
    rate_type: RateType = "crude",
    multiplier: float = 1,
    years_of_data: float = 1,
) -> dict[str, list[float | None]]:
    """Where each rate stands on the funnel: `rate_chart`, and `denominator_derived` of one year.

    None for a directly standardised rate of fewer than 10 events. Raises `InvalidRow`.
    """
    x = _numerators(numerators)
    years = positive(years_of_data, None, "years_of_data")
    n = _denominators(x, denominators, rates, "rate", rate_type, positive(multiplier, None, "multiplier")) / years
    rate = np.array([np.nan if value is None else value for value in rates or ()], np.float64)
    if rate_type == "dsr":
        rate, n = (np.where(x < FEWEST_EVENTS, np.nan, column) for column in (rate, n))
    return {"rate_chart": [shown(value) for value in rate], "denominator_derived": [shown(value) for value in n]}


def _numerators(numerators: Sequence[float]) -> FloatArray:
    if not numerators:
        raise InvalidRow(None, "numerators", "must have at least one value")
    return np.array([not_negative(value, index, "numerator") for index, value in enumerate(numerators)])


def _denominators(
    x: FloatArray,
    denominators: Sequence[float | None] | None,
    rates: Sequence[float | None] | None,
    statistic: Statistic,
    rate_type: RateType,
    multiplier: float,
) -> FloatArray:
    """Denominators as given, or those that a rate and its numerator imply (NaN where no standardised rate is given)."""
    for name, column in (("denominators", denominators), ("rates", rates)):
        if column is not None:
            same_length("numerators", len(x), name, len(column))
    if statistic == "rate":
        return np.array([_implied(i, float(v), denominators, rates, rate_type, multiplier) for i, v in enumerate(x)])
    if denominators is None:
        raise InvalidRow(None, "denominators", "must be given")
    n = np.array([positive(value, index, "denominator") for index, value in enumerate(denominators)])
    for index in np.flatnonzero(x > n)[:1] if statistic == "proportion" else ():
        raise InvalidRow(int(index), "numerator", "must not be more than the denominator")
    return n


def _implied(
    index: int,
    numerator: float,
    denominators: Sequence[float | None] | None,
    rates: Sequence[float | None] | None,
    rate_type: RateType,
    multiplier: float,
) -> float:
    rate = rates[index] if rates else None
    if rate is None and rate_type == "dsr" and 0 < numerator < FEWEST_EVENTS:
        return float("nan")
    if numerator > 0:
        return multiplier * numerator / positive(rate, index, "rate")
    given = positive(denominators[index] if denominators else None, index, "denominator")
    return given if rate_type == "crude" else float("nan")


def _average(x: FloatArray, n: FloatArray) -> float:
    known = ~np.isnan(n)
    if not known.any():
        raise InvalidRow(None, "denominators", "are not known for any row")
    return float(x[known].sum() / n[known].sum())


def _axis(smallest: float, largest: float, years: float) -> tuple[float, float]:
    """A tidy start (0 unless the denominators are close together) and end of the horizontal axis."""
    first = 0.0 if largest > 2 * smallest else _tidy(smallest / years * 0.95, floor, 1) * years
    return first, _tidy(largest / years * 1.05, ceil, 2) * years


def _tidy(value: float, whole: Callable[[float], int], digits: int) -> float:
    unit = 10.0 ** (len(str(whole(value))) - digits)
    return float(whole(value / unit) * unit)


def _steps(first: float, last: float, *, inner: bool) -> FloatArray:
    """100 whole numbers growing geometrically from `first` to `last`, each at least one more than the one before."""
    steps = [max(1.0, first)]
    for left in range(CURVE_ROWS - (0 if inner else 1), 1 if inner else 0, -1):
        grown = np.rint((last / steps[-1]) ** (1 / left) * steps[-1])
        steps.append(max(float(grown), steps[-1] + 1))
    return np.array(steps)


def _wilson_limit(p: float, population: FloatArray, average: float, side: int) -> FloatArray:
    """The share at which Wilson's interval of a population of this size just reaches the average."""
    z2 = float(special.ndtri(p)) ** 2
    middle = average * (population / z2 + 1)
    divisor = 1 / z2 + 1 / population
    rest = average * (population * (average * (population / z2 + 2) - 1) + z2 * (average - 1))
    return np.asarray((middle + side * np.sqrt(np.maximum(middle**2 - divisor * rest, 0))) / divisor / population)


def _proportion_limits(steps: FloatArray, average: float, multiplier: float) -> dict[str, list[float]]:
    columns = {"population": steps}
    for name, p in (("2s", 0.975), ("3s", 0.999)):
        # The source caps at 100 whatever the multiplier.
        columns[f"lower_{name}_limit"] = np.maximum(0, _wilson_limit(p, steps, average, -1) * multiplier)
        columns[f"upper_{name}_limit"] = np.minimum(100, _wilson_limit(p, steps, average, 1) * multiplier)
    columns["baseline"] = np.full_like(steps, average * multiplier)
    return {name: column.tolist() for name, column in columns.items()}


def _ratio_limits(steps: FloatArray, ratio_type: RatioType) -> dict[str, list[float]]:
    columns = {"observed_events": steps}
    for name, p, side in _SIDES:
        expected = _poisson_mean(steps, p, side)
        columns[f"{name}_exp_events"] = expected
        columns[f"{name}_limit"] = steps / expected - 1 if ratio_type == "count" else steps / expected * 100
    return {name: column.tolist() for name, column in columns.items()}


def _rate_limits(steps: FloatArray, average: float, multiplier: float, years: float) -> dict[str, list[float]]:
    columns = {"events": steps}
    for name, p, side in _SIDES:
        population = _poisson_mean(steps, p, side) / average
        columns[f"{name}_population_1_year"] = population / years
        columns[f"{name}_limit"] = steps / population * multiplier
    columns["baseline"] = np.full_like(steps, average * multiplier)
    return {name: column.tolist() for name, column in columns.items()}


def _poisson_mean(observed: FloatArray, p: float, side: str) -> FloatArray:
    """The Poisson mean of which `observed` is the p-quantile from the `low` or the `high` side, by bisection.

    Bisection to the source's tolerance rather than the exact inverse, so that the curve is the published one.
    """
    share, step = np.full_like(observed, 0.5), 0.5
    while step > 1e-7:
        step /= 2
        mean = (1 + observed) * share / (1 - share)
        below = observed if side == "low" else observed + 1
        part = special.gammaincc(below, mean) / special.gammaincc(_terms(mean), mean)
        share = np.where(1 - part > p if side == "low" else part < p, share - step, share + step)
    return np.asarray((1 + observed) * share / (1 - share))


def _terms(mean: FloatArray) -> FloatArray:
    """How many terms the source sums of a Poisson distribution: past the mean, up to one under 1e-10 of the sum.

    What is left out moves a bisection by a step now and then, so it is left out here too.
    """
    low = np.floor(mean) + 1
    high = low + np.ceil(12 * np.sqrt(mean)) + 60
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        term = special.xlogy(middle, mean) - mean - special.gammaln(middle + 1)
        enough = term <= np.log(1e-10) + np.log(special.gammaincc(middle, mean))
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return np.asarray(low)


def _beyond(
    x: FloatArray, n: FloatArray, average: float, share: float, *, proportion: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows lie below and which above the average, at this two-sided level."""
    if proportion:
        p = 0.5 + share / 2
        return x / n < _wilson_limit(p, n, average, -1), x / n > _wilson_limit(p, n, average, 1)
    lower, upper = poisson(x, share)
    return average > upper / n, average < lower / n

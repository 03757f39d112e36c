"""Inequality between quantiles of deprivation: quantiles themselves, and the slope and relative indices.

The slope index (SII) is the fitted gap between the two ends of the population, ordered by quantile; the relative index
(RII) the ratio of those ends. Source: PHEindicatormethods 2.1.0 (`phe_quantile`, `phe_sii`). Confidence is by
simulation from a fixed seed: the same rows always have the same interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.measures.rules.intervals import confidence_level, critical_value, shown
from services.measures.rules.invalid import InvalidRow, finite, not_negative, positive, share

FloatArray = NDArray[np.float64]
ValueType = Literal["rate", "proportion", "mean"]

SEED = 20130417
REPETITIONS = 100_000
FEWEST, MOST, UNSTABLE_ABOVE = 5, 100, 10
UNSTABLE = "More than 10 quantiles: small values can make the index unstable."


@dataclass(frozen=True, slots=True)
class Inequality:
    """SII (scaled by the multiplier), RII and the fitted value at the first end, with confidence intervals."""

    sii: float
    rii: float | None
    intercept: float
    sii_lower: float | None
    sii_upper: float | None
    rii_lower: float | None
    rii_upper: float | None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale on which a kind of value is simulated, and the way back."""

    check: Callable[[object, int | None, str], float]
    to: Callable[[float], float]
    back: Callable[[FloatArray], FloatArray]


def _log(value: float) -> float:
    return log(value) if value > 0 else -inf


def _logit(value: float) -> float:
    return inf if value == 1 else _log(value / (1 - value))


def _logistic(value: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-value)))


SCALES: dict[str, Scale] = {
    "mean": Scale(finite, lambda value: value, lambda value: value),
    "rate": Scale(not_negative, _log, np.exp),
    "proportion": Scale(share, _logit, _logistic),
}
"""Means as they are, rates as logarithms, proportions as logits."""


@dataclass(frozen=True, slots=True)
class _Quantiles:
    """One entry per quantile, in ascending order."""

    value: FloatArray
    population: FloatArray
    simulated_mean: FloatArray
    simulated_error: FloatArray


def quantiles(values: Sequence[float | None], number: int = 10, *, highest_first: bool = True) -> list[int | None]:
    """The quantile (1 to `number`) of each value; None where the value is, or for all where too few have one.

    Quantile 1 holds the highest values, unless `highest_first` is false. Equal values share a quantile.
    """
    if number < 1:
        raise InvalidRow(None, "number", "must be at least 1")
    sign = -1 if highest_first else 1
    keys = [None if value is None else sign * finite(value, index, "value") for index, value in enumerate(values)]
    known = sorted(key for key in keys if key is not None)
    if len(known) < number:
        return [None] * len(keys)
    ranks = {key: len(known) - place for place, key in enumerate(reversed(known))}
    width = len(known) / number

    def quantile(rank: int) -> int:
        return max(1, floor((number + 1) - ceil((len(known) + 1 - rank) / width)))

    return [None if key is None else quantile(ranks[key]) for key in keys]


def inequality(
    rows: Sequence[Mapping[str, object]],
    *,
    value_type: ValueType,
    multiplier: float = 1,
    transform: bool = False,
    confidence: float = 0.95,
    repetitions: int = REPETITIONS,
) -> Inequality:
    """SII and RII of `{"quantile", "population", "value", "lower", "upper"}` rows, one a quantile, 5 to 100 of them.

    Quantile 1 is the most deprived; `lower` and `upper` are 95% limits (or `se`, the standard error on the scale of
    simulation, stands in their place). A negative multiplier is for values of which more is worse. `transform` fits
    the line to logged rates or logits of proportions. Intervals are None where a limit has no logarithm. Raises
    `InvalidRow`.
    """
    if value_type not in SCALES:
        raise InvalidRow(None, "value_type", f"must be one of {', '.join(SCALES)}")
    if transform and value_type == "mean":
        raise InvalidRow(None, "transform", "is for rates and proportions")
    if repetitions < 1000:
        raise InvalidRow(None, "repetitions", "must be at least 1000")
    factor, level = finite(multiplier, None, "multiplier"), confidence_level(confidence)
    if factor == 0:
        raise InvalidRow(None, "multiplier", "must not be zero")
    scale = SCALES[value_type]
    read = _read(rows, scale)
    fit = _fitter(read.population)
    line = fit((read.simulated_mean if transform else read.value)[:, None])[:, 0]
    if not np.isfinite(line).all():
        raise InvalidRow(None, "rows", "have a value of 0 or 1 that has no logarithm or logit")
    simulated = _simulated(read, fit, repetitions, None if transform else scale.back)
    figures = _transformed if transform else _plain
    at_ends = figures(line, simulated, scale, factor, _positions(level, repetitions))
    return Inequality(*at_ends, notices=(UNSTABLE,) if len(rows) > UNSTABLE_ABOVE else ())


def _read(rows: Sequence[Mapping[str, object]], scale: Scale) -> _Quantiles:
    if not FEWEST <= len(rows) <= MOST:
        raise InvalidRow(None, "rows", "must be 5 to 100 quantiles")
    seen: set[float] = set()
    table = []
    for index, row in enumerate(rows):
        quantile = finite(row.get("quantile"), index, "quantile")
        if quantile in seen:
            raise InvalidRow(index, "quantile", "is there twice")
        seen.add(quantile)
        value = scale.check(row.get("value"), index, "value")
        population = positive(row.get("population"), index, "population")
        table.append((quantile, value, population, scale.to(value), _standard_error(row, index, scale)))
    columns = np.array(sorted(table), np.float64).T
    return _Quantiles(*columns[1:])


def _standard_error(row: Mapping[str, object], index: int, scale: Scale) -> float:
    """Half the width of the 95% interval in standard deviates, on the scale of simulation; infinite at a bound of 0."""
    if row.get("se") is not None:
        return not_negative(row["se"], index, "se")
    lower, upper = (scale.check(row.get(field), index, field) for field in ("lower", "upper"))
    if lower > upper:
        raise InvalidRow(index, "lower", "must not be more than upper")
    ends = scale.to(lower), scale.to(upper)
    return inf if -inf in ends or inf in ends else (ends[1] - ends[0]) / critical_value(0.95) / 2


def _fitter(population: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Least squares of values (one row a quantile) on position in the population, weighted by population.

    The fitter gives intercepts and slopes, one column for each column of values.
    """
    part = population / population.sum()
    middle = np.cumsum(part) - part / 2
    design = np.sqrt(part) * np.vstack([np.ones_like(middle), middle])
    solution = np.linalg.solve(design @ design.T, design) * np.sqrt(part)
    return lambda values: np.asarray(solution @ values)


def _simulated(
    read: _Quantiles,
    fit: Callable[[FloatArray], FloatArray],
    repetitions: int,
    back: Callable[[FloatArray], FloatArray] | None,
) -> FloatArray | None:
    """Intercepts and slopes of as many simulated sets of values; None where a value has no finite standard error."""
    if not (np.isfinite(read.simulated_mean).all() and np.isfinite(read.simulated_error).all()):
        return None
    draws = np.random.default_rng(SEED).standard_normal((len(read.value), repetitions))
    values = read.simulated_mean[:, None] + read.simulated_error[:, None] * draws
    return fit(values if back is None else back(values))


def _positions(level: float, repetitions: int) -> tuple[int, int]:
    """Where the lower and upper limits stand among the sorted simulations."""
    upper = level + (1 - level) / 2
    lowest = round(repetitions * (1 - upper)) - 1
    return max(0, lowest), min(repetitions, round(repetitions * upper)) - 1


def _limits(simulations: FloatArray, positions: tuple[int, int]) -> tuple[float, float]:
    at = np.partition(simulations, positions)
    return float(at[positions[0]]), float(at[positions[1]])


Figures = tuple[float, float | None, float, float | None, float | None, float | None, float | None]


def _plain(
    line: FloatArray, simulated: FloatArray | None, scale: Scale, factor: float, positions: tuple[int, int]
) -> Figures:
    """The figures of a line fitted to the values as they are."""
    intercept, slope = float(line[0]), float(line[1])
    rii = _ratio(intercept + slope, intercept, inverted=factor < 0)
    if simulated is None:
        return slope * factor, rii, intercept, None, None, None, None
    slopes = _limits(simulated[1] * factor, positions)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (simulated[0] + simulated[1]) / simulated[0]
        inverted = 1 / ratios if factor < 0 else ratios
    bounds = _limits(inverted, positions)
    return slope * factor, rii, intercept, *slopes, shown(bounds[0]), shown(bounds[1])


def _transformed(
    line: FloatArray, simulated: FloatArray | None, scale: Scale, factor: float, positions: tuple[int, int]
) -> Figures:
    """The figures of a line fitted on the logged or logit scale, taken back at both ends.

    For the limits of rates the source tests `multiplier < 1` where it means a negative one; here it is a negative one.
    """
    middle = float(line[0] + line[1] / 2)

    def ends(slope: float) -> tuple[float, float]:
        first, last = scale.back(np.array([middle - slope / 2, middle + slope / 2]))
        return float(first), float(last)

    first, last = ends(float(line[1]))
    fitted = ((last - first) * factor, _ratio(last, first, inverted=factor < 0), first * abs(factor))
    if simulated is None:
        return *fitted, None, None, None, None
    limits = sorted(_limits(simulated[1], positions), reverse=factor < 0)
    (low_first, low_last), (high_first, high_last) = ends(limits[0]), ends(limits[1])
    return (
        *fitted,
        (low_last - low_first) * factor,
        (high_last - high_first) * factor,
        _ratio(low_last, low_first, inverted=factor < 0),
        _ratio(high_last, high_first, inverted=factor < 0),
    )


def _ratio(last: float, first: float, *, inverted: bool) -> float | None:
    top, bottom = (first, last) if inverted else (last, first)
    return shown(top / bottom) if bottom else None

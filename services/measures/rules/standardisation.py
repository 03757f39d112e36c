"""Directly standardised rates and indirectly standardised ratios and rates.

Source: PHEindicatormethods 2.1.0 (`calculate_dsr`, `calculate_ISRatio`, `calculate_ISRate`). A row is a list of bands
(age bands, usually); what is returned is one figure with its interval.
"""

from collections.abc import Mapping, Sequence
from math import fsum, sqrt

from services.measures.rules.intervals import (
    Interval,
    byars_lower,
    byars_upper,
    confidence_level,
    poisson,
    poisson_method,
    scaled,
)
from services.measures.rules.invalid import InvalidRow, given, not_negative, positive

Band = Mapping[str, object]

ESP2013 = (
    *(5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000),
    *(7000, 6500, 6000, 5500, 5000, 4000, 2500, 1500, 1000),
)
"""European Standard Population 2013 in 19 five-year age bands, 0-4 to 90 and over."""

FEWEST_EVENTS = 10
"""A directly standardised rate of fewer events than this is not given."""


def bands_of(row: Mapping[str, object], index: int) -> Sequence[Band]:
    """The bands of a row, or `InvalidRow`."""
    bands = row.get("bands")
    if not isinstance(bands, Sequence) or isinstance(bands, str) or not bands:
        raise InvalidRow(index, "bands", "must be a list of at least one band")
    for place, band in enumerate(bands):
        if not isinstance(band, Mapping):
            raise InvalidRow(index, f"bands/{place}", "must be an object")
    return bands


def dsr_interval(row: Mapping[str, object], index: int, confidence: float, multiplier: float) -> Interval:
    """The directly standardised rate of `{"bands": [{"numerator", "denominator", "weight"}]}` with Dobson's interval.

    A missing numerator counts as no events; fewer than 10 events give None. Where the events of one person are not
    independent, each band also carries `frequency` (events a person; the numerator counts persons) and its name `band`.
    """
    bands = bands_of(row, index)
    if any("frequency" in band for band in bands):
        return _dsr_of_repeated_events(bands, index, confidence, multiplier)
    cells = [_weighted(band, index, place) for place, band in enumerate(bands)]
    return _dobson(cells, _variance(cells, index), index, confidence, multiplier)


def is_ratio_interval(row: Mapping[str, object], index: int, confidence: float, multiplier: float) -> Interval:
    """Observed over expected events, times the multiplier.

    Bands are `{"numerator", "denominator", "reference_numerator", "reference_denominator"}`; expected events are those
    of the reference population's rates. None where no events are expected.
    """
    observed, expected, _ = _observed_and_expected(row, index)
    return _indirect(observed, expected, confidence, multiplier)


def is_rate_interval(row: Mapping[str, object], index: int, confidence: float, multiplier: float) -> Interval:
    """The indirectly standardised ratio times the crude rate of the reference population, per multiplier."""
    observed, expected, reference_rate = _observed_and_expected(row, index)
    return _indirect(observed, expected, confidence, reference_rate * multiplier)


Cell = tuple[float, float, float]
"""Events, population and standard population of a band."""


def _weighted(band: Band, index: int, place: int) -> Cell:
    numerator = given(band, index, "numerator", under=f"bands/{place}/")
    return (
        0.0 if numerator is None else not_negative(numerator, index, f"bands/{place}/numerator"),
        positive(band.get("denominator"), index, f"bands/{place}/denominator"),
        not_negative(band.get("weight"), index, f"bands/{place}/weight"),
    )


def _standard(cells: Sequence[Cell], index: int) -> float:
    return positive(fsum(weight for _, _, weight in cells), index, "bands")


def _variance(cells: Sequence[Cell], index: int) -> float:
    return fsum(x * (weight / n) ** 2 for x, n, weight in cells) / _standard(cells, index) ** 2


def _dobson(cells: Sequence[Cell], variance: float, index: int, confidence: float, multiplier: float) -> Interval:
    level = confidence_level(confidence)
    events = fsum(x for x, _, _ in cells)
    rate = fsum(x * weight / n for x, n, weight in cells) / _standard(cells, index)
    if events < FEWEST_EVENTS:
        return Interval(None, None, None, "dobson")
    per_event = sqrt(variance / events)
    lower = rate + per_event * (float(byars_lower(events, level)) - events)
    upper = rate + per_event * (float(byars_upper(events, level)) - events)
    return scaled(rate, lower, upper, multiplier, "dobson")


def _dsr_of_repeated_events(bands: Sequence[Band], index: int, confidence: float, multiplier: float) -> Interval:
    by_frequency: dict[float, list[Cell]] = {}
    by_band: dict[object, list[Cell]] = {}
    for place, band in enumerate(bands):
        times = positive(band.get("frequency"), index, f"bands/{place}/frequency")
        persons, population, weight = _weighted(band, index, place)
        by_frequency.setdefault(times, []).append((persons, population, weight))
        events = by_band.setdefault(band.get("band"), [])
        if events and events[0][1:] != (population, weight):
            raise InvalidRow(index, f"bands/{place}/denominator", "differs from the same band at another frequency")
        events.append((times * persons, population, weight))
    variance = fsum(times**2 * _variance(cells, index) for times, cells in by_frequency.items())
    cells = [(fsum(x for x, _, _ in group), group[0][1], group[0][2]) for group in by_band.values()]
    return _dobson(cells, variance, index, confidence, multiplier)


def _observed_and_expected(row: Mapping[str, object], index: int) -> tuple[float, float, float]:
    """Observed events, expected events and the reference population's rate."""
    observed, expected, reference, population = [], [], [], []
    for place, band in enumerate(bands_of(row, index)):
        x, n, x_ref = (
            0.0
            if given(band, index, field, under=f"bands/{place}/") is None
            else not_negative(band[field], index, f"bands/{place}/{field}")
            for field in ("numerator", "denominator", "reference_numerator")
        )
        n_ref = positive(band.get("reference_denominator"), index, f"bands/{place}/reference_denominator")
        observed.append(x)
        expected.append(x_ref / n_ref * n)
        reference.append(x_ref)
        population.append(n_ref)
    return fsum(observed), fsum(expected), fsum(reference) / fsum(population)


def _indirect(observed: float, expected: float, confidence: float, multiplier: float) -> Interval:
    level = confidence_level(confidence)
    method = poisson_method(observed)
    if expected == 0:
        return Interval(None, None, None, method)
    lower, upper = poisson(observed, level)
    return scaled(observed / expected, lower / expected, upper / expected, multiplier, method)

"""Limits of charts whose width follows the denominator of each point: p, p′, u, u′ and I′ (qicharts2 0.8.1)."""

from collections.abc import Callable

import numpy as np

from services.measures.rules.spc import exact
from services.measures.rules.spc.exact import Floats
from services.measures.rules.spc.limits import (
    LARGEST_RANGE,
    RANGE_TO_SIGMA,
    Limits,
    Sample,
    centre_line,
    closed_up,
    only,
    screened_mean,
    sigmas,
    within,
)

LARGEST_STANDARD_RANGE = 3.2665  # of an I′ chart


def proportion(sample: Sample) -> Limits:
    """P chart: events among cases, binomial."""
    return within(_shewhart(sample, _binomial), 0.0, 1.0)


def proportion_prime(sample: Sample) -> Limits:
    """Laney's P′ chart: a p chart widened by the variation between points."""
    return within(_laney(sample, _binomial), 0.0, 1.0)


def rate(sample: Sample) -> Limits:
    """U chart: events in an area of opportunity, Poisson."""
    return within(_shewhart(sample, _poisson), 0.0, np.inf)


def rate_prime(sample: Sample) -> Limits:
    """Laney's U′ chart: a u chart widened by the variation between points."""
    return within(_laney(sample, _poisson), 0.0, np.inf)


def individuals_prime(sample: Sample) -> Limits:
    """I′ chart (Taylor): individuals weighed by their denominators."""
    value, weights = sample.ratio, sample.weights
    used = only(weights, sample.baseline)
    centre = centre_line(sample, exact.ratio(only(sample.values, used > 0), used))
    spread = np.sqrt(1 / weights[1:] + 1 / weights[:-1])
    ranges = np.sqrt(np.pi / 2) * np.abs(np.diff(value, axis=0)) / spread
    return sigmas(value, centre, screened_mean(ranges, sample.screen, LARGEST_STANDARD_RANGE) / np.sqrt(weights))


def _shewhart(sample: Sample, deviation: Callable[[Floats, Floats], Floats]) -> Limits:
    centre = _pooled(sample)
    return sigmas(sample.ratio, centre, deviation(centre, sample.weights))


def _laney(sample: Sample, deviation: Callable[[Floats, Floats], Floats]) -> Limits:
    value, centre = sample.ratio, _pooled(sample)
    within_point = deviation(centre, sample.weights)
    scores = closed_up((value - centre) / within_point, sample.baseline)
    between = screened_mean(np.abs(np.diff(scores, axis=0)), sample.screen, LARGEST_RANGE) / RANGE_TO_SIGMA
    return sigmas(value, centre, within_point * between)


def _pooled(sample: Sample) -> Floats:
    """All events of the baseline by all its denominators."""
    known = sample.baseline & ~np.isnan(sample.ratio)
    return centre_line(sample, exact.ratio(only(sample.values, known), only(sample.denominators, known)))


def _binomial(centre: Floats, weights: Floats) -> Floats:
    deviation: Floats = np.sqrt(centre * (1 - centre) / weights)
    return deviation


def _poisson(centre: Floats, weights: Floats) -> Floats:
    deviation: Floats = np.sqrt(centre / weights)
    return deviation

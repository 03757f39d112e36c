"""Centre line and limits: one function a chart, for a block of segments at once.

Formulas are those of NHSRplotthedots 0.2.2 (`xmr`) and qicharts2 0.8.1 (all others), constants included.
Arrays are [points, rows]; a row is one segment; what is missing is NaN. Charts of rates are in `rates`, of subgroups in
`subgroups`.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from services.measures.rules.spc import exact
from services.measures.rules.spc.exact import Flags, Floats

XMR_LIMIT = 2.66
XMR_NEAR = 2 * (2.66 / 3)
LARGEST_RANGE = 3.267  # a moving range this many times the mean one is screened out (D4 for n = 2)
RANGE_TO_SIGMA = 1.128  # d2 for n = 2
WEIBULL = 3.6  # Nelson's transformation of times between events


@dataclass(frozen=True, slots=True)
class Sample:
    """A block of segments of one kind of chart.

    `values` [points, rows] counts, measurements or subgroup means; `denominators` likewise (1 where none was given);
    `filled` tells points from padding, `included` points from excluded ones, `baseline` the points that make centre and
    limits. `centre` [rows] is imposed, NaN where not; `screen` [rows]. `sizes` and `spreads`: subgroups only.
    """

    values: Floats
    denominators: Floats
    filled: Flags
    included: Flags
    baseline: Flags
    centre: Floats
    screen: Flags
    sizes: Floats
    spreads: Floats

    @property
    def ratio(self) -> Floats:
        """What is drawn: value by denominator."""
        ratio: Floats = self.values / self.denominators
        return ratio

    @property
    def weights(self) -> Floats:
        """Denominators of the points that have a value; 0 elsewhere."""
        return np.where(np.isnan(self.values) | np.isnan(self.denominators), 0.0, self.denominators)


class Limits(NamedTuple):
    """What a chart draws: `value` [points, rows], `centre` [1, rows]; limits are [1, rows] or [points, rows]."""

    value: Floats
    centre: Floats
    lower: Floats
    upper: Floats
    lower_2sigma: Floats
    upper_2sigma: Floats


def run(sample: Sample) -> Limits:
    """Run chart: the median, and no limits."""
    value = sample.ratio
    centre = centre_line(sample, median(only(value, sample.baseline)))
    return Limits(value, centre, *(np.full_like(centre, np.nan),) * 4)


def xmr(sample: Sample) -> Limits:
    """NHS XmR chart: mean, and 2.66 mean moving ranges; missing or excluded points make no moving range."""
    value = sample.ratio
    used = only(value, sample.baseline)
    centre = centre_line(sample, exact.mean(used))
    width = screened_mean(np.abs(np.diff(used, axis=0)), sample.screen)
    limit, near = XMR_LIMIT * width, XMR_NEAR * width
    return Limits(value, centre, centre - limit, centre + limit, centre - near, centre + near)


def individuals(sample: Sample) -> Limits:
    """I chart: mean, and sigma = mean moving range / 1.128; excluded points are passed over."""
    return around_individuals(sample.ratio, sample)


def around_individuals(value: Floats, sample: Sample) -> Limits:
    """Limits of an I chart for the figures `value`."""
    used = closed_up(value, sample.baseline)
    centre = centre_line(sample, exact.mean(used))
    width = screened_mean(np.abs(np.diff(used - centre, axis=0)), sample.screen)
    return sigmas(value, centre, width / RANGE_TO_SIGMA)


def moving_range(sample: Sample) -> Limits:
    """MR chart of the differences of neighbours; never screened."""
    ratio = sample.ratio
    value = np.full_like(ratio, np.nan)
    value[1:] = np.abs(np.diff(ratio, axis=0))
    centre = centre_line(sample, exact.mean(only(value, sample.baseline)))
    zero = np.zeros_like(centre)
    return Limits(value, centre, zero, LARGEST_RANGE * centre, zero, (LARGEST_RANGE / 3) * 2 * centre)


def counts(sample: Sample) -> Limits:
    """C chart: Poisson counts."""
    value = sample.values
    centre = centre_line(sample, exact.mean(only(value, sample.baseline)))
    return within(sigmas(value, centre, np.sqrt(centre)), 0.0, np.inf)


def cases_between(sample: Sample) -> Limits:
    """G chart: cases between events; limits from the mean, the line drawn is the median (0.693 of an imposed mean)."""
    value = sample.values
    used = only(value, sample.baseline)
    average = centre_line(sample, exact.mean(used))
    limits = sigmas(value, average, np.sqrt(average * (average + 1)))
    drawn = np.where(np.isnan(sample.centre), median(used), 0.693 * sample.centre)[np.newaxis]
    return within(limits._replace(centre=drawn), 0.0, np.inf)


def time_between(sample: Sample) -> Limits:
    """T chart: an I chart of times between events to the power 1 / 3.6, drawn back on the scale of the times."""
    imposed = np.power(sample.centre, 1 / WEIBULL)
    limits = around_individuals(np.power(sample.values, 1 / WEIBULL), replace(sample, centre=imposed))
    drawn = Limits(sample.values, *(_drawn_back(line, limits.value, sample.values) for line in limits[1:]))
    return drawn._replace(lower=np.nan_to_num(drawn.lower, nan=0.0))


def _drawn_back(line: Floats, roots: Floats, times: Floats) -> Floats:
    """The line on the scale of the times; one that runs through points runs through them exactly."""
    through = np.fmax.reduce(np.where(roots == line, times, np.nan), axis=0, keepdims=True)
    return np.where(np.isnan(through), np.power(line, WEIBULL), through)


def only(values: Floats, chosen: Flags) -> Floats:
    """`values` where `chosen`, missing elsewhere."""
    return np.where(chosen, values, np.nan)


def closed_up(values: Floats, chosen: Flags) -> Floats:
    """The `chosen` values of each row moved up to its beginning, so that they are neighbours; missing after them."""
    if (chosen[1:] > chosen[:-1]).any():
        order = np.argsort(~chosen, axis=0, kind="stable")
        values, chosen = np.take_along_axis(values, order, 0), np.take_along_axis(chosen, order, 0)
    return only(values, chosen)


def centre_line(sample: Sample, estimate: Floats) -> Floats:
    """The imposed centre where there is one, else the `estimate`; shape [1, rows]."""
    return np.where(np.isnan(sample.centre), estimate, sample.centre)[np.newaxis]


def median(values: Floats) -> Floats:
    """Median down axis 0, missing ones left out; NaN where nothing is left."""
    ordered = np.sort(values, axis=0)
    count = np.count_nonzero(~np.isnan(values), axis=0)
    middle = [
        np.take_along_axis(ordered, place[np.newaxis], axis=0)[0]
        for place in (np.maximum(count - 1, 0) // 2, count // 2)
    ]
    return np.where(count > 0, (middle[0] + middle[1]) / 2, np.nan)


def screened_mean(ranges: Floats, screen: Flags, largest: float = LARGEST_RANGE) -> Floats:
    """Mean of moving ranges [points, rows]; where `screen`, of those below `largest` times it (Nelson 1982)."""
    average = exact.mean(ranges)
    too_large = (ranges >= largest * average) & screen
    rows = np.flatnonzero(too_large.any(axis=0))
    if len(rows):
        average[rows] = exact.mean(only(ranges[:, rows], ~too_large[:, rows]))
    return average


def sigmas(value: Floats, centre: Floats, sigma: Floats) -> Limits:
    """Limits 2 and 3 `sigma` around `centre`."""
    return Limits(value, centre, centre - 3 * sigma, centre + 3 * sigma, centre - 2 * sigma, centre + 2 * sigma)


def within(limits: Limits, lowest: float, highest: float) -> Limits:
    """Limits no lower than `lowest` and no higher than `highest`; one that does not exist stays so."""
    value, centre, *lines = limits
    return Limits(value, centre, *(np.where(np.isfinite(line), np.clip(line, lowest, highest), line) for line in lines))

"""Limits of charts of subgroups of measurements: their means (x̄) and their standard deviations (s), as qicharts2 0.8.1.

Constants come from the gamma function, not from printed tables.
"""

import numpy as np
from scipy import special

from services.measures.rules.spc import exact
from services.measures.rules.spc.exact import Floats
from services.measures.rules.spc.limits import Limits, Sample, centre_line, only


def means(sample: Sample) -> Limits:
    """X̄ chart: the mean of each subgroup, limits from the spread within subgroups."""
    sizes = only(sample.sizes, sample.baseline)
    centre = centre_line(sample, exact.ratio(exact.products(sizes, sample.values), sizes))
    width = _within_subgroups(sample) / (_c4(sample.sizes) * np.sqrt(sample.sizes))
    return Limits(sample.values, centre, *(centre + factor * width for factor in (-3, 3, -2, 2)))


def spreads(sample: Sample) -> Limits:
    """S chart: the standard deviation of each subgroup."""
    centre = centre_line(sample, _within_subgroups(sample))
    c4 = _c4(sample.sizes)
    width = np.sqrt(1 - c4**2) / c4
    lower, lower_2sigma = (np.maximum(0.0, 1 - factor * width) * centre for factor in (3, 2))
    upper, upper_2sigma = ((1 + factor * width) * centre for factor in (3, 2))
    return Limits(sample.spreads, centre, lower, upper, lower_2sigma, upper_2sigma)


def _within_subgroups(sample: Sample) -> Floats:
    """Mean standard deviation of the baseline where all subgroups are of one size, else the pooled one; [rows]."""
    spread = only(sample.spreads, sample.baseline)
    sizes = np.where(sample.filled, sample.sizes, np.nan)
    of_one_size = np.fmin.reduce(sizes, axis=0) == np.fmax.reduce(sizes, axis=0)
    freedom = only(sample.sizes - 1, ~np.isnan(spread))
    pooled = np.sqrt(exact.total(freedom * spread**2) / exact.total(freedom))
    return np.where(of_one_size, exact.mean(spread), pooled)


def _c4(sizes: Floats) -> Floats:
    """Mean standard deviation of `sizes` normal values as a share of sigma; NaN for fewer than 2."""
    freedom = np.where(sizes > 1, sizes - 1, np.nan)
    share: Floats = np.sqrt(2 / freedom) * np.exp(special.gammaln((freedom + 1) / 2) - special.gammaln(freedom / 2))
    return share

"""Sums, means and ratios of sums that are right to the last bit, down the first axis of a block.

A plain mean may be one bit off, and then every point of a constant series looks "below the centre". Each value is cut
in two, so that the high parts add up without any rounding and the low parts are too small for theirs to matter (Rump,
Ogita and Oishi 2008, "Accurate floating-point summation"); a mean is then the true mean, rounded once.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SPLITTER = 134217729.0  # 2**27 + 1: cuts a double into two halves of 26 bits (Veltkamp)


def total(values: Floats) -> Floats:
    """Sum down axis 0 of `values` [points, rows], leaving missing (NaN) ones out; shape [rows]."""
    high, low, _ = _sum(values)
    result: Floats = high + low
    return result


def mean(values: Floats) -> Floats:
    """Mean down axis 0 of `values` [points, rows], leaving missing (NaN) ones out; NaN where nothing is left."""
    high, low, count = _sum(values)
    return _quotient(high, low, count)


def ratio(values: Floats, weights: Floats) -> Floats:
    """Sum of `values` by sum of `weights`, each [points, rows] and its missing ones left out; shape [rows]."""
    high, low, _ = _sum(values)
    divisor, rest, _ = _sum(weights)
    return _quotient(high, low, divisor, rest)


def products(first: Floats, second: Floats) -> Floats:
    """Terms that add up to the exact products; shape [2 points, rows]."""
    return np.concatenate(_product(first, second))


def _quotient(high: Floats, low: Floats, divisor: Floats, rest: Floats | float = 0.0) -> Floats:
    """(`high` + `low`) / (`divisor` + `rest`), rounded once."""
    quotient = high / divisor
    product, error = _product(quotient, divisor)
    result: Floats = quotient + (((high - product) - error) + (low - quotient * rest)) / divisor
    return result


def _sum(values: Floats) -> tuple[Floats, Floats, Floats]:
    """The sum as the nearest double and what that leaves over, and the number of values that are there."""
    count = np.full(values.shape[1:], float(len(values)))
    missing = np.isnan(values)
    if missing.any():
        count -= np.count_nonzero(missing, axis=0)
        values = np.where(missing, 0.0, values)
    largest = np.maximum(values.max(axis=0, initial=0.0), -values.min(axis=0, initial=0.0))
    cut = np.ldexp(1.0, np.frexp(largest)[1] + len(values).bit_length() + 1)
    high_parts = values + cut
    high_parts -= cut
    high, low = high_parts.sum(axis=0), (values - high_parts).sum(axis=0)
    nearest = high + low
    return nearest, low - (nearest - high), count


def _product(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """The product, rounded, and what rounding lost (Dekker)."""
    product = first * second
    first_high, first_low = _halves(first)
    second_high, second_low = _halves(second)
    error = first_low * second_low - (
        ((product - first_high * second_high) - first_low * second_high) - first_high * second_low
    )
    return product, error


def _halves(value: Floats) -> tuple[Floats, Floats]:
    scaled = _SPLITTER * value
    high = scaled - (scaled - value)
    return high, value - high

"""Sums and means that are right to the last bit, down the first axis of a block.

A plain mean may be one bit off, and then every point of a constant series looks "below the centre". Sums here carry
their rounding error along (Knuth's two-sum, in a tree), so that a mean is the true mean, rounded once.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SPLITTER = 134217729.0  # 2**27 + 1: cuts a double into two halves of 26 bits (Veltkamp)


def total(values: Floats) -> Floats:
    """Sum down axis 0 of `values` [points, rows], leaving missing (NaN) ones out; shape [rows]."""
    high, low = _sum(np.where(np.isnan(values), 0.0, values))
    result: Floats = high + low
    return result


def mean(values: Floats) -> Floats:
    """Mean down axis 0 of `values` [points, rows], leaving missing (NaN) ones out; NaN where nothing is left."""
    missing = np.isnan(values)
    high, low = _sum(np.where(missing, 0.0, values))
    count = len(values) - np.count_nonzero(missing, axis=0).astype(np.float64)
    quotient = high / count
    product, error = _product(quotient, count)
    result: Floats = quotient + (((high - product) - error) + low) / count
    return result


def _sum(values: Floats) -> tuple[Floats, Floats]:
    """Sum in halves; returns the rounded sum and what rounding lost."""
    lost = np.zeros_like(values)
    while (points := len(values)) > 1:
        half = points // 2
        first, second = values[:half], values[half : 2 * half]
        added = first + second
        part = added - first
        error = (first - (added - part)) + (second - part) + lost[:half] + lost[half : 2 * half]
        odd = slice(2 * half, points)
        values, lost = np.concatenate((added, values[odd])), np.concatenate((error, lost[odd]))
    if not len(values):
        return np.zeros(values.shape[1:]), np.zeros(values.shape[1:])
    return values[0], lost[0]


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

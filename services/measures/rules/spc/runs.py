"""Anhøj's runs test: an unusually long run, or unusually few crossings of the centre line (qicharts2 0.8.1).

Points on the centre line, missing ones and excluded ones are passed over; the others are the useful points.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from services.measures.rules.spc.boxes import BOXES
from services.measures.rules.spc.exact import Flags, Floats

Whole = npt.NDArray[np.int64]


class Runs(NamedTuple):
    """The test's findings, one a row. Where `useful` is 0 the other counts mean nothing and `signal` is false.

    `last` is the length of the run that is still going on, negative below the centre.
    """

    useful: Whole
    longest: Whole
    longest_max: Whole
    crossings: Whole
    crossings_min: Whole
    last: Whole
    signal: Flags

    @classmethod
    def empty(cls, rows: int) -> "Runs":
        """Room for the findings of `rows` rows."""
        useful, longest, longest_max, crossings, crossings_min, last = np.zeros((6, rows), np.int64)
        return cls(useful, longest, longest_max, crossings, crossings_min, last, np.zeros(rows, bool))


def analyse(value: Floats, centre: Floats, method: str = "anhoej") -> Runs:
    """Test each row of `value` [points, rows] against its `centre` [1, rows]; NaN values are passed over."""
    above = np.ascontiguousarray((value > centre).T)
    useful = above | (value < centre).T
    count = np.count_nonzero(useful, axis=1)
    longest, runs, last = _lengths(above[useful], count)
    crossings = np.maximum(runs - 1, 0)
    longest_max = np.rint(np.log2(np.maximum(count, 1))).astype(np.int64) + 3
    crossings_min = _fewest_crossings(1 << int(count.max(initial=1)).bit_length())[count]
    usual = (crossings >= crossings_min) & (longest <= longest_max)
    if method != "anhoej":
        usual = np.where((count >= 10) & (count <= 100), _in_box(count, crossings, longest, method), usual)
    return Runs(count, longest, longest_max, crossings, crossings_min, last, (count > 0) & ~usual)


def _lengths(sides: Flags, count: Whole) -> tuple[Whole, Whole, Whole]:
    """Longest run, runs, and signed length of the last run of each row; `sides` are all useful points, by row."""
    rows = len(count)
    longest, last = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    if not len(sides):
        return longest, longest.copy(), last
    row = np.repeat(np.arange(rows), count)
    begins = np.concatenate(([True], (sides[1:] != sides[:-1]) | (row[1:] != row[:-1])))
    start = np.flatnonzero(begins)
    length = np.diff(start, append=len(sides))
    runs = np.bincount(row[start], minlength=rows)
    some = runs > 0
    ends = np.cumsum(runs)[some]
    longest[some] = np.maximum.reduceat(length, np.concatenate(([0], ends[:-1])))
    last[some] = np.where(sides[start], length, -length)[ends - 1]
    return longest, runs, last


@lru_cache(maxsize=32)
def _fewest_crossings(size: int) -> Whole:
    """By number of useful points below `size`: the 5 % quantile of crossings, each a toss of a coin."""
    tosses = np.maximum(np.arange(size) - 1, 0)
    guess = np.floor(tosses / 2 - 1.645 * np.sqrt(tosses) / 2)
    tried = np.clip(guess + np.arange(-3, 4)[:, np.newaxis], 0, tosses)
    likely = special.bdtr(tried, tosses, 0.5) >= 0.05
    found: Whole = np.take_along_axis(tried, likely.argmax(axis=0)[np.newaxis], axis=0)[0].astype(np.int64)
    found.flags.writeable = False
    return found


def _in_box(count: Whole, crossings: Whole, longest: Whole, method: str) -> Flags:
    fewest, most, corner_crossings, corner_run = BOXES[:, np.clip(count, 10, 100) - 10]
    best: Flags = (crossings >= fewest) & (longest <= most)
    if method == "bestbox":
        return best
    cut: Flags = (
        ((crossings > fewest) & (longest < most))
        | ((crossings == fewest) & (longest <= corner_run))
        | ((crossings >= corner_crossings) & (longest <= most))
    )
    return np.where(corner_crossings > 0, cut, best)

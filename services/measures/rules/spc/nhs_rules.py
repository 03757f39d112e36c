"""The four rules of NHS Making Data Count, as NHSRplotthedots 0.2.2 applies them, and its assurance icon.

Arrays are [points, rows]; every row is one segment, so that no run crosses a rebase. All comparisons are strict; a
missing value meets none, and so breaks a trend and a shift.
"""

from typing import Literal

import numpy as np

from services.measures.rules.spc.exact import Flags, Floats
from services.measures.rules.spc.limits import Limits
from services.measures.rules.spc.series import Ruleset
from services.measures.rules.spc.verdicts import COMMON_CAUSE, OUTSIDE, SHIFT, TREND, TWO_OF_THREE, Verdicts, toward

Assurance = Literal["pass", "fail", "inconsistent"]


def judge(limits: Limits, counted: Floats, ruleset: Ruleset) -> Verdicts:
    """The first rule that applies to each point: outside, trend, two of three, shift.

    `counted` is the value without the excluded points: these count as missing, except that they may be outside.
    """
    value = limits.value
    outside = (value > limits.upper) | (value < limits.lower)
    above, below = counted > limits.centre, counted < limits.centre
    trend, rising = trends(counted, ruleset.trend_points)
    near = two_of_three(limits, above, below, outside, ruleset)
    shift = consecutive(above, ruleset.shift_points) | consecutive(below, ruleset.shift_points)

    verdicts = np.full(value.shape, COMMON_CAUSE)
    np.copyto(verdicts, toward(SHIFT, above), where=shift)
    np.copyto(verdicts, toward(TWO_OF_THREE, above), where=near)
    np.copyto(verdicts, toward(TREND, rising), where=trend)
    np.copyto(verdicts, toward(OUTSIDE, value > limits.centre), where=outside)
    return verdicts


def trends(value: Floats, points: int) -> tuple[Flags, Flags]:
    """Points in a strict rise or fall of `points` consecutive ones, and which way each is going.

    A point that a trend enters and another leaves goes the way of the later one. That is read off the step to its next
    point when both are in a trend, whatever trend that is: the published method's way.
    """
    step = np.diff(value, axis=0)
    up = step > 0
    trend = spread(windows(up, points - 1) | windows(step < 0, points - 1), points, len(value))
    rising = np.zeros(value.shape, bool)
    rising[1:] = up
    np.copyto(rising[:-1], up, where=trend[:-1] & trend[1:])
    return trend, rising


def two_of_three(limits: Limits, above: Flags, below: Flags, outside: Flags, ruleset: Ruleset) -> Flags:
    """Points beyond 2 sigma in three consecutive ones on one side of the centre, two of them beyond 2 sigma."""
    counted = above | below
    near = ((limits.value > limits.upper_2sigma) | (limits.value < limits.lower_2sigma)) & counted
    if ruleset.two_of_three == "between":
        near &= ~outside
    if len(near) < 3:
        return np.zeros_like(near)
    first, second, third = near[:-2], near[1:-1], near[2:]
    two = (first & second) | (first & third) | (second & third)
    return near & spread(two & (windows(above, 3) | windows(below, 3)), 3, len(near))


def consecutive(flags: Flags, points: int) -> Flags:
    """Which points belong to a run of at least `points` consecutive set flags."""
    return spread(windows(flags, points), points, len(flags))


def windows(flags: Flags, points: int) -> Flags:
    """Whether all flags of the `points` from each on are set; shorter than `flags` by points - 1."""
    if len(flags) < points:
        return flags[:0]
    span = 1
    while span < points:
        step = min(span, points - span)
        flags = flags[:-step] & flags[step:]
        span += step
    return flags


def spread(starts: Flags, points: int, length: int) -> Flags:
    """Every point of the windows of `points` that begin where `starts` is set."""
    result = np.zeros((length, *starts.shape[1:]), bool)
    for offset in range(points if len(starts) else 0):
        result[offset : offset + len(starts)] |= starts
    return result


def assurance(target: float, lower: float, upper: float, improvement: str) -> Assurance:
    """Whether a process with these limits meets its target always, never, or now and then (also without limits)."""
    if target > upper:
        return "fail" if improvement == "increase" else "pass"
    if target < lower:
        return "pass" if improvement == "increase" else "fail"
    return "inconsistent"

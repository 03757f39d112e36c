"""How many signals come of chance alone, and which rules a reader can afford to be told of.

A reader of many charts is misled by chance: of 1,000 stable charts some signal all the same. The rates are the chance
that the newest point of a stable process (independent normal values, known limits) meets a rule of NHS Making Data
Count: outside 3 sigma; itself and one of the two before beyond 2 sigma on one side; the last of 7 on one side of the
centre; the last of 7 that rise or fall. Rules overlap, so that their sum is the most that chance gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import factorial

from scipy.special import ndtr

_POINTS = 7
_BEYOND_TWO = float(ndtr(-2))

RATES: Mapping[str, float] = {
    "outside": 2 * float(ndtr(-3)),
    "trend": 2 / factorial(_POINTS),
    "two_of_three": 2 * _BEYOND_TWO * (1 - (1 - _BEYOND_TWO) ** 2),
    "shift": 2 * 0.5**_POINTS,
}


@dataclass(frozen=True, slots=True)
class Afforded:
    """The rules to be told of, and how many of the charts signal by them through chance alone, at the most."""

    charts: int
    rules: tuple[str, ...]
    expected_false_alarms: float


def afforded(charts: int, budget: float) -> Afforded:
    """The rules, rarest first, whose false alarms on that many charts together stay within the budget."""
    rules: list[str] = []
    expected = 0.0
    for rule in sorted(RATES, key=lambda name: RATES[name]):
        if expected + charts * RATES[rule] > budget:
            break
        rules.append(rule)
        expected += charts * RATES[rule]
    return Afforded(charts, tuple(rules), expected)

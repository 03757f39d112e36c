"""What is said of a point, in one byte: the rule that applies first, and the direction it points in.

A verdict is `3 * rule + direction`, where rule is the place in `RULES` and direction 0 down, 1 none, 2 up.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from services.measures.rules.spc.exact import Flags, Floats

Rule = Literal["outside", "trend", "two_of_three", "shift"]
Signal = Literal["common_cause", "improvement", "concern", "neutral_high", "neutral_low"]
Variation = Literal[
    "common_cause", "improvement_high", "improvement_low", "concern_high", "concern_low", "neutral_high", "neutral_low"
]
Verdicts = npt.NDArray[np.uint8]

RULES: tuple[Rule | None, ...] = (None, "outside", "trend", "two_of_three", "shift")
NOTHING, OUTSIDE, TREND, TWO_OF_THREE, SHIFT = (np.uint8(3 * rule) for rule in range(5))
COMMON_CAUSE = np.uint8(1)

# by improvement, then by direction: down, none, up
SIGNALS: Mapping[str, tuple[Signal, Signal, Signal]] = {
    "increase": ("concern", "common_cause", "improvement"),
    "decrease": ("improvement", "common_cause", "concern"),
    "neutral": ("neutral_low", "common_cause", "neutral_high"),
}
VARIATIONS: Mapping[str, tuple[Variation, Variation, Variation]] = {
    "increase": ("concern_low", "common_cause", "improvement_high"),
    "decrease": ("improvement_low", "common_cause", "concern_high"),
    "neutral": ("neutral_low", "common_cause", "neutral_high"),
}


def toward(rule: np.uint8, up: Flags) -> Verdicts:
    """Verdicts of one rule, pointing `up` or else down."""
    return rule + np.uint8(2) * up.view(np.uint8)


def outside_limits(value: Floats, lower: Floats, upper: Floats) -> Verdicts:
    """Verdicts on charts judged by their limits alone: strictly outside, or common cause."""
    above = value > upper
    return np.where(above | (value < lower), toward(OUTSIDE, above), COMMON_CAUSE)

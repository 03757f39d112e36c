"""How far the figures of an aggregate can be judged while its members are still sending.

A month in which five of forty have sent so far says little of the forty: a count looks like a collapse, and a
proportion swings with who was quickest. The newest periods are left out until most have sent.
"""

from collections.abc import Sequence
from statistics import median

ENOUGH = 0.9
"""The share of as many as usual that must have sent."""
USUAL = 12
"""Over how many periods before it a period is compared."""


def gathered(senders: Sequence[int]) -> int:
    """How many of the periods, from the first, can be judged; `senders` is how many have sent in each.

    The last of them has at least 0.9 of the median of up to twelve periods before it; the first has none before it.
    """
    last = len(senders)
    while last > 1 and senders[last - 1] < ENOUGH * median(senders[max(0, last - 1 - USUAL) : last - 1]):
        last -= 1
    return last

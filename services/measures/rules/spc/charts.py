"""The table of charts: what each draws, and what it may be given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from services.measures.rules.spc import limits, rates, subgroups
from services.measures.rules.spc.limits import Limits, Sample


@dataclass(frozen=True, slots=True)
class Chart:
    """One kind of chart.

    `limits` computes it; `denominators` says whether it takes them; `lowest` is the smallest value it can have
    (never itself if `open`); `proportion` means no more events than denominator; `steady` that limits are the same at
    all points of a segment; `limited` that it has limits at all; `runs` that a test of runs means something on it;
    `grouped` that each value is a subgroup's array; `nhs` that the four NHS rules judge it, not its limits alone;
    `shortest_baseline` is the smallest `fix_after`.
    """

    limits: Callable[[Sample], Limits]
    denominators: Literal["optional", "required", "none"] = "optional"
    lowest: float = -np.inf
    open: bool = False
    proportion: bool = False
    steady: bool = True
    limited: bool = True
    runs: bool = True
    grouped: bool = False
    nhs: bool = False
    shortest_baseline: int = 1


CHARTS: Mapping[str, Chart] = MappingProxyType(
    {
        "run": Chart(limits.run, limited=False),
        "xmr": Chart(limits.xmr, nhs=True, shortest_baseline=12),
        "i": Chart(limits.individuals),
        "mr": Chart(limits.moving_range, runs=False),
        "ip": Chart(rates.individuals_prime, steady=False),
        "p": Chart(rates.proportion, "required", lowest=0, proportion=True, steady=False),
        "pp": Chart(rates.proportion_prime, "required", lowest=0, proportion=True, steady=False),
        "u": Chart(rates.rate, "required", lowest=0, steady=False),
        "up": Chart(rates.rate_prime, "required", lowest=0, steady=False),
        "c": Chart(limits.counts, "none", lowest=0),
        "g": Chart(limits.cases_between, "none", lowest=0),
        "t": Chart(limits.time_between, "none", lowest=0, open=True),
        "xbar": Chart(subgroups.means, "none", steady=False, grouped=True),
        "s": Chart(subgroups.spreads, "none", steady=False, grouped=True),
    }
)

"""Disclosure control of a total beside its parts, each of them split by strata: a table with margins both ways.

A reader who knows the policy knows bounds of every figure shown, and can carry them along each row (strata add up to a
whole) and each column (parts add up to the total). Where that leaves a small count only one value, the total's strata
are hidden, and if that is not enough its whole too.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.measures.rules.disclosure import WHOLE, Policy, span

Floats = NDArray[np.float64]
ROUNDS = 60


def to_hide(parts: Sequence[Mapping[str, float]], rules: Policy) -> set[str]:
    """The strata of the total (the sum of `parts`, each a count by stratum) that may not be shown beside its parts.

    A stratum that a part lacks is 0 in it. Strata of several names (`imd_quintile=1`, `sex=male`) are a table each.
    """
    if not any(0 < count < rules.small_below for part in parts for count in part.values()):
        return set()
    strata = sorted({name for part in parts for name in part if name != WHOLE})
    hidden: set[str] = set()
    for dimension in sorted({name.partition("=")[0] for name in strata}) or [WHOLE]:
        table = [name for name in strata if name.partition("=")[0] == dimension]
        hidden |= _of_table(
            np.array([[part.get(name, 0.0) for name in (*table, WHOLE)] for part in parts]), table, rules
        )
    return hidden


def _of_table(counts: Floats, strata: Sequence[str], rules: Policy) -> set[str]:
    """Counts are [parts, strata and the whole last]."""
    small = (counts > 0) & (counts < rules.small_below)
    if not small.any():
        return set()
    table = np.vstack([counts, counts.sum(axis=0)])
    for hidden in ((), (*strata,), (*strata, WHOLE)):
        if not _settles(table, small, [(*strata, WHOLE).index(name) for name in hidden], rules):
            return set(hidden)
    return {*strata, WHOLE}


def _settles(table: Floats, small: NDArray[np.bool_], unknown: Sequence[int], rules: Policy) -> bool:
    bounds = np.array([[span(count, rules) for count in row] for row in table], np.float64)
    low, high = bounds[..., 0], bounds[..., 1]
    low[-1, unknown], high[-1, unknown] = 0.0, np.inf
    # Strata that do not add up to their whole (people counted in each) tell nothing of one another.
    adds = np.isclose(table[:, :-1].sum(axis=1), table[:, -1]) & (table.shape[1] > 1)
    for _ in range(ROUNDS):
        before = low.copy(), high.copy()
        _carry(low.T, high.T, np.ones(table.shape[1], bool))
        _carry(low, high, adds)
        if (low == before[0]).all() and (high == before[1]).all():
            break
    return bool((small & (low[:-1] >= high[:-1])).any())


def _carry(low: Floats, high: Floats, adds: NDArray[np.bool_]) -> None:
    """Narrow the bounds of sums [sums, parts and their total last], in place: the total by its parts, then they by it.

    Of an infinite bound nothing is known, which subtraction must not turn into a number.
    """
    least, most = low[:, :-1].sum(axis=1), high[:, :-1].sum(axis=1)
    low[adds, -1] = np.maximum(low[adds, -1], least[adds])
    high[adds, -1] = np.minimum(high[adds, -1], most[adds])
    with np.errstate(invalid="ignore"):
        lowest = low[:, -1:] - (most[:, None] - high[:, :-1])
        highest = high[:, -1:] - (least[:, None] - low[:, :-1])
    low[adds, :-1] = np.fmax(low[adds, :-1], lowest[adds])
    high[adds, :-1] = np.fmin(high[adds, :-1], highest[adds])

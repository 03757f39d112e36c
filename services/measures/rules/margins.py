"""Disclosure control of a total beside its parts, each of them split by strata: a table with margins both ways.

A reader who knows the policy knows bounds of every figure shown, and can carry them along each row (strata add up to a
whole) and each column (parts add up to the total). Where that leaves a small count only one value, the total's strata
are hidden, and if that is not enough its whole too. Areas and groups overlap, so the reader may know the total of all
parts but one as well.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.measures.rules import disclosure
from services.measures.rules.disclosure import WHOLE, Policy, span

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
ROUNDS = 60
MOST_BESIDE = 40
"""Of how many parts there may well be another area that lacks just one."""


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


def to_hide_of_year(parts: Sequence[Sequence[Mapping[str, float]]], rules: Policy) -> set[str]:
    """The strata of a total over members and periods that may not be shown beside its parts and their own totals.

    `parts` are the members' tables, period by period: of each a count by stratum, all of one name. A reader may know
    those of every member and period, of the year of every member and of every period of all members.
    """
    strata = sorted({name for member in parts for period in member for name in period if name != WHOLE})
    columns = (*strata, WHOLE)
    counts = np.array([[[one.get(name, 0.0) for name in columns] for one in member] for member in parts])
    if not ((counts > 0) & (counts < rules.small_below)).any():
        return set()
    for axis in (0, 1):
        counts = np.concatenate([counts, counts.sum(axis=axis, keepdims=True)], axis=axis)
    beside_years = to_hide([dict(zip(columns, year, strict=True)) for year in counts[:-1, -1].tolist()], rules)
    unknown = np.zeros(counts.shape, bool)
    _leave_out(counts, unknown, columns, rules)
    for hidden in (beside_years, {*strata}, {*columns}):
        unknown[-1, -1, [columns.index(name) for name in hidden]] = True
        if not _settled(counts, unknown, (0, 1, 2), rules).any():
            return beside_years | hidden
    return {*columns}


def _leave_out(counts: Floats, unknown: Flags, columns: Sequence[str], rules: Policy) -> None:
    """Make unknown what is left out of the answers about one member or one period."""
    for member, period in {(one[0], one[1]) for one in np.argwhere(_settled(counts, unknown, (2,), rules)).tolist()}:
        table = dict(zip(columns, counts[member, period].tolist(), strict=True))
        small = {name for name, count in table.items() if disclosure.shown_count(count, rules) is None}
        unknown[member, period] = [name in disclosure.to_hide(table, small, rules) for name in columns]
    for of in (slice(-1), slice(None)):
        members = np.argwhere(_settled(counts[:-1], unknown[:-1], (1, 2), rules))[:, 0]
        periods = np.argwhere(_settled(counts[:, :-1], unknown[:, :-1], (0, 2), rules))[:, 1]
        unknown[members, -1, of] = True
        unknown[-1, periods, of] = True


def _settled(counts: Floats, unknown: Flags, axes: Sequence[int], rules: Policy) -> Flags:
    """Which small counts are left one value, where the last along each of the axes is the sum of the others."""
    low, high = _spans(counts, rules)
    low[unknown], high[unknown] = 0.0, np.inf
    adds = np.isclose(counts[..., :-1].sum(axis=-1), counts[..., -1]) & (counts.shape[-1] > 1)
    for _ in range(ROUNDS):
        before = low.copy(), high.copy()
        for axis in axes:
            parts = np.arange(counts.shape[axis]) < counts.shape[axis] - 1
            holds = adds[:, None] if axis == 2 else True
            _carry(low.swapaxes(axis, 1), high.swapaxes(axis, 1), parts[None], -1, holds=holds)
        if (low == before[0]).all() and (high == before[1]).all():
            break
    settled: Flags = (counts > 0) & (counts < rules.small_below) & (low >= high)
    return settled


def _of_table(counts: Floats, strata: Sequence[str], rules: Policy) -> set[str]:
    """Counts are [parts, strata and the whole last]."""
    if not ((counts > 0) & (counts < rules.small_below)).any():
        return set()
    for hidden in ((), (*strata,), (*strata, WHOLE)):
        if not _settles(counts, [(*strata, WHOLE).index(name) for name in hidden], rules):
            return set(hidden)
    return {*strata, WHOLE}


def _settles(counts: Floats, unknown: Sequence[int], rules: Policy) -> bool:
    """Whether a small count, of a part or of parts together, is left one value with these columns of the total hidden.

    Looked at once more for every part, as if the total of its fellows were shown too: it may be, of a group or an area
    that lacks just that part.
    """
    parts, total = len(counts), counts.sum(axis=0)
    apart = [None, *(range(parts) if 2 < parts <= MOST_BESIDE else ())]
    rest = np.array([total - (0.0 if one is None else counts[one]) for one in apart])
    table = np.concatenate([np.broadcast_to(counts, (len(apart), *counts.shape)), rest[:, None],
                            np.broadcast_to(total, rest.shape)[:, None]], axis=1)  # fmt: skip
    low, high = _spans(table, rules)
    low[:, -1, unknown], high[:, -1, unknown] = 0.0, np.inf
    low[0, -2, unknown], high[0, -2, unknown] = 0.0, np.inf  # where none is apart, the rest is the total itself
    everyone, others, both = (np.zeros(table.shape[:2], bool) for _ in range(3))
    everyone[:, :parts], others[:, :parts], both[:, parts] = True, True, True
    for world, one in enumerate(apart):
        if one is not None:
            others[world, one], both[world, one] = False, True
    # Strata that do not add up to their whole (people counted in each) tell nothing of one another.
    adds = np.isclose(table[..., :-1].sum(axis=-1), table[..., -1]) & (table.shape[-1] > 1)
    across = np.zeros((*table.shape[:1], table.shape[-1]), bool)
    across[:, :-1] = True
    for _ in range(ROUNDS):
        before = low.copy(), high.copy()
        for summed, row in ((everyone, -1), (others, -2), (both, -1)):
            _carry(low, high, summed, row, holds=True)
        _carry(low.swapaxes(1, 2), high.swapaxes(1, 2), across, -1, holds=adds[:, None])
        if (low == before[0]).all() and (high == before[1]).all():
            break
    return bool(((table > 0) & (table < rules.small_below) & (low >= high)).any())


def _spans(table: Floats, rules: Policy) -> tuple[Floats, Floats]:
    """The bounds of every count of a table."""
    different, places = np.unique(table, return_inverse=True)
    bounds = np.array([span(count, rules) for count in different.tolist()], np.float64)[places.reshape(table.shape)]
    return bounds[..., 0].copy(), bounds[..., 1].copy()


def _carry(low: Floats, high: Floats, summed: Flags, total: int, *, holds: Flags | bool) -> None:
    """Narrow the bounds [worlds, rows, columns] of sums, in place: the total by its parts, then they by it.

    `summed` [worlds, rows] says which rows add up to the row `total`, `holds` in which columns they do. Of an infinite
    bound nothing is known, which subtraction must not turn into a number.
    """
    parts = summed[..., None]
    least, most = np.where(parts, low, 0.0).sum(axis=1), np.where(parts, high, 0.0).sum(axis=1)
    there = np.broadcast_to(holds, (low.shape[0], 1, low.shape[2]))
    low[:, total] = np.where(there[:, 0], np.maximum(low[:, total], least), low[:, total])
    high[:, total] = np.where(there[:, 0], np.minimum(high[:, total], most), high[:, total])
    with np.errstate(invalid="ignore"):
        lowest = low[:, [total]] - (most[:, None] - high)
        highest = high[:, [total]] - (least[:, None] - low)
    low[...] = np.where(parts & there, np.fmax(low, lowest), low)
    high[...] = np.where(parts & there, np.fmin(high, highest), high)

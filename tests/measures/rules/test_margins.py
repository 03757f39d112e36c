"""Totals beside their parts, and beside the totals of areas that overlap them: no small count is left one value.

The adversary knows the policy, and of every figure shown the bounds that its rounding leaves. Two thousand examples
are tried with `MARGIN_EXAMPLES=2000`; the run of every day tries some.
"""

import os
from math import inf
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.measures.rules import margins
from services.measures.rules.disclosure import WHOLE, Policy, as_table, policy

Cell = tuple[str, str]
"""(organisation or area, stratum)."""
Span = tuple[float, float]

TRUSTS = ("RGT", "RGN", "RDE")
STRATA = ("imd_quintile=1", "imd_quintile=2", "imd_quintile=3")
AREAS = {"QUE": TRUSTS, "PEERS": TRUSTS[:2], "ALONE": TRUSTS[:1]}
EXAMPLES = int(os.environ.get("MARGIN_EXAMPLES", "40"))

COUNT = st.sampled_from([0, 1, 2, 3, 5, 7, 8, 9, 12, 13, 17, 18, 22, 30, 32])
COUNTS = st.lists(st.lists(COUNT, min_size=3, max_size=3), min_size=3, max_size=3)


def shown(place: str, counts: dict[str, float], rules: Policy, *parts: dict[str, float]) -> dict[Cell, Span]:
    """The bounds of what is shown of a place, as of the sum of its parts if it has some."""
    return without(margins.to_hide(parts, rules) if parts else set(), place, counts, rules)


def without(left_out: set[str], place: str, counts: dict[str, float], rules: Policy) -> dict[Cell, Span]:
    """The bounds of what is shown of a place with these strata left out."""
    items = [
        {"stratum": name, "numerator": count, "denominator": 1000.0, "value": count / 1000,
         "status": "value" if count else "zero"}
        for name, count in counts.items()
    ]  # fmt: skip
    hidden = {"numerator": left_out}
    table = as_table(items, rules, level="trust", multiplier=100, ratio=True, hidden=hidden)
    return {(place, one["stratum"]): bounds(one, rules) for one in table}


def bounds(one: dict[str, Any], rules: Policy) -> Span:
    figure = one["numerator"]
    if figure is None:
        return 0, inf
    if figure == 0 or rules.small_shown_as == figure:
        return min(1, figure), 0 if figure == 0 else figure + 2
    return max(rules.small_below, figure - 2), figure + 2


def narrowed(known: dict[Cell, Span], sums: list[tuple[Cell, list[Cell]]]) -> dict[Cell, Span]:
    for _ in range(40):
        before = dict(known)
        for whole, parts in sums:
            low, high = (sum(known[part][end] for part in parts) for end in (0, 1))
            known[whole] = max(known[whole][0], low), min(known[whole][1], high)
            for part in parts:
                least = known[whole][0] - sum(known[one][1] for one in parts if one != part)
                most = known[whole][1] - sum(known[one][0] for one in parts if one != part)
                known[part] = max(known[part][0], least), min(known[part][1], most)
        if known == before:
            break
    return known


def sums_of() -> list[tuple[Cell, list[Cell]]]:
    """Everything that adds up: strata to wholes, trusts to areas, and areas to those around them."""
    found = [((place, WHOLE), [(place, one) for one in STRATA]) for place in (*TRUSTS, *AREAS)]
    for name in (WHOLE, *STRATA):
        found += [((area, name), [(one, name) for one in members]) for area, members in AREAS.items()]
        found.append((("QUE", name), [("PEERS", name), ("RDE", name)]))
        found.append((("QUE", name), [("ALONE", name), ("RGN", name), ("RDE", name)]))
        found.append((("PEERS", name), [("ALONE", name), ("RGN", name)]))
    return found


@pytest.mark.parametrize("named", ["small-numbers", "msds", "mhsds", "unheard-of"])
@settings(max_examples=EXAMPLES)
@given(counts=COUNTS)
@example(counts=[[27, 30, 17], [17, 8, 29], [22, 7, 9]])
@example(counts=[[12, 3, 12], [30, 5, 5], [7, 22, 17]])
@example(counts=[[30, 30, 1], [2, 2, 3], [9, 19, 8]])
@example(counts=[[30, 2, 30], [22, 17, 17], [13, 13, 30]])
def test_areas_that_overlap_settle_no_small_count_between_them(named: str, counts: list[list[int]]) -> None:
    rules = policy(named)
    of = {
        code: {WHOLE: float(sum(row)), **dict(zip(STRATA, map(float, row), strict=True))}
        for code, row in zip(TRUSTS, counts, strict=True)
    }
    truth, known = dict(of), {}
    for code in TRUSTS:
        known |= shown(code, of[code], rules)
    for area, members in AREAS.items():
        truth[area] = {name: sum(of[one][name] for one in members) for name in (WHOLE, *STRATA)}
        known |= shown(area, truth[area], rules, *(of[one] for one in members))
    for (place, stratum), (low, high) in narrowed(known, sums_of()).items():
        count = truth[place][stratum]
        assert low <= count <= high, (place, stratum)
        assert low < high or not 0 < count < rules.small_below, (place, stratum, count)


MONTHS = ("04", "05")
YEARS = st.lists(COUNTS, min_size=len(MONTHS), max_size=len(MONTHS))


@pytest.mark.parametrize("named", ["small-numbers", "msds", "mhsds", "unheard-of"])
@settings(max_examples=EXAMPLES)
@given(counts=YEARS)
@example(counts=[[[1, 18, 5], [7, 9, 3], [0, 12, 13]], [[17, 22, 30], [8, 8, 13], [13, 13, 9]]])
@example(counts=[[[8, 30, 30], [8, 30, 30], [1, 30, 30]], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]])
def test_the_year_of_an_area_settles_nothing_that_the_months_and_its_members_years_do_not(
    named: str, counts: list[list[list[int]]]
) -> None:
    rules = policy(named)
    names = (WHOLE, *STRATA)
    truth = {
        code + month: {WHOLE: float(sum(row)), **dict(zip(STRATA, map(float, row), strict=True))}
        for month, rows in zip(MONTHS, counts, strict=True)
        for code, row in zip(TRUSTS, rows, strict=True)
    }
    parts = {f"QUE{month}": [code + month for code in TRUSTS] for month in MONTHS}
    parts |= {code: [code + month for month in MONTHS] for code in TRUSTS}
    known: dict[Cell, Span] = {}
    for place, table in truth.items():
        known |= shown(place, table, rules)
    for place, each in parts.items():
        truth[place] = {name: sum(truth[one][name] for one in each) for name in names}
        known |= shown(place, truth[place], rules, *(truth[one] for one in each))
    truth["QUE"] = {name: sum(truth[code][name] for code in TRUSTS) for name in names}
    months = [[truth[code + month] for month in MONTHS] for code in TRUSTS]
    sums = [((place, WHOLE), [(place, one) for one in STRATA]) for place in truth]
    for whole, each in [*parts.items(), ("QUE", [*TRUSTS]), ("QUE", [f"QUE{month}" for month in MONTHS])]:
        sums += [((whole, name), [(one, name) for one in each]) for name in names]
    before, after = (
        narrowed({**known, **without(left_out, "QUE", truth["QUE"], rules)}, sums)
        for left_out in ({*names}, margins.to_hide_of_year(months, rules))
    )
    for (place, stratum), (low, high) in after.items():
        count = truth[place][stratum]
        assert low <= count <= high, (place, stratum)
        assert low < high or not 0 < count < rules.small_below or before[place, stratum] == (low, high), (
            place,
            stratum,
        )


def test_a_table_without_small_counts_is_shown_whole() -> None:
    parts = [{WHOLE: 30.0, STRATA[0]: 20.0, STRATA[1]: 10.0}] * 3
    assert margins.to_hide(parts, policy("msds")) == set()

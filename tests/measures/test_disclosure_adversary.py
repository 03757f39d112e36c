"""An adversary with the public audience asks everything it may, and tries to recover counts from 1 to 7.

It knows the policy. Of every figure shown it knows the bounds that the rounding leaves; it subtracts strata from
wholes, members from aggregates and one instant from another, over all channels, until nothing narrows any more.
"""

import csv
import io
from collections.abc import Iterator
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from services.measures.rules.disclosure import Policy, policy
from tests.measures.builders import a_measure, a_return, an_organisation, counted
from tests.measures.conftest import Served

YEAR = "2026-27"
PERIODS = ("2026-04", "2026-05")
TRUSTS = ("RGT", "RGN", "RDE")
STRATA = tuple(f"imd_quintile={n}" for n in (1, 2, 3))

Cell = tuple[str, str, str, str]
"""(instant, organisation, period, stratum) of a numerator."""
Span = tuple[float, float]
Truth = dict[Cell, float]


def bounds(shown: float | None, status: str, rules: Policy) -> Span:
    """What a shown figure says to somebody who knows the policy."""
    if status == "zero":
        return 0, 0
    if shown is None:
        return 0, inf
    if shown == 0:
        return 0, 0
    low, high = max(rules.small_below, shown - 2), shown + 2
    return (1, high) if rules.small_shown_as == shown else (low, high)


def narrowed(known: dict[Cell, Span], sums: list[tuple[Cell, list[Cell]]]) -> dict[Cell, Span]:
    """Bounds carried through every sum, from parts to whole and back, until they stay."""
    for _ in range(20):
        before = dict(known)
        for whole, parts in sums:
            if whole in known and all(part in known for part in parts):
                low, high = sum(known[part][0] for part in parts), sum(known[part][1] for part in parts)
                known[whole] = max(known[whole][0], low), min(known[whole][1], high)
                for part in parts:
                    others = [known[one] for one in parts if one != part]
                    least = known[whole][0] - sum(one[1] for one in others)
                    most = known[whole][1] - sum(one[0] for one in others)
                    known[part] = max(known[part][0], least), min(known[part][1], most)
        if known == before:
            break
    return known


def send(served: Served, counts: dict[str, list[list[int]]], truth: Truth, instant: str) -> None:
    """Counts by trust, period and quintile: sent, and written down as what is to be kept."""
    for code, periods in counts.items():
        for period, quintiles in zip(PERIODS, periods, strict=True):
            rows = [counted("preterm", count, 400, stratum) for stratum, count in zip(STRATA, quintiles, strict=True)]
            rows.append(counted("preterm", sum(quintiles), 1200))
            served.hear(a_return(rows, feed="measure-counts", organisation=code, period=period))
    for period in PERIODS:
        for stratum in ("", *STRATA):
            place = PERIODS.index(period)
            chosen = STRATA.index(stratum) if stratum else slice(None)
            for code, periods in counts.items():
                cell = periods[place][chosen]
                truth[instant, code, period, stratum] = sum(cell) if isinstance(cell, list) else cell
            for code in counts:
                months = [truth.get((instant, code, one, stratum), 0) for one in PERIODS]
                truth[instant, code, YEAR, stratum] = sum(months)
    for period in (*PERIODS, YEAR):
        for stratum in ("", *STRATA):
            truth[instant, "QUE", period, stratum] = sum(truth[instant, code, period, stratum] for code in counts)


def seen(served: Served, instant: str, known_at: str, rules: Policy) -> Iterator[tuple[Cell, Span]]:
    """What every channel shows of a numerator."""
    who = served.as_("public")
    at = {"known_at": known_at}
    for code in (*TRUSTS, "QUE"):
        for by in ({}, {"by": "imd_quintile"}, *({"stratum": one} for one in STRATA)):
            answer = served.read("/v1/series", who=who, measure="preterm", organisation=code, **by, **at)
            yield from _from_items(answer["items"], instant, rules)
        chart = served.read(f"/v1/charts/preterm/{code}", who=who, **at)
        yield from _from_items(
            [{**point, "organisation": code, "stratum": ""} for point in chart["points"]], instant, rules
        )
        for period in PERIODS:
            found = served.read("/v1/explain", who=who, measure="preterm", organisation=code, period=period, **at)
            assert all(one["rows"] is None for one in found["returns"])
            yield from _from_items([{**found, **found["numbers"]}], instant, rules)
    for period in PERIODS:
        for level in ("trust", "icb"):
            funnel = served.read("/v1/funnels/preterm", who=who, period=period, level=level, **at)
            yield from _from_items(
                [{**one, "period": period, "stratum": ""} for one in funnel["items"]], instant, rules
            )
    matrix = [one for one in served.read("/v1/matrix", who=who, within="QUE", **at)["items"] if one["period"]]
    figures = [{**one, "stratum": "", "status": "rounded"} for one in matrix if one["numerator"] is not None]
    yield from _from_items(figures, instant, rules)
    for code in (*TRUSTS, "QUE"):
        year = served.read(f"/v1/inequalities/preterm/{code}", who=who, from_=YEAR, **at)
        items = [{**year["whole"], "stratum": ""}, *year["items"]]
        yield from _from_items([{**one, "organisation": code, "period": YEAR} for one in items], instant, rules)
    export = served.get("/v1/exports/preterm", who=who, **at).text
    for line in csv.DictReader(io.StringIO(export)):
        item: dict[str, Any] = {**line, "numerator": float(line["numerator"]) if line["numerator"] else None}
        yield from _from_items([item], instant, rules)


def _from_items(items: list[dict[str, Any]], instant: str, rules: Policy) -> Iterator[tuple[Cell, Span]]:
    for one in items:
        cell = (instant, one["organisation"], one["period"], one["stratum"])
        yield cell, bounds(one["numerator"], one["status"], rules)


def sums_of(instants: list[str]) -> list[tuple[Cell, list[Cell]]]:
    found: list[tuple[Cell, list[Cell]]] = []
    for instant in instants:
        found += [
            ((instant, code, YEAR, stratum), [(instant, code, one, stratum) for one in PERIODS])
            for code in (*TRUSTS, "QUE")
            for stratum in ("", *STRATA)
        ]
        for period in (*PERIODS, YEAR):
            found += [
                ((instant, code, period, ""), [(instant, code, period, one) for one in STRATA])
                for code in (*TRUSTS, "QUE")
            ]
            for stratum in ("", *STRATA):
                parts = [(instant, code, period, stratum) for code in TRUSTS]
                found.append(((instant, "QUE", period, stratum), parts))
    return found


COUNT = st.sampled_from([0, 1, 2, 3, 5, 7, 8, 9, 12, 13, 17, 18, 22, 30])
COUNTS = st.fixed_dictionaries(
    {code: st.lists(st.lists(COUNT, min_size=3, max_size=3), min_size=2, max_size=2) for code in TRUSTS}
)


@pytest.mark.parametrize("named", ["small-numbers", "msds", "mhsds", "unheard-of"])
@settings(
    max_examples=1,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(counts=COUNTS, later=st.integers(1, 9))
@example(counts={code: [[8, 8, 1], [12, 12, 7]] for code in TRUSTS}, later=1)
@example(
    counts={"RGT": [[8, 30, 30], [0, 0, 0]], "RGN": [[8, 30, 30], [0, 0, 0]], "RDE": [[1, 30, 30], [0, 0, 0]]}, later=8
)
@example(
    counts={"RGT": [[1, 30, 30], [3, 0, 0]], "RGN": [[8, 30, 30], [30, 22, 22]], "RDE": [[8, 0, 9], [0, 0, 0]]}, later=4
)
def test_no_small_count_is_recovered_from_all_that_the_public_may_ask(
    served: Served, named: str, counts: dict[str, list[list[int]]], later: int
) -> None:
    served.hear(a_measure(disclosure=named, minimum_denominator=0), an_organisation("QUE", kind="icb"))
    served.hear(*(an_organisation(code, within={"QUE": ("icb", None, None)}) for code in TRUSTS))
    rules, truth = policy(named), Truth()
    instants = {}
    for instant in ("first", "second"):
        send(served, counts, truth, instant)
        instants[instant] = served.read("/v1/series", measure="preterm", organisation="RGT")["as_of"]
        counts = {**counts, "RGT": [[quintiles[0] + later, *quintiles[1:]] for quintiles in counts["RGT"]]}
    known: dict[Cell, Span] = {}
    for instant, known_at in instants.items():
        for cell, (low, high) in seen(served, instant, known_at, rules):
            assert low <= truth[cell] <= high, cell
            before = known.get(cell, (0, inf))
            known[cell] = max(before[0], low), min(before[1], high)
    for cell, (low, high) in narrowed(known, sums_of(list(instants))).items():
        if 0 < truth[cell] < rules.small_below:
            assert low < high, (cell, truth[cell])


def test_intervals_limits_and_percentages_are_of_what_is_shown(served: Served) -> None:
    """The same figures shown give the same answer whatever the exact ones were."""
    who = served.as_("public")
    served.hear(an_organisation("AAA"), an_organisation("BBB"))
    for code, more in (("AAA", 0), ("BBB", 2)):
        for month in range(1, 13):
            row = counted("preterm", 18 + more + 5 * (month % 3), 198 + more)
            served.hear(a_return([row], feed="measure-counts", organisation=code, period=f"2025-{month:02}"))
    shown = []
    for code in ("AAA", "BBB"):
        chart = served.read(f"/v1/charts/preterm/{code}", who=who)
        shown.append([{**point, "organisation": None} for point in chart["points"]] + chart["segments"])
    assert shown[0] == shown[1]
    assert shown[0][0]["lower_95"] is not None


def test_a_member_sees_its_own_exactly_and_others_as_the_public_does(served: Served) -> None:
    served.hear(an_organisation("RGT"), an_organisation("RGN"))
    for code in ("RGT", "RGN"):
        served.hear(a_return([counted("preterm", 3, 120)], feed="measure-counts", organisation=code, period="2026-05"))
    member = served.as_("member", "RGT")
    own, other = (
        served.read("/v1/series", who=member, measure="preterm", organisation=code)["items"][0]
        for code in ("RGT", "RGN")
    )
    assert (own["numerator"], own["status"]) == (3, "value")
    assert (other["numerator"], other["value"], other["status"]) == (None, None, "suppressed")
    funnel = served.read("/v1/funnels/preterm", who=member, period="2026-05")["items"]
    assert {one["organisation"]: one["numerator"] for one in funnel} == {"RGT": 3, "RGN": None}
    export = csv.DictReader(io.StringIO(served.get("/v1/exports/preterm", who=member).text))
    assert {row["organisation"]: row["numerator"] for row in export} == {"RGT": "3.0", "RGN": ""}


def test_the_public_asks_for_whole_years_of_inequalities(served: Served) -> None:
    served.hear(an_organisation("RGT"))
    served.hear(a_return([counted("preterm", 3, 120)], feed="measure-counts", period="2026-05"))
    who = served.as_("public")
    moving = served.get("/v1/inequalities/preterm/RGT", who=who, from_="2026-04", to="2026-05")
    assert moving.status_code == 422
    assert served.get("/v1/inequalities/preterm/RGT", who=who, from_="2026-27").status_code == 200


def test_a_measure_whose_policy_is_none_is_exact_for_everybody(served: Served) -> None:
    served.hear(a_measure("on-time", disclosure="none"), an_organisation("RGT"))
    served.hear(a_return([counted("on-time", 3, 12)], feed="measure-counts", period="2026-05"))
    answer = served.read("/v1/series", who=served.as_("public"), measure="on-time", organisation="RGT")
    assert (answer["items"][0]["numerator"], answer["disclosure"]) == (3, None)

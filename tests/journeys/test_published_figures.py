"""Figures as they were published, sent as a supplier would, come out as the reference formulas have them."""

from itertools import pairwise
from math import sqrt
from typing import Any

import pytest

from tests.journeys import published
from tests.journeys.journey import Journey, figures
from tests.journeys.published import Pair, Place

pytestmark = [
    pytest.mark.published,
    pytest.mark.skipif(not published.FOLDER.exists(), reason="no published figures are kept beside the checkout"),
    pytest.mark.parametrize("journey", ["local"], indirect=True),
]
OVER_FOUR_HOURS = {
    "name": "Attendances over four hours",
    "programme": "mandetsip",
    "kind": "outcome",
    "why_it_matters": "Long waits in an emergency department go with harm.",
    "numerator": {"feed": "measure-counts", "value": {"sum": "numerator"}},
    "denominator": {"feed": "measure-counts", "value": {"sum": "denominator"}},
    "multiplier": 100,
    "unit": "percent",
    "period": "month",
    "improvement": "decrease",
    "chart": "p",
    "strata": [],
    "minimum_denominator": 10,
    "disclosure": "none",
    "review": {"author": "A lead", "checker": "Another", "reviewed": "2026-09-01", "next_review": "2099-09-01"},
}
SERIES, REVISIONS = "md-ae-over-4h", "md-ae-over-4h-revised"
TRUSTS = 20


@pytest.fixture(scope="module")
def registered(journey: Journey) -> Journey:
    """Two measures of waits that the catalogue does not have: drafted by one, published by another."""
    journey.introduce("second-lead", "*", like="national")
    for measure in (SERIES, REVISIONS):
        counted = {half: {**OVER_FOUR_HOURS[half], "where": {"field": "measure", "equals": measure}}
                   for half in ("numerator", "denominator")}  # fmt: skip
        counts = [{"measure": measure, "numerator": 3, "denominator": 40, "stratum": ""}]
        examples = [{"rows": counts, "expect": {"numerator": 3, "denominator": 40}}]
        journey.as_("national").post(
            "/v1/measures", {"id": measure, **OVER_FOUR_HOURS, **counted, "examples": examples}
        )
        journey.as_("second-lead").post(f"/v1/measures/{measure}/publish", None)
    journey.settle()
    return journey


@pytest.fixture(scope="module")
def maternity(journey: Journey) -> dict[Place, Pair]:
    """The clinical indicators of every provider for April 2025, posted."""
    counts, _ = published.maternity()
    measures = sorted({measure for _, measure in counts})
    known = [one for one in measures if journey.http("national").get(f"/v1/measures/{one}").is_success]
    lines = [f"{code},2025-04,{measure},{n},{d}" for (code, measure), (n, d) in counts.items() if measure in known]
    body = "\n".join(["Org_Code,period,Indicator,numerator,denominator", *lines, ""]).encode()
    receipt = journey.as_("supplier").submit(body, feed="measure-counts")
    journey.settle()
    assert (receipt.status, receipt.rows["accepted"]) == ("accepted", len(lines))
    return {place: pair for place, pair in counts.items() if place[1] in known}


def test_the_rates_of_every_provider_are_those_that_were_published(
    journey: Journey, maternity: dict[Place, Pair]
) -> None:
    """Counts were published to the nearest five, and rates of the counts before that: as near as that can come."""
    national, (_, rates) = journey.as_("national"), published.maternity()
    compared = 0
    for code in sorted({code for code, _ in maternity})[:TRUSTS]:
        for measure in (one for place, one in maternity if place == code):
            n, d = maternity[code, measure]
            (item,) = national.series(measure, code, first="2025-04", last="2025-04").items
            assert (item["numerator"], item["denominator"]) == (n, d)
            if (code, measure) in rates and item["value"] is not None:
                away = item["value"] * (2.5 / n + 2.5 / d if n else 0) + 0.5
                assert item["value"] == pytest.approx(rates[code, measure], abs=away), (code, measure)
                compared += 1
    assert compared > 10 * TRUSTS / 2


def test_their_intervals_are_those_of_wilson(journey: Journey, maternity: dict[Place, Pair]) -> None:
    national = journey.as_("national")
    for code in sorted({code for code, measure in maternity if measure == "mn-cqimsmokingdelivery"})[:TRUSTS]:
        n, d = maternity[code, "mn-cqimsmokingdelivery"]
        (item,) = national.series("mn-cqimsmokingdelivery", code, first="2025-04", last="2025-04").items

        assert (item["lower_95"], item["upper_95"]) == pytest.approx(wilson(n, d, multiplier=100), rel=1e-9)


@pytest.fixture(scope="module")
def emergency(registered: Journey) -> dict[Place, Pair]:
    """38 months of emergency departments, posted."""
    counts = published.emergency()
    receipt = registered.as_("supplier").submit(
        published.as_counts(counts, measure=SERIES), feed="measure-counts", final=True
    )
    registered.settle()
    assert receipt.rows["received"] == len(counts)
    assert receipt.rows["rejected"] == 0
    return counts


def trusts_of(counts: dict[Place, Pair]) -> list[str]:
    """The first twenty with three years and more."""
    months: dict[str, int] = {}
    for code, _ in counts:
        months[code] = months.get(code, 0) + 1
    return sorted(code for code, count in months.items() if count >= 36)[:TRUSTS]


def test_p_charts_of_twenty_trusts_equal_the_formula(registered: Journey, emergency: dict[Place, Pair]) -> None:
    national = registered.as_("national")
    trusts = trusts_of(emergency)
    assert len(trusts) == TRUSTS
    for code in trusts:
        pairs = {period: pair for (one, period), pair in emergency.items() if one == code}
        chart = national.chart(SERIES, code)
        assert figures(chart) == pairs
        centre = sum(n for n, _ in pairs.values()) / sum(d for _, d in pairs.values())
        for point in chart["points"]:
            n, d = pairs[point["period"]]
            width = 3 * sqrt(centre * (1 - centre) / d)
            wanted = [100 * one for one in (n / d, centre, max(centre - width, 0), min(centre + width, 1))]
            assert [point[name] for name in ("value", "centre", "lower", "upper")] == pytest.approx(wanted, rel=1e-9)
            assert point["outside"] == (not wanted[2] <= wanted[0] <= wanted[3])


def test_xmr_charts_of_twenty_trusts_equal_the_formula(registered: Journey, emergency: dict[Place, Pair]) -> None:
    national = registered.as_("national")
    for code in trusts_of(emergency):
        months = sorted((period, pair) for (one, period), pair in emergency.items() if one == code)
        values = [100 * n / d for _, (n, d) in months]
        mean = sum(values) / len(values)
        ranges = [abs(right - left) for left, right in pairwise(values)]
        largest = 3.267 * sum(ranges) / len(ranges)
        usual = [one for one in ranges if one < largest]
        width = 2.66 * sum(usual) / len(usual)

        points = national.chart(SERIES, code, chart="xmr")["points"]

        assert [point["value"] for point in points] == pytest.approx(values, rel=1e-9)
        drawn = [(point["centre"], point["lower"], point["upper"]) for point in points]
        assert all(one == pytest.approx((mean, mean - width, mean + width), rel=1e-9) for one in drawn), code


@pytest.fixture(scope="module")
def revised(registered: Journey) -> dict[Place, Pair]:
    """Eight months of files as they came; before each that says it is a revision, what it revises."""
    supplier = registered.as_("supplier")
    latest: dict[Place, Pair] = {}
    for path in published.monthly_files():
        counts, total = published.of_a_month(path)
        assert tuple(sum(pair[n] for pair in counts.values()) for n in (0, 1)) == total, path.name
        if path.stem.endswith("-revised"):
            provisional = {place: (n - n // 50, d - d // 100) for place, (n, d) in counts.items()}
            supplier.submit(published.as_counts(provisional, measure=REVISIONS), feed="measure-counts")
        supplier.submit(published.as_counts(counts, measure=REVISIONS), feed="measure-counts")
        latest |= counts
    registered.settle()
    return latest


def test_a_revised_month_is_version_two_and_counted_once(registered: Journey, revised: dict[Place, Pair]) -> None:
    national = registered.as_("national")
    months = {period for _, period in revised}
    for code in ("RGT", "RJ1", "RM3", "RXK"):
        mine = {period: pair for (one, period), pair in revised.items() if one == code}
        assert mine.keys() == months
        assert figures(national.chart(REVISIONS, code)) == mine
        kept: dict[str, Any] = {}
        for one in national.get("/v1/returns", feed="measure-counts", organisation=code, limit=500)["items"]:
            kept[one["period"]] = one["version"] if one["current"] else kept.get(one["period"])
        assert {month: kept[month] for month in ("2024-06", "2024-07", "2024-10", "2024-11", "2025-01")} == {
            "2024-06": 1, "2024-07": 2, "2024-10": 2, "2024-11": 2, "2025-01": 1,
        }  # fmt: skip


def test_england_is_the_sum_of_whom_the_registry_knows(registered: Journey, revised: dict[Place, Pair]) -> None:
    national = registered.as_("national")
    known: dict[str, bool] = {}
    for code, _ in revised:
        if code not in known:
            known[code] = national.series(REVISIONS, code).items != [] if _is_there(registered, code) else False
    wanted: dict[str, list[int]] = {}
    for (code, period), (n, d) in revised.items():
        if known[code]:
            sums = wanted.setdefault(period, [0, 0])
            sums[0], sums[1] = sums[0] + n, sums[1] + d

    assert figures(national.series(REVISIONS, "ENGLAND").document) == {
        period: tuple(sums) for period, sums in wanted.items()
    }


def _is_there(journey: Journey, code: str) -> bool:
    return journey.http("national").get(f"/v1/organisations/{code}").is_success


def wilson(n: int, d: int, *, multiplier: float) -> tuple[float, float]:
    """The 95 per cent interval of a proportion (Wilson 1927)."""
    z = 1.959963984540054
    middle, half = (n / d + z * z / 2 / d), z * sqrt(n / d * (1 - n / d) / d + z * z / 4 / d / d)
    return multiplier * (middle - half) / (1 + z * z / d), multiplier * (middle + half) / (1 + z * z / d)

"""One trust joins another: each figure stays where it was made, and is counted where its work is now."""

from typing import Any

import pytest

from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey, figures

CLOSED, SUCCESSOR, LAST_DAY = "RAP", "RAL", "2024-12-31"
MEASURE = "ss-falls"
BEFORE, AFTER = ("2024-10", "2024-11", "2024-12"), ("2025-01", "2025-02")
SMALL, LARGE, BOTH = (41, 9000), (113, 31000), (150, 39000)


def a_count(organisation: str, period: str, pair: tuple[int, int], measure: str = MEASURE) -> dict[str, Any]:
    return {"organisation": organisation, "period": period, "measure": measure, "numerator": pair[0],
            "denominator": pair[1]}  # fmt: skip


@pytest.fixture(scope="module")
def merged(journey: Journey) -> Journey:
    """Both trusts sent their months up to the merger, and the one that carries on those after it."""
    rows = [a_count(code, month, pair) for month in BEFORE for code, pair in ((CLOSED, SMALL), (SUCCESSOR, LARGE))]
    rows += [a_count(SUCCESSOR, month, BOTH) for month in AFTER]
    journey.as_("supplier").submit(as_csv(rows), feed="measure-counts")
    journey.settle()
    return journey


def test_as_it_was_each_trust_has_its_own_figures(merged: Journey) -> None:
    supplier = merged.as_("supplier")

    assert figures(supplier.chart(MEASURE, CLOSED)) == dict.fromkeys(BEFORE, SMALL)
    assert figures(supplier.chart(MEASURE, SUCCESSOR)) == dict.fromkeys(BEFORE, LARGE) | dict.fromkeys(AFTER, BOTH)


def test_as_it_is_now_the_successor_has_the_figures_of_both(merged: Journey) -> None:
    now = figures(merged.as_("supplier").chart(MEASURE, SUCCESSOR, org_basis="as_is_now"))

    together = (SMALL[0] + LARGE[0], SMALL[1] + LARGE[1])
    assert now == dict.fromkeys(BEFORE, together) | dict.fromkeys(AFTER, BOTH)


def test_what_holds_both_counts_everything_once_on_either_basis(merged: Journey) -> None:
    supplier = merged.as_("supplier")
    together = (SMALL[0] + LARGE[0], SMALL[1] + LARGE[1])
    wanted = dict.fromkeys(BEFORE, together) | dict.fromkeys(AFTER, BOTH)

    for basis in ("as_was", "as_is_now"):
        assert figures(supplier.chart(MEASURE, "UCLP", org_basis=basis)) == wanted, basis


def test_a_month_long_after_the_merger_is_refused_with_the_code_to_use(journey: Journey) -> None:
    rows = [a_count(CLOSED, "2025-12", SMALL, measure="ss-pu")]

    receipt = journey.as_("supplier").submit(as_csv(rows), feed="measure-counts")

    (fault,) = receipt.faults
    assert (receipt.status, fault["column"], fault["found"]) == ("rejected", "organisation", CLOSED)
    assert SUCCESSOR in fault["hint"]

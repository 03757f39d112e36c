"""Figures of many organisations taken together."""

from typing import Any

import polars as pl
import pytest

from services.measures.rules.aggregation import aggregate
from services.measures.rules.definitions import Definition

FEED = {"id": "f", "period": "month", "field": []}


def measure(**changes: Any) -> Definition:
    definition = {"id": "m", "numerator": {"feed": "f"}, "denominator": {"feed": "f"}, "unit": "percent", **changes}
    return Definition.compile(definition, {"f": FEED})


def cells(*rows: tuple[Any, ...]) -> pl.DataFrame:
    names = ["measure", "organisation", "period", "stratum", "numerator", "denominator"]
    kinds = [pl.String()] * 4 + [pl.Float64()] * 2
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def members(*rows: tuple[str, str]) -> pl.DataFrame:
    schema = dict.fromkeys(["measure", "organisation", "period"], pl.String())
    return pl.DataFrame([("m", *row) for row in rows], schema=schema, orient="row")


def test_an_aggregate_is_a_ratio_of_sums_over_its_members_alone() -> None:
    given = cells(("m", "A", "1", "", 1.0, 10.0), ("m", "B", "1", "", 30.0, 40.0), ("m", "X", "1", "", 9.0, 9.0))

    (row,) = aggregate(given, members(("A", "1"), ("B", "1")), [measure()]).to_dicts()

    assert (row["numerator"], row["denominator"]) == (31.0, 50.0)
    assert (row["submitted"], row["expected"], row["completeness"]) == (2, 2, 1.0)
    assert (row["lowest"], row["highest"]) == (None, None)


def test_a_missing_member_is_counted_and_bounds_say_what_it_could_do() -> None:
    # given a member whose usual denominator is 20 and that is missing in the second month
    given = cells(("m", "A", "1", "", 5.0, 20.0), ("m", "B", "1", "", 5.0, 30.0), ("m", "B", "2", "", 15.0, 30.0))
    belongs = members(("A", "1"), ("B", "1"), ("A", "2"), ("B", "2"))

    row = aggregate(given, belongs, [measure()]).filter(period="2").to_dicts()[0]

    assert row["completeness"] == 0.5
    assert (row["lowest"], row["highest"]) == (15 / 50, 35 / 50)


def test_a_member_that_never_submitted_is_taken_for_a_typical_one() -> None:
    given = cells(("m", "A", "1", "", 5.0, 20.0), ("m", "B", "1", "", 5.0, 40.0))

    (row,) = aggregate(given, members(("A", "1"), ("B", "1"), ("C", "1")), [measure()]).to_dicts()

    assert (row["lowest"], row["highest"]) == (10 / 90, 40 / 90)


def test_rates_and_plain_counts_have_no_bounds() -> None:
    given = cells(("m", "A", "1", "", 5.0, None))

    (row,) = aggregate(given, members(("A", "1"), ("B", "1")), [measure(denominator=None)]).to_dicts()

    assert (row["numerator"], row["denominator"], row["submitted"]) == (5.0, None, 1)
    assert (row["lowest"], row["highest"]) == (None, None)


def test_a_numerator_that_waits_for_its_denominator_is_not_in_the_sums() -> None:
    given = cells(("m", "A", "1", "", 5.0, None), ("m", "B", "1", "", 1.0, 4.0))

    (row,) = aggregate(given, members(("A", "1"), ("B", "1")), [measure()]).to_dicts()

    assert (row["numerator"], row["denominator"], row["submitted"]) == (1.0, 4.0, 1)


def test_a_period_nobody_submitted_is_there_with_nothing_in_it() -> None:
    (row,) = aggregate(cells(), members(("A", "1"), ("B", "1")), [measure()]).to_dicts()

    assert (row["numerator"], row["denominator"], row["completeness"]) == (None, None, 0.0)


def test_a_submitter_without_anybody_in_a_stratum_is_not_missing_from_it() -> None:
    given = cells(("m", "A", "1", "", 5.0, 20.0), ("m", "A", "1", "sex=male", 5.0, 20.0), ("m", "B", "1", "", 1.0, 4.0))

    table = aggregate(given, members(("A", "1"), ("B", "1")), [measure()])

    row = table.filter(stratum="sex=male").to_dicts()[0]
    assert (row["submitted"], row["lowest"], row["highest"]) == (2, None, None)


@pytest.mark.parametrize("period", ["1", "2"])
def test_who_belongs_may_differ_from_period_to_period(period: str) -> None:
    given = cells(("m", "A", "1", "", 1.0, 2.0), ("m", "A", "2", "", 1.0, 2.0), ("m", "B", "2", "", 1.0, 2.0))
    belongs = members(("A", "1"), ("B", "2"))

    row = aggregate(given, belongs, [measure()]).filter(period=period).to_dicts()[0]

    assert (row["numerator"], row["expected"]) == (1.0, 1)

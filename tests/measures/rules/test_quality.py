"""Quality gates: enough rows of a return must meet a condition before its figures count."""

from typing import Any

import polars as pl
import pytest

from services.measures.rules.feeds import InvalidDefinition
from services.measures.rules.quality import failures, gates

FEED: dict[str, Any] = {
    "id": "births",
    "period": "month",
    "field": [{"name": "gestation", "type": "integer"}, {"name": "live", "type": "boolean"}],
}
FILLED: dict[str, Any] = {
    "feed": "births",
    "meets": {"field": "gestation", "is": "present"},
    "at_least": 0.75,
    "says": "gestation is filled",
}


def failing(*rows: tuple[str, int | None, bool], **changes: Any) -> dict[tuple[str, str, str], list[str]]:
    schema = {"_organisation": pl.String, "gestation": pl.Int64, "live": pl.Boolean}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    compiled = gates({"quality": [FILLED | changes]}, {"births": FEED})
    return failures(frame, pl.lit("2026-01"), [("m", compiled)], feed="births")


def test_a_return_in_which_enough_rows_meet_the_condition_passes() -> None:
    assert failing(("A", 250, True), ("A", 260, True), ("A", 270, True), ("A", None, True)) == {}


def test_a_return_in_which_too_few_do_fails_and_says_so() -> None:
    found = failing(("A", 250, True), ("A", None, True), ("B", 250, True))

    assert found == {("m", "A", "2026-01"): ["gestation is filled: 1 of 2 rows, 75% needed"]}


def test_exactly_enough_rows_are_enough_whatever_share_that_is() -> None:
    # 0.55 times 100 is a little more than 55 to a computer
    filled, blank = [("A", 250, True)] * 55, [("A", None, True)] * 45
    assert failing(*filled, *blank, at_least=0.55) == {}
    (said,) = failing(*filled[1:], *blank, blank[0], at_least=0.545).values()
    assert said == ["gestation is filled: 54 of 100 rows, 54.5% needed"]


def test_only_the_rows_that_are_looked_at_count() -> None:
    only_live = {"where": {"field": "live", "equals": True}}

    assert failing(("A", 250, True), ("A", None, False), ("A", None, False), **only_live) == {}
    assert failing(("A", None, False), **only_live) == {}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"feed": "nowhere"}, "/quality/0/feed"),
        ({"feed": "measure-counts"}, "/quality/0/feed"),
        ({"meets": None}, "/quality/0"),
        ({"meets": {"field": "unknown", "is": "present"}}, "/quality/0/meets/field"),
        ({"where": {"field": "unknown", "is": "present"}}, "/quality/0/where/field"),
        ({"at_least": 0}, "/quality/0/at_least"),
        ({"at_least": 1.1}, "/quality/0/at_least"),
        ({"at_least": True}, "/quality/0/at_least"),
        ({"unknown": 1}, "/quality/0"),
    ],
)
def test_a_gate_that_cannot_be_is_refused_at_its_place(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        gates({"quality": [FILLED | changes]}, {"births": FEED, "measure-counts": FEED | {"id": "measure-counts"}})

    assert refused.value.pointer == pointer

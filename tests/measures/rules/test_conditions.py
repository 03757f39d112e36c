"""The condition language: what it holds for, and how a wrong condition is refused."""

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from services.measures.rules.conditions import condition
from services.measures.rules.feeds import Feed, InvalidDefinition

FEED = Feed.of(
    {
        "id": "births",
        "period": "month",
        "field": [
            {"name": "outcome", "type": "code", "codes": "OUTCOME"},
            {"name": "days", "type": "integer"},
            {"name": "limit", "type": "decimal"},
            {"name": "admitted", "type": "boolean"},
            {"name": "born", "type": "datetime"},
            {"name": "given", "type": "datetime"},
            {"name": "booked", "type": "date"},
        ],
        "code_lists": {"OUTCOME": {"01": "Live birth", "02": "Stillbirth"}},
    }
)


def holds(where: Any, **row: Any) -> bool:
    schema = {name: field.dtype for name, field in FEED.fields.items()}
    frame = pl.DataFrame([row], schema=schema)
    (found,) = frame.select(condition(where, FEED).alias("found"))["found"].to_list()
    assert found is not None
    return bool(found)


at = datetime.fromisoformat
NOON = at("2026-10-05T12:00")


@pytest.mark.parametrize(
    ("where", "met", "unmet"),
    [
        ({"field": "outcome", "equals": "01"}, {"outcome": "01"}, {"outcome": "02"}),
        ({"field": "outcome", "in": ["01", "02"]}, {"outcome": "02"}, {}),
        ({"field": "outcome", "not_in": ["01"]}, {"outcome": "02"}, {"outcome": "01"}),
        ({"field": "days", "between": [154, 237]}, {"days": 154}, {"days": 153}),
        ({"field": "days", "between": [154, 237]}, {"days": 237}, {"days": 238}),
        ({"field": "days", "at_least": 10}, {"days": 10}, {"days": 9}),
        ({"field": "days", "at_most": 10}, {"days": 10}, {"days": 11}),
        ({"field": "days", "above": 10}, {"days": 11}, {"days": 10}),
        ({"field": "days", "below": 10.5}, {"days": 10}, {"days": 11}),
        ({"field": "days", "at_most": "limit"}, {"days": 3, "limit": 3.0}, {"days": 4, "limit": 3.5}),
        ({"field": "admitted", "equals": False}, {"admitted": False}, {"admitted": True}),
        ({"field": "given", "is": "present"}, {"given": NOON}, {}),
        ({"field": "given", "is": "blank"}, {}, {"given": NOON}),
        ({"field": "born", "equals": "2026-10-05"}, {"born": NOON}, {"born": at("2026-10-06T00:00")}),
        ({"field": "born", "at_most": "2026-10-05"}, {"born": NOON}, {"born": at("2026-10-06T00:00")}),
        ({"field": "born", "below": "2026-10-05T12:00:00"}, {"born": at("2026-10-05T11:00")}, {"born": NOON}),
        (
            {"field": "given", "within": {"field": "born", "hours": 24}},
            {"given": at("2026-10-04T12:00"), "born": NOON},
            {"given": at("2026-10-04T11:59"), "born": NOON},
        ),
        (
            {"field": "given", "within": {"field": "born", "hours": 24}},
            {"given": NOON, "born": NOON},
            {"given": at("2026-10-05T13:00"), "born": NOON},
        ),
        ({"field": "booked", "before": "born"}, {"booked": NOON.date(), "born": NOON}, {"born": NOON}),
        ({"any": [{"field": "days", "above": 5}, {"field": "limit", "above": 5}]}, {"limit": 6.0}, {"days": 5}),
        (
            {"all": [{"field": "days", "above": 5}, {"field": "limit", "above": 5}]},
            {"days": 6, "limit": 6.0},
            {"days": 6},
        ),
        ({"not": {"field": "days", "above": 5}}, {"days": 5}, {"days": 6}),
    ],
)
def test_a_condition_holds_for_the_rows_it_describes_and_for_no_others(
    where: Any, met: dict[str, Any], unmet: dict[str, Any]
) -> None:
    assert holds(where, **met)
    assert not holds(where, **unmet)


@pytest.mark.parametrize(
    "where",
    [
        {"field": "outcome", "equals": "01"},
        {"field": "outcome", "not_in": ["01"]},
        {"field": "days", "between": [0, 999]},
        {"field": "days", "at_most": "limit"},
        {"field": "booked", "before": "born"},
        {"field": "given", "within": {"field": "born", "hours": 1}},
    ],
)
def test_a_comparison_with_a_missing_value_is_not_met(where: Any) -> None:
    assert not holds(where)


def test_not_holds_where_the_comparison_it_denies_is_not_met_for_want_of_a_value() -> None:
    assert holds({"not": {"field": "outcome", "equals": "01"}})


def test_no_condition_holds_for_every_row() -> None:
    assert holds(None)


@pytest.mark.parametrize(
    ("where", "pointer"),
    [
        ({"field": "nothing", "equals": 1}, "/field"),
        ({"field": "days", "is_like": 1}, "/is_like"),
        ({"field": "days", "at_least": 1, "at_most": 2}, ""),
        ({"field": "days"}, ""),
        ({}, ""),
        ({"some": []}, "/some"),
        ({"all": []}, "/all"),
        ({"all": [{"field": "days", "equals": 1}, {"any": [{"field": "x", "equals": 1}]}]}, "/all/1/any/0/field"),
        ({"not": {"field": "x", "equals": 1}}, "/not/field"),
        ({"field": "outcome", "equals": "07"}, "/equals"),
        ({"field": "outcome", "in": ["01", "07"]}, "/in/1"),
        ({"field": "days", "equals": "ten"}, "/equals"),
        ({"field": "days", "equals": True}, "/equals"),
        ({"field": "days", "between": [3, 1]}, "/between"),
        ({"field": "days", "between": [1]}, "/between"),
        ({"field": "outcome", "above": "01"}, "/above"),
        ({"field": "days", "at_most": "born"}, "/at_most"),
        ({"field": "born", "above": "yesterday"}, "/above"),
        ({"field": "days", "is": "missing"}, "/is"),
        ({"field": "days", "before": "born"}, "/before"),
        ({"field": "given", "within": {"field": "born", "hours": -1}}, "/within/hours"),
        ({"field": "given", "within": {"field": "born"}}, "/within"),
    ],
)
def test_a_condition_that_cannot_be_computed_is_refused_with_its_place(where: Any, pointer: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        condition(where, FEED)

    assert refused.value.pointer == pointer

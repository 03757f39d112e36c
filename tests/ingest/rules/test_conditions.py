"""The language of conditions."""

from datetime import date, datetime

import polars as pl
import pytest

from services.ingest.rules.conditions import broken, fields_of, met

TYPES = {"a": "integer", "b": "integer", "code": "code", "day": "date", "at": "datetime", "yes": "boolean"}
ROW = {"a": 3, "b": 5, "code": "01", "day": date(2026, 10, 5), "at": datetime(2026, 10, 5, 12), "yes": True}  # noqa: DTZ001

CASES = [
    ({"field": "a", "equals": 3}, True),
    ({"field": "code", "equals": "01"}, True),
    ({"field": "yes", "equals": False}, False),
    ({"field": "code", "in": ["02", "03"]}, False),
    ({"field": "code", "not_in": ["02", "03"]}, True),
    ({"field": "a", "between": [3, 4]}, True),
    ({"field": "a", "between": [4, 9]}, False),
    ({"field": "a", "at_least": 3}, True),
    ({"field": "a", "at_most": "b"}, True),
    ({"field": "a", "above": 3}, False),
    ({"field": "a", "below": "b"}, True),
    ({"field": "day", "before": "at"}, True),
    ({"field": "day", "at_least": "2026-10-06"}, False),
    ({"field": "day", "within": {"field": "at", "hours": 12}}, True),
    ({"field": "day", "within": {"field": "at", "hours": 11}}, False),
    ({"field": "at", "within": {"field": "day", "hours": 99}}, False),
    ({"field": "a", "is": "present"}, True),
    ({"field": "a", "is": "blank"}, False),
    ({"not": {"field": "a", "equals": 3}}, False),
    ({"all": [{"field": "a", "equals": 3}, {"field": "b", "equals": 4}]}, False),
    ({"any": [{"field": "a", "equals": 3}, {"field": "b", "equals": 4}]}, True),
]


def frame(**values):
    return pl.DataFrame([{**ROW, **values}], schema_overrides={"a": pl.Int64, "b": pl.Int64})


@pytest.mark.parametrize(("condition", "expected"), CASES)
def test_a_condition_is_met_or_broken(condition, expected):
    assert frame().select(met(condition, TYPES)).item() is expected
    assert frame().select(broken(condition, TYPES)).item() is (not expected)


def test_a_comparison_with_a_missing_value_is_neither_met_nor_broken():
    condition = {"field": "a", "below": "b"}

    assert frame(b=None).select(met(condition, TYPES)).item() is False
    assert frame(b=None).select(met({"not": condition}, TYPES)).item() is True
    assert frame(b=None).select(broken(condition, TYPES)).item() is False
    assert frame(b=None).select(broken({"field": "b", "is": "present"}, TYPES)).item() is True


def test_the_fields_of_a_condition_are_those_it_reads():
    condition = {
        "all": [{"field": "a", "below": "b"}, {"not": {"field": "day", "within": {"field": "at", "hours": 2}}}]
    }

    assert fields_of(condition, TYPES) == {"a", "b", "day", "at"}


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "a"},
        {"field": "a", "like": 3},
        {"field": "z", "equals": 3},
        {"equals": 3},
        {"field": "a", "is": "here"},
    ],
)
def test_what_is_not_in_the_language_is_refused(condition):
    with pytest.raises(ValueError, match=r"condition|not a field|takes"):
        met(condition, TYPES)

"""A condition that could not be worked out is refused, with the place and a way out."""

from typing import Any

import pytest

from services.programmes.rules.conditions import fields_of, problems

FEED = {
    "field": [
        {"name": "n", "type": "integer"},
        {"name": "m", "type": "decimal"},
        {"name": "sort", "type": "code", "values": ["a", "b"]},
        {"name": "done", "type": "boolean"},
        {"name": "first", "type": "datetime"},
        {"name": "then", "type": "date"},
        {"name": "born", "type": "date", "identifier": "birth_date"},
        {"name": "number", "type": "text", "identifier": "nhs_number"},
        {"name": "story", "type": "text", "keep": False},
    ]
}
FIELDS = fields_of(FEED)


def test_only_what_rows_keep_can_be_asked_about_and_a_pseudonym_is_text() -> None:
    assert set(FIELDS) == {"n", "m", "sort", "done", "first", "then", "number"}
    assert FIELDS["number"]["type"] == "text"


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "n", "equals": 3},
        {"field": "n", "at_most": "m"},
        {"field": "m", "between": [0, 1.5]},
        {"field": "sort", "in": ["a", "b"]},
        {"field": "sort", "not_in": ["a"]},
        {"field": "done", "equals": True},
        {"field": "number", "is": "present"},
        {"field": "then", "at_least": "2026-01-01"},
        {"field": "first", "within": {"field": "then", "hours": 0.5}},
        {"field": "first", "before": "then"},
        {"all": [{"any": [{"field": "n", "above": 1}]}, {"not": {"field": "m", "is": "blank"}}]},
    ],
)
def test_every_operator_is_known(condition: dict[str, Any]) -> None:
    assert problems(condition, FIELDS) == []


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        ({"field": "x", "equals": 3}, "/field"),
        ({"field": ["n"], "equals": 3}, "/field"),
        ({"field": "n"}, ""),
        ({"field": "n", "equals": 3, "above": 1}, ""),
        ({"field": "n", "like": "3"}, "/like"),
        ({"field": "n", "equals": "3"}, "/equals"),
        ({"field": "n", "equals": True}, "/equals"),
        ({"field": "sort", "equals": "c"}, "/equals"),
        ({"field": "sort", "in": ["a", "c"]}, "/in/1"),
        ({"field": "sort", "in": []}, "/in"),
        ({"field": "sort", "above": "a"}, "/above"),
        ({"field": "n", "between": [3]}, "/between"),
        ({"field": "n", "between": [3, 1]}, "/between"),
        ({"field": "n", "at_least": "first"}, "/at_least"),
        ({"field": "n", "is": "empty"}, "/is"),
        ({"field": "first", "within": {"field": "then"}}, "/within"),
        ({"field": "first", "within": {"field": "n", "hours": 1}}, "/within/field"),
        ({"field": "first", "within": {"field": "then", "hours": -1}}, "/within/hours"),
        ({"field": "first", "before": "n"}, "/before"),
        ({"all": []}, "/all"),
        ({"all": [{"field": "n", "equals": 1}], "any": []}, ""),
        ({"any": [{"field": "n", "equals": 1}, {"not": {"field": "x", "is": "blank"}}]}, "/any/1/not/field"),
        ({}, ""),
        (None, ""),
    ],
)
def test_each_fault_has_its_place(condition: Any, pointer: str) -> None:
    assert [place for place, _ in problems(condition, FIELDS)] == [pointer]

"""A definition told in words."""

from typing import Any

import pytest

from services.measures.rules.formula import condition, formula, half
from tests.measures.builders import a_measure


def test_a_ratio_names_both_halves_and_the_multiplier() -> None:
    assert formula(a_measure().definition) == (
        "(number of rows of births where gestation_length_at_birth is below 259) "
        "divided by (number of rows of births), times 100."
    )


def test_a_plain_count_is_its_numerator_alone() -> None:
    assert formula(a_measure(denominator=None, numerator={"feed": "births"}).definition) == "number of rows of births."


def test_figures_that_come_ready_counted_are_said_to() -> None:
    counted = {"feed": "measure-counts", "value": {"sum": "numerator"}}
    assert half(counted) == "the numerator sent ready counted"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("count", "number of rows of births"),
        ({"sum": "falls"}, "sum of falls over rows of births"),
        ({"distinct": "mother"}, "number of different mother in rows of births"),
        ({"dates": "born"}, "born of rows of births"),
    ],
)
def test_each_kind_of_value_has_its_words(value: Any, words: str) -> None:
    assert half({"feed": "births", "value": value}) == words


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"field": "a", "in": ["x", "y"]}, "a is one of x, y"),
        ({"field": "a", "not_in": ["x"]}, "a is filled and is none of x"),
        ({"field": "a", "between": [1, 3]}, "a is from 1 to 3"),
        ({"field": "a", "is": "blank"}, "a is blank"),
        ({"field": "a", "within": {"field": "b", "hours": 24}}, "a is followed by b within 24 hours"),
        ({"not": {"field": "a", "equals": 1}}, "not (a is 1)"),
        (
            {"all": [{"field": "a", "equals": 1}, {"any": [{"field": "b", "equals": 2}, {"field": "c", "above": 3}]}]},
            "a is 1 and (b is 2 or c is above 3)",
        ),
        (
            {
                "any": [
                    {"all": [{"field": "a", "equals": 1}, {"field": "b", "equals": 2}]},
                    {"field": "c", "before": "d"},
                ]
            },
            "(a is 1 and b is 2) or c is before d",
        ),
    ],
)
def test_conditions_keep_their_brackets(where: dict[str, Any], words: str) -> None:
    assert condition(where) == words

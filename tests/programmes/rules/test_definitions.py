"""A measure's definition is refused for every reason it could not be computed, each with its JSON Pointer."""

from copy import deepcopy
from typing import Any

import pytest

from services.programmes.rules.catalogue import load
from services.programmes.rules.definitions import problems

FEEDS = load().feeds


def a_definition(**changed: Any) -> dict[str, Any]:
    where = {"field": "gestation_length_at_birth", "between": [154, 237]}
    steroids = {"field": "steroid_course_complete_datetime", "is": "present"}
    return {
        "id": "mn-opt-steroid", "version": "1.0.0", "name": "Steroids", "programme": "matneosip", "kind": "process",
        "why_it_matters": "It saves lives.",
        "numerator": {"feed": "births", "where": {"all": [where, steroids]}, "value": "count"},
        "denominator": {"feed": "births", "where": where, "value": "count"},
        "multiplier": 100, "unit": "percent", "period": "month", "improvement": "increase", "chart": "p",
        "strata": ["imd_quintile", "ethnic_group"], "minimum_denominator": 10, "disclosure": "msds",
        "baseline": {"from": "2025-04", "to": "2026-03"},
        "review": {"author": "A", "checker": "B", "reviewed": "2026-09-01", "next_review": "2027-09-01"},
        "examples": [{"rows": [{"gestation_length_at_birth": 221}], "expect": {"numerator": 0, "denominator": 1}}],
    } | changed  # fmt: skip


def half(**changed: Any) -> dict[str, Any]:
    return {"feed": "births", "value": "count"} | changed


def test_the_definition_of_the_public_contract_is_accepted() -> None:
    assert problems(a_definition(), FEEDS) == []


@pytest.mark.parametrize(
    ("changed", "pointer", "says"),
    [
        ({"numerator": half(feed="birth")}, "/numerator/feed", "'birth' is not a feed"),
        (
            {"numerator": half(where={"field": "weeks", "equals": 1})},
            "/numerator/where/field",
            "'weeks' is not a field",
        ),
        ({"numerator": half(where={"field": "apgar_5", "more": 1})}, "/numerator/where/more", "not an operator"),
        ({"numerator": half(value={"sum": "delivery_method"})}, "/numerator/value/sum", "delivery_method is code"),
        ({"numerator": half(value={"mean": "apgar_5"})}, "/numerator/value", "a value is"),
        ({"numerator": half(filter="x")}, "/numerator/filter", "is not part of it"),
        ({"numerator": None}, "/numerator", "is needed"),
        ({"denominator": None}, "/denominator", "a p chart divides by it"),
        ({"chart": "t"}, "/numerator/value", "a t chart counts between events"),
        ({"chart": "pie"}, "/chart", "'pie' is not one of"),
        ({"period": "fortnight"}, "/period", "'fortnight' is not one of"),
        ({"id": "MN Steroid"}, "/id", "lower case with hyphens"),
        ({"version": "1"}, "/version", "three numbers"),
        ({"multiplier": 0}, "/multiplier", "above 0"),
        ({"minimum_denominator": -1}, "/minimum_denominator", "0 or more"),
        ({"strata": ["shoe_size"]}, "/strata/0", "not a stratum"),
        ({"strata": ["age_band"]}, "/strata/0", "the feed births has no age_band"),
        ({"baseline": {"from": "2026-03", "to": "2025-04"}}, "/baseline/to", "ends before it begins"),
        ({"baseline": {"from": "April", "to": "2025-04"}}, "/baseline/from", "is not a period"),
        ({"target": 95}, "/target", "not part of a definition"),
        ({"rolling": 1, "chart": "run"}, "/rolling", "from 2 to 24"),
        ({"rolling": 3, "chart": "p"}, "/chart", "windows overlap"),
        (
            {"rolling": 3, "chart": "run", "numerator": half(value={"distinct": "delivery_method"})},
            "/numerator/value",
            "add up periods",
        ),
        ({"denominator": None, "chart": "p"}, "/denominator", "a p chart divides by it: give a denominator"),
        ({"denominator": None, "chart": "run", "unit": "per 1,000 births"}, "/denominator", "is of something"),
    ],
)
def test_each_fault_is_placed_and_explained(changed: dict[str, Any], pointer: str, says: str) -> None:
    found = dict(problems(a_definition(**changed), FEEDS))
    assert says in found[pointer]


def test_all_faults_are_reported_at_once() -> None:
    wrong = a_definition(multiplier=0, period="fortnight", numerator=half(feed="birth"))
    assert {pointer for pointer, _ in problems(wrong, FEEDS)} == {"/multiplier", "/period", "/numerator/feed"}


def test_nobody_checks_their_own_definition() -> None:
    alone = {"author": "A", "checker": "A", "reviewed": "2026-09-01", "next_review": "2027-09-01"}
    assert problems(a_definition(review=alone), FEEDS) == [
        ("/review/checker", "the checker is somebody other than the author")
    ]


def test_the_next_review_comes_after_the_last() -> None:
    late = {"author": "A", "checker": "B", "reviewed": "2026-09-01", "next_review": "2026-09-01"}
    assert problems(a_definition(review=late), FEEDS) == [
        ("/review/next_review", "the next review comes after the last")
    ]


def test_counted_figures_are_those_of_the_measure_itself() -> None:
    counted = {
        "feed": "measure-counts", "where": {"field": "measure", "equals": "mn-other"}, "value": {"sum": "numerator"},
    }  # fmt: skip
    (fault,) = problems(a_definition(numerator=counted, examples=[]), FEEDS)
    assert fault[0] == "/numerator"
    mended = deepcopy(counted) | {"where": {"field": "measure", "equals": "mn-opt-steroid"}}
    assert problems(a_definition(numerator=mended, examples=[]), FEEDS) == []


def test_an_example_must_say_what_it_expects_in_fields_of_the_feed() -> None:
    examples = [{"rows": [{"weeks": 31}], "expect": {"denominator": 1}}]
    assert [pointer for pointer, _ in problems(a_definition(examples=examples), FEEDS)] == [
        "/examples/0/expect",
        "/examples/0/rows/0/weeks",
    ]


def test_what_is_dropped_at_the_door_cannot_be_measured() -> None:
    for field in ("person_birth_date", "lsoa_of_residence"):
        wanted = half(where={"field": field, "is": "present"})
        assert problems(a_definition(numerator=wanted), FEEDS) == [
            ("/numerator/where/field", f"'{field}' is not a field of the feed")
        ]


@pytest.mark.parametrize("rubbish", [[], "count", 7, {"feed": ["births"]}, {"feed": "births", "where": []}])
def test_rubbish_is_refused_and_never_raises(rubbish: Any) -> None:
    assert problems(a_definition(numerator=rubbish, strata=[{}], review="me", baseline=3), FEEDS)

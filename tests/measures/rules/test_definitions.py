"""Definitions compiled, and their executable examples."""

import csv
import tomllib
from pathlib import Path
from typing import Any

import pytest

from services.measures.rules.definitions import Definition, run_examples
from services.measures.rules.feeds import InvalidDefinition

CATALOGUE = Path(__file__).parents[3] / "services" / "programmes" / "catalogue"
BIRTHS = {
    "id": "births",
    "period": "month",
    "period_columns": ["born"],
    "field": [
        {"name": "days", "type": "integer"},
        {"name": "mother", "type": "text"},
        {"name": "born", "type": "datetime"},
        {"name": "imd_decile", "type": "integer"},
    ],
}
COUNTS = {
    "id": "measure-counts",
    "period": "any",
    "field": [
        {"name": "measure", "type": "text"},
        {"name": "numerator", "type": "decimal"},
        {"name": "denominator", "type": "decimal"},
        {"name": "stratum", "type": "text"},
    ],
}
FEEDS = {"births": BIRTHS, "measure-counts": COUNTS}


def definition(**changes: Any) -> dict[str, Any]:
    return {
        "id": "mn-preterm",
        "version": "1.0.0",
        "name": "Preterm births",
        "numerator": {"feed": "births", "where": {"field": "days", "below": 259}, "value": "count"},
        "denominator": {"feed": "births", "value": "count"},
        "multiplier": 100,
        "unit": "percent",
        "period": "month",
        "improvement": "decrease",
        "chart": "p",
        "strata": ["imd_quintile"],
        **changes,
    }


def counted(half: str) -> dict[str, Any]:
    return {"feed": "measure-counts", "where": {"field": "measure", "equals": "mn-preterm"}, "value": {"sum": half}}


def test_a_definition_says_which_feeds_move_it_counted_figures_included() -> None:
    assert Definition.compile(definition(), FEEDS).feeds == ("births", "measure-counts")


def test_a_definition_of_counted_figures_needs_no_fields_for_its_strata() -> None:
    compiled = Definition.compile(definition(numerator=counted("numerator"), denominator=counted("denominator")), FEEDS)

    assert [half.counted for half in compiled.halves] == [True, True]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": ""}, "/id"),
        ({"numerator": None}, "/numerator"),
        ({"numerator": {"feed": "deaths"}}, "/numerator/feed"),
        ({"numerator": {"feed": "births", "where": {"field": "x", "equals": 1}}}, "/numerator/where/field"),
        ({"denominator": {"feed": "births", "value": "mean"}}, "/denominator/value"),
        ({"denominator": {"feed": "births", "value": {"sum": "mother"}}}, "/denominator/value/sum"),
        ({"denominator": {"feed": "births", "value": {"dates": "days"}}}, "/denominator/value/dates"),
        ({"denominator": {"feed": "births", "value": {"distinct": "x"}}}, "/denominator/value/distinct"),
        ({"numerator": counted("denominator")}, "/numerator"),
        ({"strata": ["imd_quintile", "sex"]}, "/strata/1"),
        ({"strata": ["height"], "numerator": counted("numerator"), "denominator": None}, "/strata/0"),
        ({"period": "fortnight"}, "/period"),
        ({"chart": "pie"}, "/chart"),
        ({"improvement": "up"}, "/improvement"),
        ({"multiplier": "100"}, "/multiplier"),
        ({"minimum_denominator": -1}, "/minimum_denominator"),
    ],
)
def test_a_definition_that_cannot_be_computed_is_refused_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        Definition.compile(definition(**changes), FEEDS)

    assert refused.value.pointer == pointer


def test_a_measure_finer_than_its_feed_needs_a_dated_row() -> None:
    undated = {"births": {**BIRTHS, "period_columns": []}}

    with pytest.raises(InvalidDefinition, match="/period"):
        Definition.compile(definition(period="week"), undated)


def example(numerator: float, denominator: float, rows: Any) -> dict[str, Any]:
    return {"rows": rows, "expect": {"numerator": numerator, "denominator": denominator}}


ROWS = [{"days": 200, "mother": "a"}, {"days": 280, "mother": "a"}, {"days": 281, "mother": "b"}]


@pytest.mark.parametrize(
    ("changes", "numerator", "denominator"),
    [
        ({}, 1, 3),
        ({"denominator": {"feed": "births", "value": {"distinct": "mother"}}}, 1, 2),
        ({"denominator": {"feed": "births", "value": {"sum": "days"}}}, 1, 761),
    ],
)
def test_examples_that_give_what_they_expect_report_nothing(
    changes: dict[str, Any], numerator: float, denominator: float
) -> None:
    assert run_examples(definition(**changes, examples=[example(numerator, denominator, ROWS)]), FEEDS) == []


def test_an_example_that_gives_something_else_says_what() -> None:
    wrong = definition(examples=[example(1, 3, ROWS), example(1, 2, ROWS)])

    assert run_examples(wrong, FEEDS) == ["example 2: expected denominator 2, found 3"]


def test_an_example_whose_rows_have_an_unknown_field_is_wrong() -> None:
    assert run_examples(definition(examples=[example(0, 1, [{"dayz": 1}])]), FEEDS) == [
        "example 1: the feed births has no field dayz"
    ]


def test_an_example_of_two_feeds_gives_rows_for_each() -> None:
    two = definition(denominator=counted("denominator"))
    rows = {"births": ROWS, "measure-counts": [{"measure": "mn-preterm", "denominator": 40}]}

    assert run_examples({**two, "examples": [example(1, 40, rows)]}, FEEDS) == []
    assert "which feed" in run_examples({**two, "examples": [example(1, 40, ROWS)]}, FEEDS)[0]


def catalogue_feeds() -> dict[str, dict[str, Any]]:
    codes: dict[str, dict[str, str]] = {}
    with (CATALOGUE / "codelists.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            codes.setdefault(row["list"], {})[row["code"]] = row["label" if "label" in row else "description"]
    feeds = [tomllib.loads(path.read_text("utf-8")) for path in sorted((CATALOGUE / "feeds").glob("*.toml"))]
    return {feed["id"]: {**feed, "code_lists": codes} for feed in feeds}


@pytest.mark.parametrize("path", sorted((CATALOGUE / "measures").glob("**/*.toml")), ids=lambda path: path.stem)
def test_every_definition_of_the_catalogue_compiles_and_its_examples_give_what_they_expect(path: Path) -> None:
    text = tomllib.loads(path.read_text("utf-8"))

    for one in text.get("measure", [text]):
        assert run_examples(one, catalogue_feeds()) == []

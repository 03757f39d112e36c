"""Figures of several periods together."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.definitions import Definition
from services.measures.rules.feeds import InvalidDefinition
from services.measures.rules.figures import SCHEMA
from services.measures.rules.formula import formula
from services.measures.rules.rolling import rolled, window, windows
from tests.measures.builders import BIRTHS_FEED, a_measure

MONTHS = [f"2026-{month:02}" for month in range(1, 13)]


def figures(*rows: tuple[str, str, float | None, float | None]) -> pl.DataFrame:
    """Rows of (period, stratum, numerator, denominator) of one measure and trust."""
    told = [("m", "RGT", period, stratum, n, d, "both", None) for period, stratum, n, d in rows]
    return pl.DataFrame(told, schema=SCHEMA, orient="row")


def told(table: pl.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(table.select("period", "stratum", "numerator", "denominator").iter_rows())


def test_each_figure_is_of_its_period_and_those_before_it() -> None:
    single = figures(*((month, "", n + 1.0, 10.0) for n, month in enumerate(MONTHS[:4])))
    assert told(rolled(single, [], 3)) == [("2026-03", "", 6, 30), ("2026-04", "", 9, 30)]


def test_a_window_in_which_a_period_is_missing_has_no_figure() -> None:
    single = figures(*((month, "", 1.0, 10.0) for month in ("2026-01", "2026-02", "2026-04", "2026-05", "2026-06")))
    assert [one[0] for one in told(rolled(single, [], 3))] == ["2026-06"]


def test_a_nil_return_counts_as_none_and_a_window_of_nil_returns_has_no_figure() -> None:
    single = figures(("2026-01", "", 2.0, 10.0))
    nil = [("m", "RGT", month) for month in ("2026-02", "2026-03", "2026-04")]
    assert told(rolled(single, nil, 3)) == [("2026-03", "", 2, 10)]


def test_a_stratum_without_anybody_in_a_period_is_none_in_it() -> None:
    single = figures(
        ("2026-01", "", 3.0, 10.0), ("2026-01", "sex=male", 1.0, 4.0), ("2026-02", "", 2.0, 10.0),
    )  # fmt: skip
    assert told(rolled(single, [], 2)) == [("2026-02", "", 5, 20), ("2026-02", "sex=male", 1, 4)]


def test_a_half_that_is_not_known_in_one_period_is_not_known_of_the_window() -> None:
    single = figures(("2026-01", "", 3.0, None), ("2026-02", "", 2.0, 10.0))
    assert told(rolled(single, [], 2)) == [("2026-02", "", 5, None)]


@given(st.lists(st.integers(0, 99), min_size=1, max_size=12), st.integers(1, 12))
def test_windows_are_sums_of_neighbours(counts: list[int], length: int) -> None:
    single = figures(*((month, "", float(n), 100.0) for month, n in zip(MONTHS, counts, strict=False)))
    expected = [float(sum(counts[at - length + 1 : at + 1])) for at in range(length - 1, len(counts))]
    assert [one[2] for one in told(rolled(single, [], length))] == expected


@given(st.sampled_from(["2026-01", "2026-W03", "2026-Q1", "2026-27"]), st.integers(1, 24))
def test_a_period_is_in_the_windows_that_hold_it(period: str, length: int) -> None:
    assert len(window(period, length)) == len(windows(period, length)) == length
    assert all(period in window(one, length) for one in windows(period, length))


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"rolling": 0}, "/rolling"),
        ({"rolling": 25}, "/rolling"),
        ({"rolling": "3"}, "/rolling"),
        ({"rolling": 3, "numerator": {"feed": "births", "value": {"distinct": "imd_decile"}}}, "/numerator/value"),
    ],
)
def test_what_cannot_roll_is_refused_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        Definition.compile(a_measure(**changes).definition, {"births": BIRTHS_FEED})
    assert refused.value.pointer == pointer


def test_the_formula_names_the_window() -> None:
    words = formula(a_measure(rolling=3).definition)
    assert words.endswith("times 100, over 3 months: the one named and the 2 before it.")
    assert "months" not in formula(a_measure().definition)

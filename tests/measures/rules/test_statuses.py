from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.statuses import (
    NOTHING,
    STATUSES,
    Cell,
    ReturnState,
    Status,
    decide,
    join,
    joined,
    status_of,
    tally,
)

CELLS = st.builds(
    Cell,
    state=st.sampled_from(get_args(ReturnState)),
    numerator=st.none() | st.integers(0, 100),
    denominator=st.none() | st.integers(0, 100),
    passed=st.booleans(),
    minimum_denominator=st.sampled_from([0, 10]),
)
TALLIES = st.lists(CELLS, max_size=4).map(lambda cells: joined(map(tally, cells)))


def received(numerator: float | None, denominator: float | None = None, **more: Any) -> Cell:
    return Cell("received", numerator, denominator, **more)


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        (received(3, 40), "value"),
        (received(0, 40), "zero"),
        (received(3, ratio=False), "value"),
        (received(0, ratio=False), "zero"),
        (received(3, None), "awaiting_denominator"),
        (received(0, 0), "not_applicable"),
        (received(None, 40), "not_submitted"),
        (received(3, 40, passed=False), "low_quality"),
        (received(3, 9, minimum_denominator=10), "low_quality"),
        (received(3, 10, minimum_denominator=10), "value"),
        (Cell("nil"), "nil_return"),
        (Cell("awaited"), "not_submitted"),
        (Cell("missing"), "not_submitted"),
        (Cell("late"), "late"),
        (Cell("quarantined", 3, 40), "quarantined"),
        (Cell("not_expected"), "not_applicable"),
    ],
)
def test_a_cell_has_the_status_of_the_first_rule_that_applies(cell: Cell, status: Status) -> None:
    assert decide(cell) == status


@given(cell=CELLS)
def test_every_cell_has_a_known_status_and_only_figures_are_figures(cell: Cell) -> None:
    status = decide(cell)
    assert status in STATUSES
    if status in {"value", "zero"}:
        assert cell.state == "received"
        assert cell.numerator is not None
        assert (cell.numerator == 0) == (status == "zero")


@given(left=TALLIES, right=TALLIES)
def test_joining_is_commutative(left: Any, right: Any) -> None:
    assert join(left, right) == join(right, left)


@given(first=TALLIES, second=TALLIES, third=TALLIES)
def test_joining_is_associative(first: Any, second: Any, third: Any) -> None:
    assert join(join(first, second), third) == join(first, join(second, third))


@given(some=TALLIES)
def test_joining_nothing_changes_nothing(some: Any) -> None:
    assert join(some, NOTHING) == some == join(NOTHING, some)


@given(cells=st.lists(CELLS, max_size=12))
def test_completeness_is_the_share_of_expected_cells_that_were_submitted(cells: list[Cell]) -> None:
    whole = joined(map(tally, cells))
    assert whole.expected == sum(cell.state != "not_expected" for cell in cells)
    assert whole.submitted <= whole.expected
    assert whole.completeness is None or 0 <= whole.completeness <= 1


def test_an_aggregate_is_the_ratio_of_the_sums_of_what_was_submitted() -> None:
    whole = joined(map(tally, [received(3, 10), received(1, 90), Cell("late"), Cell("nil"), Cell("not_expected")]))
    assert whole.value(100) == pytest.approx(4)
    assert whole.completeness == 3 / 4
    assert status_of(whole) == "value"


def test_a_small_denominator_counts_in_the_aggregate_and_a_failed_gate_does_not() -> None:
    small, failed = received(1, 4, minimum_denominator=10), received(9, 10, passed=False)
    whole = joined(map(tally, [small, failed, received(5, 20)]))
    assert (whole.numerator, whole.denominator, whole.submitted) == (6, 24, 3)


def test_a_numerator_without_its_denominator_waits() -> None:
    whole = joined(map(tally, [received(7, None), received(2, 10)]))
    assert (whole.numerator, whole.submitted, whole.expected) == (2, 1, 2)


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        ([], "not_applicable"),
        ([Cell("not_expected")], "not_applicable"),
        ([Cell("missing"), Cell("late")], "late"),
        ([Cell("late"), Cell("quarantined")], "quarantined"),
        ([received(3, None), Cell("awaited")], "not_submitted"),
        ([received(3, None)], "awaiting_denominator"),
        ([received(3, 10, passed=False)], "low_quality"),
        ([Cell("nil"), Cell("late")], "nil_return"),
        ([Cell("nil"), received(0, 5)], "zero"),
        ([received(0, 0)], "not_applicable"),
    ],
)
def test_an_aggregate_without_a_figure_says_why(cells: list[Cell], status: Status) -> None:
    assert status_of(joined(map(tally, cells))) == status


def test_an_aggregate_under_the_minimum_denominator_is_of_low_quality() -> None:
    whole = joined(map(tally, [received(1, 4), received(2, 5)]))
    assert status_of(whole, minimum_denominator=10) == "low_quality"


def test_a_sum_of_counts_has_no_denominator() -> None:
    whole = joined(map(tally, [received(4, ratio=False), Cell("nil", ratio=False)]))
    assert (whole.value(ratio=False), whole.denominator, status_of(whole, ratio=False)) == (4, None, "value")

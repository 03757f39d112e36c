"""Targets: trajectory, status, and whether the process can get there."""

from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.targets import Status, Target, prospect, status, trajectory

START, DUE = date(2025, 1, 1), date(2027, 1, 1)
HALFWAY = date(2026, 1, 1)


def target(**changes: Any) -> Target:
    return Target(**{"baseline": 8.0, "start": START, "value": 2.0, "due": DUE, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 5.0),
        ({"path": "compounding"}, 4.0),
        ({"path": "stepped", "steps": ((date(2025, 6, 1), 7.0), (HALFWAY, 6.0), (date(2026, 6, 1), 3.0))}, 6.0),
    ],
)
def test_halfway_the_figure_should_be_where_its_path_says(changes: dict[str, Any], expected: float) -> None:
    assert trajectory(target(**changes), HALFWAY) == pytest.approx(expected)


@pytest.mark.parametrize("path", ["linear", "compounding", "stepped"])
def test_every_path_leads_from_the_baseline_to_the_value(path: Any) -> None:
    one = target(path=path, steps=((HALFWAY, 5.0),))

    assert trajectory(one, date(2024, 6, 1)) == trajectory(one, START) == 8.0
    assert trajectory(one, DUE) == trajectory(one, date(2030, 1, 1)) == 2.0


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.dates(START, DUE), st.sampled_from(["linear", "compounding"]))
def test_a_trajectory_never_leaves_the_way_between_baseline_and_value(
    baseline: float, value: float, day: date, path: Any
) -> None:
    low, high = sorted((baseline, value))

    assert low * (1 - 1e-9) <= trajectory(target(baseline=baseline, value=value, path=path), day) <= high * (1 + 1e-9)


REACHED: dict[str | None, tuple[float | None, date | None, date]] = {
    "on_track": (4.9, date(2025, 12, 31), date(2026, 2, 1)),
    "behind": (5.1, date(2025, 12, 31), date(2026, 2, 1)),
    "met": (2.0, date(2025, 12, 31), date(2026, 2, 1)),
    "missed": (2.1, DUE, date(2027, 2, 1)),
    "lapsed": (2.1, date(2026, 11, 30), date(2027, 2, 1)),
    None: (None, None, date(2026, 2, 1)),
}


@pytest.mark.parametrize("expected", [*get_args(Status), None])
def test_every_status_can_be_reached(expected: str | None) -> None:
    figure, on, today = REACHED[expected]

    assert status(target(), figure, on=on, today=today) == expected


def test_a_target_that_ran_out_without_a_figure_has_lapsed() -> None:
    assert status(target(), None, on=None, today=date(2027, 1, 2)) == "lapsed"


def test_a_target_to_go_up_is_met_from_below() -> None:
    up = target(baseline=50.0, value=95.0)

    assert status(up, 95.0, on=HALFWAY, today=HALFWAY) == "met"
    assert status(up, 60.0, on=HALFWAY, today=HALFWAY) == "behind"


@pytest.mark.parametrize(
    "changes", [{"due": START}, {"path": "compounding", "baseline": 0.0}, {"path": "stepped", "steps": ()}]
)
def test_a_target_without_a_trajectory_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"target|trajectory"):
        target(**changes)


@pytest.mark.parametrize(
    ("assurance", "reaches"), [("pass", "always"), ("fail", "never"), ("inconsistent", "by_chance")]
)
def test_the_assurance_of_the_chart_says_whether_the_process_gets_there(assurance: str, reaches: str) -> None:
    found = prospect(assurance, 6.0, 4.0, 12.2)

    assert found is not None
    assert found.reaches == reaches
    assert "between 4 and 12.2" in found.reason


def test_without_assurance_or_limits_nothing_is_promised() -> None:
    assert prospect(None, 6.0, 4.0, 12.0) is None
    assert prospect("pass", 6.0, None, None) is None

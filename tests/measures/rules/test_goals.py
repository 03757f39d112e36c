"""Targets as levels for one organisation."""

from datetime import date
from typing import Any

import pytest

from services.measures.rules.definitions import Definition
from services.measures.rules.goals import Goal, chosen, expected, goal, standing
from tests.measures.builders import BIRTHS_FEED, a_measure

PROPORTION = Definition.compile(a_measure().definition, {"births": BIRTHS_FEED})


def a_target(**changes: Any) -> dict[str, Any]:
    return {"id": "t", "kind": "level", "value": 6.0, "due": "2027-03-31", "status": "active"} | changes


def months(*numerators: float, year: int = 2025) -> list[dict[str, Any]]:
    return [
        {"period": f"{year}-{n:02}", "stratum": "", "numerator": one, "denominator": 200.0, "value": one / 2}
        for n, one in enumerate(numerators, 1)
    ]


def the_goal(items: list[dict[str, Any]], **changes: Any) -> Goal:
    found = goal(a_target(**changes), items, PROPORTION)
    assert isinstance(found, Goal)
    return found


def test_an_organisations_own_target_comes_before_the_nearest_it_inherits() -> None:
    england, icb, own = (a_target(id=scope, scope=scope) for scope in ("ENGLAND", "QUE", "RGT"))
    assert chosen([england, icb, own], "RGT", ["QUE", "ENGLAND"]) is own
    assert chosen([england, icb], "RGT", ["QUE", "ENGLAND"]) is icb
    assert chosen([england], "RGT", ["QUE", "ENGLAND"]) is england
    assert chosen([a_target(scope="QUE", inherited=False)], "RGT", ["QUE", "ENGLAND"]) is None


def test_an_active_target_comes_before_one_that_was_met_and_one_that_was_superseded_is_none() -> None:
    met, active = a_target(id="a", status="met", due="2029-01-01"), a_target(id="b")
    assert chosen([met, active], "ENGLAND", []) is active
    assert chosen([a_target(status="superseded")], "ENGLAND", []) is None


@pytest.mark.parametrize(
    ("kind", "change", "value", "direction"),
    [("level", 6, 6, "decrease"), ("relative_change", -50, 5, "decrease"), ("difference", 2, 12, "increase")],
)
def test_a_change_is_from_the_baseline(kind: str, change: float, value: float, direction: str) -> None:
    found = the_goal([], kind=kind, value=change, baseline={"value": 10, "period": "2025-03"})
    assert (found.value, found.baseline, found.direction) == (value, 10, direction)
    assert found.start == date(2025, 3, 31)


def test_a_baseline_without_a_value_is_the_ratio_of_the_sums_of_its_periods() -> None:
    items = months(20, 40, 60, 80)
    items[1] |= {"denominator": 600.0, "value": 40 / 6}
    found = the_goal(items, kind="relative_change", value=-10, baseline={"period": "2025-02/2025-03"})
    assert found.baseline == pytest.approx(100 * 100 / 800)


def test_an_own_baseline_is_of_the_first_twelve_figures() -> None:
    items = months(*[20] * 12) + months(200, year=2026)
    found = the_goal(items, kind="relative_change", value=-10, baseline={"basis": "own"})
    assert (found.baseline, found.start) == (10, date(2025, 12, 31))


def test_without_a_figure_to_start_from_it_says_so() -> None:
    assert "no figure" in str(goal(a_target(kind="difference", baseline={"period": "2020-01"}), months(20), PROPORTION))
    assert "take part" in str(goal(a_target(kind="share_of_organisations"), [], PROPORTION))


def test_on_the_way_it_should_be_where_the_line_is() -> None:
    found = the_goal([], baseline={"value": 10, "period": "2026-03"})
    assert expected(found, date(2026, 3, 31)) == 10
    assert expected(found, date(2027, 3, 31)) == 6
    assert 6 < (expected(found, date(2026, 9, 30)) or 0) < 10


@pytest.mark.parametrize(
    ("figure", "on", "today", "stands"),
    [
        (5.0, date(2026, 5, 31), date(2026, 6, 1), "met"),
        (7.0, date(2026, 5, 31), date(2026, 6, 1), "behind"),
        (7.0, date(2027, 3, 31), date(2027, 6, 1), "missed"),
        (7.0, date(2026, 5, 31), date(2027, 6, 1), "lapsed"),
        (None, None, date(2027, 6, 1), "lapsed"),
        (None, None, date(2026, 6, 1), None),
    ],
)
def test_without_a_line_to_follow_a_target_is_met_or_behind_and_in_the_end_missed_or_lapsed(
    figure: float | None, on: date | None, today: date, stands: str | None
) -> None:
    assert standing(the_goal([], direction="decrease"), figure, on=on, today=today) == stands

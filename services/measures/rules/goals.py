"""Targets as the registry keeps them, made into levels in the unit of their measure: from where, to where, by when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.measures.rules.definitions import Definition
from services.measures.rules.targets import Direction, Status, Target, reaches, status, trajectory
from shared.contracts.periods import Period

FIRST_PERIODS = 12
"""How many first periods make an organisation's own baseline where its target names no period."""

_RANKS = ("active", "met", "missed", "lapsed")


@dataclass(frozen=True, slots=True)
class Goal:
    """A target for one organisation. `value` is the level to reach, `baseline` the level it started from on `start`.

    `path` is the trajectory, None where the target has no baseline or no due day.
    """

    value: float
    direction: Direction
    baseline: float | None = None
    start: date | None = None
    due: date | None = None
    path: Target | None = None


def chosen(targets: Sequence[Mapping[str, Any]], place: str, ancestors: Sequence[str]) -> Mapping[str, Any] | None:
    """The target that holds for an organisation: its own, or the inherited one of the nearest it lies within.

    Of several set for one organisation: an active one before one that was met, missed or lapsed, then the latest due.
    """
    standing = [one for one in targets if one.get("status") != "superseded"]
    for scope in (place, *ancestors):
        there = [one for one in standing if _scope(one) == scope and (scope == place or one.get("inherited", True))]
        if there:
            return max(there, key=_weight)
    return None


def _scope(target: Mapping[str, Any]) -> str:
    return str(target.get("scope") or "ENGLAND").upper()


def _weight(target: Mapping[str, Any]) -> tuple[int, str, str]:
    state = str(target.get("status", "active"))
    return -_RANKS.index(state) if state in _RANKS else -len(_RANKS), str(target.get("due") or "9999"), target["id"]


def goal(target: Mapping[str, Any], items: Sequence[Mapping[str, Any]], definition: Definition | None) -> Goal | str:
    """The target as levels for the organisation whose series `items` is, or a sentence that says why it has none.

    A relative change or a difference is from the baseline the target names: its value, the figure of its period, or
    the organisation's own (of that period, else of its first 12 periods together). `definition` is None for a target
    without a measure.
    """
    if definition is None or target.get("kind") == "share_of_organisations":
        return "It counts organisations that take part, not figures: see the enrolments."
    baseline, start = _baseline(target, items, definition)
    value = _level(target, baseline)
    if value is None:
        return "It is measured from a baseline for which there is no figure."
    due = date.fromisoformat(str(target["due"])) if target.get("due") else None
    given = target.get("direction")
    direction: Direction = given if given in ("increase", "decrease") else _direction(value, baseline)
    return Goal(value, direction, baseline, start, due, _path(target, baseline, start, value, due))


def _level(target: Mapping[str, Any], baseline: float | None) -> float | None:
    change = float(target["value"])
    if target["kind"] == "level":
        return change
    if baseline is None:
        return None
    return baseline * (1 + change / 100) if target["kind"] == "relative_change" else baseline + change


def _direction(value: float, baseline: float | None) -> Direction:
    return "decrease" if baseline is not None and value < baseline else "increase"


def _baseline(
    target: Mapping[str, Any], items: Sequence[Mapping[str, Any]], definition: Definition
) -> tuple[float | None, date | None]:
    named = target.get("baseline") or {}
    periods = [Period.parse(part) for part in str(named["period"]).split("/")] if named.get("period") else []
    if named.get("value") is not None:
        return float(named["value"]), periods[-1].end if periods else None
    if not named:
        return None, None
    shown = [item for item in items if item["value"] is not None and item["stratum"] == ""]
    if periods:
        inside = [one for one in shown if periods[0].start <= Period.parse(one["period"]).start <= periods[-1].end]
    else:
        inside = shown[:FIRST_PERIODS]
    if not inside:
        return None, None
    return _pooled(inside, definition), Period.parse(inside[-1]["period"]).end


def _pooled(items: Sequence[Mapping[str, Any]], definition: Definition) -> float:
    """The figure of several periods: a ratio of sums, or the mean of plain counts."""
    events = sum(item["numerator"] for item in items)
    if definition.denominator is None:
        return float(events / len(items))
    return float(events / sum(item["denominator"] for item in items) * definition.multiplier)


def _path(
    target: Mapping[str, Any], baseline: float | None, start: date | None, value: float, due: date | None
) -> Target | None:
    if baseline is None or start is None or due is None:
        return None
    given = target.get("trajectory") or {}
    steps = tuple((Period.parse(str(one["period"])).end, float(one["value"])) for one in given.get("points", ()))
    try:
        return Target(baseline, start, value, due, given.get("shape", "linear"), steps)
    except ValueError:
        return None


def expected(one: Goal, day: date) -> float | None:
    """Where the figure should be on the day; None where nothing says."""
    return None if one.path is None else trajectory(one.path, day)


def standing(one: Goal, figure: float | None, *, on: date | None, today: date) -> Status | None:
    """How the target stands (`targets.status`). Without a trajectory, a figure that does not reach it yet is behind."""
    if one.path is not None and one.path.direction == one.direction:
        return status(one.path, figure, on=on, today=today)
    if figure is None or on is None:
        return "lapsed" if one.due is not None and today > one.due else None
    if reaches(figure, one.value, one.direction):
        return "met"
    if one.due is None or today <= one.due:
        return "behind"
    return "missed" if on >= one.due else "lapsed"

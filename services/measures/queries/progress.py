"""Progress towards a target: where it began, where it should be, where it is, and whether the process can get there."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.measures.models import Target
from services.measures.problems import UnknownTarget
from services.measures.queries import organisations
from services.measures.queries.asking import Asked, stated
from services.measures.queries.series import Question, draw_found, find
from services.measures.queries.series import stated as stated_of
from services.measures.rules import goals
from services.measures.rules.targets import prospect
from shared.contracts.periods import Period

_REGISTERED = (
    "name",
    "programme",
    "kind",
    "scope",
    "inherited",
    "due",
    "status_note",
    "latest",
    "source",
    "unverified",
)


def progress(session: Session, asked: Asked, target_id: str, *, organisation: str | None) -> dict[str, Any]:
    """How a target stands for the organisation it was set for, or for one within it that inherits it.

    Raises UnknownTarget; UnknownOrganisation where the target does not hold.
    """
    when, stand = asked.begin(session)
    row = session.scalar(select(Target).where(Target.name == target_id, Target.known(asked.known_at)))
    if row is None:
        raise UnknownTarget(f"no target is called {target_id[:60]!r}")
    target = row.target
    place = organisations.place(session, organisation or str(target.get("scope") or organisations.ENGLAND), when)
    above = organisations.ancestors(session, place, when)
    if goals.chosen([target | {"status": "active", "id": row.name}], place.code, above) is None:
        raise UnknownTarget(f"the target {row.name} does not hold for {place.code}")
    said = {
        "id": row.name,
        "version": row.version,
        "measure": row.measure or None,
        "organisation": place.code,
        "organisation_name": place.name,
        "recorded_status": target.get("status"),
        **{name: target.get(name) for name in _REGISTERED},
    }
    if not row.measure:
        reason = goals.goal(target, (), None)
        nothing = {"definition_version": None, **_UNKNOWN, "status": target.get("status"), "notices": [reason]}
        return {**stated(stand, asked, []), **said, **nothing}
    question = Question(row.measure, place.code, asked.caller, known_at=asked.known_at, basis=asked.basis)
    found = find(session, question)
    goal = goals.goal(target, found.items, found.definition)
    if isinstance(goal, str):
        return {**stated_of(found, question), **said, **_UNKNOWN, "status": target.get("status"), "notices": [goal]}
    chart = draw_found(session, found, kind=None, target={"value": goal.value})
    return {
        **stated_of(found, question),
        **said,
        "unit": found.definition.unit,
        **_standing(goal, chart, found.items, when.today, target),
        "summary": chart["summary"],
        "notices": [],
    }


_UNKNOWN: Mapping[str, Any] = {
    "baseline": None, "value": None, "direction": None, "trajectory": [], "now": None, "prospect": None,
    "unit": None, "variation": None, "assurance": None, "summary": None,
}  # fmt: skip


def _standing(
    goal: goals.Goal,
    chart: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    today: date,
    target: Mapping[str, Any],
) -> dict[str, Any]:
    last = next((one for one in reversed(items) if one["value"] is not None), None)
    on = Period.parse(last["period"]).end if last else None
    status = goals.standing(goal, last["value"] if last else None, on=on, today=today)
    point = next((one for one in reversed(chart["points"]) if one["value"] is not None), None)
    seen = None
    if point is not None:
        seen = prospect(chart["assurance"], goal.value, point["lower"], point["upper"])
    return {
        "baseline": None if goal.baseline is None else {"value": goal.baseline, "on": goal.start},
        "value": goal.value,
        "direction": goal.direction,
        "trajectory": _trajectory(goal, items),
        "now": None if last is None or on is None else {
            "period": last["period"], "value": last["value"], "expected": goals.expected(goal, on),
            "status": last["status"], "provisional": last["provisional"],
        },
        "status": status or target.get("status"),
        "variation": chart["variation"],
        "assurance": chart["assurance"],
        "prospect": None if seen is None else asdict(seen),
    }  # fmt: skip


def _trajectory(goal: goals.Goal, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Where the figure should be: on the day the target began, at the end of each period with an item, and when due."""
    if goal.path is None or goal.start is None or goal.due is None:
        return []
    days = {Period.parse(item["period"]).end for item in items}
    inside = sorted({goal.start, goal.due, *(day for day in days if goal.start < day < goal.due)})
    return [{"on": day, "value": goals.expected(goal, day)} for day in inside]

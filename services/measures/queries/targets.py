"""Which target holds for an organisation, and the level it asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.measures.models import Target
from services.measures.queries import organisations
from services.measures.queries.organisations import Place
from services.measures.rules import goals
from services.measures.rules.definitions import Definition
from shared.db import now

_KEPT = ("id", "name", "kind", "due", "direction", "status", "source", "unverified", "baseline", "trajectory", "scope")


def targets_of(session: Session, measures: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Every target of each of these measures, as the registry has it."""
    rows = session.execute(select(Target).where(Target.measure.in_(measures)).order_by(Target.id)).scalars()
    found: dict[str, list[dict[str, Any]]] = {measure: [] for measure in measures}
    for row in rows:
        found[row.measure].append(row.target | {"id": row.id})
    return found


def to_draw(
    session: Session, definition: Definition, place: Place, items: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """The target of a chart: its `value` in the measure's unit and what is to be said of it; None where none holds."""
    given = targets_of(session, [definition.measure])[definition.measure]
    if not given:
        return None
    target = goals.chosen(given, place.code, organisations.ancestors(session, place, today=now().date()))
    found = None if target is None else goals.goal(target, items, definition)
    if target is None or found is None or isinstance(found, str):
        return None
    return {"value": found.value, **{name: target.get(name) for name in _KEPT}}

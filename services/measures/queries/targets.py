"""Which target holds for an organisation, and the level it asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.measures.models import Target
from services.measures.queries import organisations
from services.measures.queries.moment import NOW, Moment
from services.measures.queries.organisations import Place
from services.measures.rules import goals
from services.measures.rules.definitions import Definition

_KEPT = ("id", "name", "kind", "due", "direction", "status", "source", "unverified", "baseline", "trajectory", "scope")


def targets_of(session: Session, measures: Sequence[str], when: Moment = NOW) -> dict[str, list[dict[str, Any]]]:
    """Every target of each of these measures, as the registry has it."""
    return when.found_of("targets", measures, lambda missing: _targets_of(session, missing, when))


def _targets_of(session: Session, measures: Sequence[str], when: Moment) -> dict[str, list[dict[str, Any]]]:
    query = select(Target).where(Target.measure.in_(measures), Target.known(when.at)).order_by(Target.name)
    rows = session.execute(query).scalars()
    found: dict[str, list[dict[str, Any]]] = {measure: [] for measure in measures}
    for row in rows:
        found[row.measure].append(row.target | {"id": row.name})
    return found


def to_draw(
    session: Session, definition: Definition, place: Place, items: Sequence[Mapping[str, Any]], when: Moment = NOW
) -> dict[str, Any] | None:
    """The target of a chart: its `value` in the measure's unit and what is to be said of it; None where none holds."""
    given = targets_of(session, [definition.measure], when)[definition.measure]
    if not given:
        return None
    target = goals.chosen(given, place.code, organisations.ancestors(session, place, when))
    found = None if target is None else goals.goal(target, items, definition)
    if target is None or found is None or isinstance(found, str):
        return None
    return {"value": found.value, **{name: target.get(name) for name in _KEPT}}

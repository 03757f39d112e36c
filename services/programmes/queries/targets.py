"""Targets as they are shown: one that counts organisations says how many have come far enough."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.programmes.hierarchy import Hierarchy
from services.programmes.models import Enrolment, Target
from services.programmes.queries import enrolments, entries
from services.programmes.rules.programmes import STAGES


def one(
    session: Session, hierarchy: Hierarchy, target: str, *, at: date, known_at: datetime | None = None
) -> dict[str, Any]:
    """One target; where it is of organisations, with its `standing` on a day. Raises UnknownTarget."""
    shown = entries.one(session, Target, target, known_at=known_at)
    if shown["kind"] != "share_of_organisations":
        return shown
    return shown | {"standing": _standing(session, hierarchy, shown, at, known_at)}


def _standing(
    session: Session, hierarchy: Hierarchy, target: Mapping[str, Any], at: date, known_at: datetime | None
) -> dict[str, Any]:
    """Of the organisations it counts, how many had reached the stage on the day, and whether that is enough."""
    wanted = target["organisations"]
    asked = set(hierarchy.members(target["scope"], at, wanted["kind"]))
    there = asked & _reached(session, target.get("programme"), wanted, at, known_at)
    share = 100 * len(there) / len(asked) if asked else None
    enough = None if share is None else share >= target["value"]
    return {"at": at, "organisations": len(asked), "reached": len(there), "share": share, "enough": enough}


def _reached(
    session: Session, programme: str | None, wanted: Mapping[str, Any], at: date, known_at: datetime | None
) -> set[str]:
    """The organisations whose latest stage by the day, of those still taking part, is the wanted one or a later."""
    steps = enrolments.reached(known_at)
    query = (
        select(Enrolment.organisation, Enrolment.enrolment, steps.c.stage)
        .join(steps, steps.c.enrolment == Enrolment.enrolment)
        .where(Enrolment.known(known_at), steps.c.since <= at)
        .where(Enrolment.until.is_(None) | (Enrolment.until > at))
        .order_by(steps.c.since)
    )
    if programme is not None:
        query = query.where(Enrolment.programme == programme)
    if wanted.get("change_idea") is not None:
        query = query.where(Enrolment.change_idea == wanted["change_idea"])
    latest = {(code, enrolment): stage for code, enrolment, stage in session.execute(query)}
    enough = STAGES[STAGES.index(wanted.get("stage") or STAGES[0]) :]
    return {code for (code, _), stage in latest.items() if stage in enough}

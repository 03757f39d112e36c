"""Annotations: what is drawn on charts. One person proposes a step change; another accepts it, with a reason."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.programmes.commands.audit import Act, Line, record
from services.programmes.commands.entries import SOURCE
from services.programmes.models import Annotation, Measure
from services.programmes.problems import (
    AlreadyThere,
    InvalidAnnotation,
    SecondPersonNeeded,
    UnknownAnnotation,
)
from shared.contracts.programmes import AnnotationSet
from shared.messaging.outbox import new_id, publish

STEP_CHANGE = "step_change"
"""The one kind that moves limits, and so needs evidence and a second person."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be drawn: where (organisation, and one measure or all), on which day, in which words."""

    kind: str
    organisation: str
    measure: str | None
    on: date
    text: str
    evidence: str | None = None


def annotate(session: Session, note: Note, act: Act) -> Annotation:
    """Record an annotation. A step change is only proposed by this: nothing is published before it is accepted.

    Raises InvalidAnnotation for a measure that does not exist, or a step change without measure or evidence.
    """
    _demand_sense(session, note)
    status = "proposed" if note.kind == STEP_CHANGE else "accepted"
    return _write(
        session, None, new_id(), note, status=status, reason=act.why, author=act.who, accepted_by=None, act=act
    )


def accept(session: Session, annotation: str, act: Act) -> Annotation:
    """Accept a proposed step change: from now on limits are recalculated there.

    Raises SecondPersonNeeded for who proposed it, InvalidAnnotation without a reason, AlreadyThere when it is accepted.
    """
    before = current(session, annotation)
    if before.status != "proposed":
        raise AlreadyThere(f"this annotation is {before.status}, not proposed")
    if before.author == act.who:
        raise SecondPersonNeeded("who proposed a step change cannot also accept it: ask somebody else")
    if not act.why:
        message = "say why the process is another from this day on"
        raise InvalidAnnotation(message, errors=[{"parameter": "reason", "message": message}])
    return _write(
        session, before, annotation, _note(before), status="accepted", reason=act.why, author=before.author,
        accepted_by=act.who, act=act,
    )  # fmt: skip


def reword(session: Session, annotation: str, note: Note, act: Act) -> Annotation:
    """Change what an annotation says. A step change goes back to being proposed: other evidence, other words."""
    before = current(session, annotation)
    _demand_sense(session, note)
    if note.kind != before.kind or note.organisation != before.organisation:
        raise InvalidAnnotation("the kind and the organisation stay: withdraw this one and record another")
    status = "proposed" if note.kind == STEP_CHANGE else "accepted"
    return _write(
        session, before, annotation, note, status=status, reason=act.why, author=act.who, accepted_by=None, act=act
    )


def withdraw(session: Session, annotation: str, act: Act) -> Annotation:
    """Take an annotation off the charts; that it was there stays on record."""
    before = current(session, annotation)
    return _write(
        session, before, annotation, _note(before), status="withdrawn", reason=act.why, author=act.who,
        accepted_by=before.accepted_by, act=act,
    )  # fmt: skip


def current(session: Session, annotation: str) -> Annotation:
    """The annotation as it stands, unless withdrawn. Raises UnknownAnnotation."""
    query = select(Annotation).where(Annotation.known(None), Annotation.annotation == annotation)
    row = session.scalars(query).one_or_none()
    if row is None or row.status == "withdrawn":
        raise UnknownAnnotation
    return row


def _demand_sense(session: Session, note: Note) -> None:
    errors = []
    if note.measure is not None and not _is_measure(session, note.measure):
        errors.append({"pointer": "/measure", "message": f"{note.measure!r} is not a measure"})
    if note.kind == STEP_CHANGE:
        if note.measure is None:
            errors.append({"pointer": "/measure", "message": "a step change is of one measure: say which"})
        if not note.evidence:
            errors.append({"pointer": "/evidence", "message": "say what shows that the process changed"})
    if errors:
        raise InvalidAnnotation("; ".join(error["message"] for error in errors), errors=errors)


def _is_measure(session: Session, name: str) -> bool:
    return session.scalars(select(Measure.id).where(Measure.known(None), Measure.name == name)).first() is not None


def _note(row: Annotation) -> Note:
    return Note(row.kind, row.organisation, row.measure, row.on, row.text, row.evidence)


def _write(
    session: Session,
    before: Annotation | None,
    annotation: str,
    note: Note,
    *,
    status: str,
    reason: str | None,
    author: str,
    accepted_by: str | None,
    act: Act,
) -> Annotation:
    row = Annotation(
        annotation=annotation,
        kind=note.kind,
        organisation=note.organisation,
        measure=note.measure,
        on=note.on,
        text=note.text,
        evidence=note.evidence,
        status=status,
        reason=reason,
        author=author,
        accepted_by=accepted_by,
        recorded_at=act.at,
    )
    was = None if before is None else before.shown()
    drawn = before is not None and before.status == "accepted"
    if before is not None:
        before.superseded_at = act.at
        session.flush()
    session.add(row)
    record(session, act, [Line(status, "annotation", annotation, note.organisation, was, row.shown())])
    if drawn or status == "accepted":
        publish(session, [_event(row)], source=SOURCE)
    return row


def _event(row: Annotation) -> AnnotationSet:
    kind: Any = row.kind
    return AnnotationSet(
        id=row.annotation,
        kind=kind,
        organisation=row.organisation,
        measure=row.measure,
        on=row.on,
        text=row.text,
        withdrawn=row.status != "accepted",
        set_at=row.recorded_at,
    )

"""Enrolments: an organisation joins a programme or change idea, moves on in it, and leaves."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.programmes.commands.audit import Act, Line, record, take_turn
from services.programmes.commands.entries import SOURCE
from services.programmes.models import Enrolment, Programme
from services.programmes.problems import AlreadyThere, InvalidEnrolment, UnknownEnrolment
from shared.contracts.programmes import EnrolmentChanged
from shared.messaging.outbox import new_id, publish


@dataclass(frozen=True, slots=True)
class Joining:
    """Who joins what (the programme, or one change idea in it), at which stage, since when."""

    organisation: str
    programme: str
    change_idea: str | None
    stage: str
    since: date


def enrol(session: Session, joining: Joining, act: Act) -> Enrolment:
    """Record that an organisation takes part.

    Raises InvalidEnrolment for a programme or change idea that does not exist, AlreadyThere when it takes part already.
    """
    _demand_subject(session, joining)
    enrolment = new_id()
    _refuse_second(session, enrolment, joining)
    return _write(session, None, enrolment, joining, until=None, act=act)


def move_on(
    session: Session, enrolment: str, act: Act, *, stage: str | None, since: date | None, until: date | None
) -> Enrolment:
    """Record that an organisation reached a stage on a day, or left on one; without `until` it takes part (again).

    Raises InvalidEnrolment when it cannot, AlreadyThere when it has joined anew since it left.
    """
    before = current(session, enrolment)
    day = since or before.since
    if stage is not None and stage != before.stage and since is None:
        raise InvalidEnrolment("say since when it is at the new stage", errors=[_at("since", "is needed")])
    if day < before.since:
        raise InvalidEnrolment(
            f"it reached its present stage on {before.since}", errors=[_at("since", f"not before {before.since}")]
        )
    if until is not None and until < day:
        raise InvalidEnrolment("it cannot leave before it came", errors=[_at("until", f"not before {day}")])
    joining = Joining(before.organisation, before.programme, before.change_idea, stage or before.stage, day)
    if until is None:
        _refuse_second(session, enrolment, joining)
    return _write(session, before, enrolment, joining, until=until, act=act)


def current(session: Session, enrolment: str) -> Enrolment:
    """The enrolment as it stands. Raises UnknownEnrolment."""
    query = select(Enrolment).where(Enrolment.known(None), Enrolment.enrolment == enrolment)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise UnknownEnrolment
    return row


def _refuse_second(session: Session, enrolment: str, joining: Joining) -> None:
    """Raise AlreadyThere when the organisation takes part under another enrolment; nobody else enrols it meanwhile."""
    take_turn(session, "taking part", f"{joining.organisation}/{joining.programme}/{joining.change_idea or ''}")
    here = select(Enrolment).where(
        Enrolment.known(None),
        Enrolment.until.is_(None),
        Enrolment.enrolment != enrolment,
        Enrolment.organisation == joining.organisation,
        Enrolment.programme == joining.programme,
        Enrolment.change_idea.is_not_distinct_from(joining.change_idea),
    )
    already = session.scalars(here).first()
    if already is not None:
        raise AlreadyThere(
            f"{joining.organisation} takes part since {already.since}, stage {already.stage}: "
            f"change /v1/enrolments/{already.enrolment}"
        )


def _demand_subject(session: Session, joining: Joining) -> None:
    query = select(Programme).where(Programme.known(None), Programme.name == joining.programme)
    programme = session.scalars(query).one_or_none()
    if programme is None:
        message = f"{joining.programme!r} is not a programme"
        raise InvalidEnrolment(message, errors=[_at("programme", message)])
    ideas = {idea["id"] for idea in programme.document.get("change_ideas", ())}
    if joining.change_idea is not None and joining.change_idea not in ideas:
        message = (
            f"{joining.change_idea!r} is not a change idea of {joining.programme}; they are {', '.join(sorted(ideas))}"
        )
        raise InvalidEnrolment(message, errors=[_at("change_idea", message)])


def _at(field: str, message: str) -> dict[str, str]:
    return {"pointer": f"/{field}", "message": message}


def _write(
    session: Session, before: Enrolment | None, enrolment: str, joining: Joining, *, until: date | None, act: Act
) -> Enrolment:
    row = Enrolment(
        enrolment=enrolment,
        organisation=joining.organisation,
        programme=joining.programme,
        change_idea=joining.change_idea,
        stage=joining.stage,
        since=joining.since,
        until=until,
        author=act.who,
        recorded_at=act.at,
    )
    was = None if before is None else before.shown()
    if before is not None:
        before.superseded_at = act.at
        session.flush()
    session.add(row)
    action = "joined" if before is None else "left" if until is not None else "moved on"
    record(session, act, [Line(action, "enrolment", enrolment, row.organisation, was, row.shown())])
    publish(session, [_event(row)], source=SOURCE)
    return row


def _event(row: Enrolment) -> EnrolmentChanged:
    return EnrolmentChanged(
        id=row.enrolment,
        organisation=row.organisation,
        programme=row.programme,
        change_idea=row.change_idea,
        stage=row.stage,
        since=row.since,
        until=row.until,
        set_at=row.recorded_at,
    )

"""Who takes part in what, as far as the caller may see it, and how many at which stage over time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Subquery, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from services.programmes.footprint import Footprint
from services.programmes.models import Enrolment, among
from services.programmes.problems import UnknownEnrolment
from services.programmes.queries.stamps import stamp
from services.programmes.rules.programmes import STAGES
from shared.contracts.periods import Grain, Period

KIND = Enrolment.__tablename__


def listed(
    session: Session,
    seen_by: Footprint,
    *,
    after: str | None,
    limit: int,
    organisation: str | None = None,
    within: Iterable[str] | None = None,
    programme: str | None = None,
    change_idea: str | None = None,
    stage: str | None = None,
    known_at: datetime | None = None,
) -> list[dict[str, Any]]:
    """The enrolments the caller may see, in order of their id, from `after` on: one more than `limit`."""
    query = select(Enrolment).where(Enrolment.known(known_at)).order_by(Enrolment.enrolment).limit(limit + 1)
    filters = {
        Enrolment.organisation: organisation,
        Enrolment.programme: programme,
        Enrolment.change_idea: change_idea,
        Enrolment.stage: stage,
    }
    for column, wanted in filters.items():
        if wanted is not None:
            query = query.where(column == wanted)
    if after is not None:
        query = query.where(Enrolment.enrolment > after)
    footprints = [set(codes) for codes in (within, seen_by.seen()) if codes is not None]
    if footprints:
        # Few of the organisations that lie somewhere take part in anything: only those are asked for.
        taking_part = set(session.scalars(select(Enrolment.organisation).distinct()))
        query = query.where(among(Enrolment.organisation, taking_part.intersection(*footprints)))
    return [row.shown() for row in session.scalars(query)]


def one(session: Session, seen_by: Footprint, enrolment: str, *, known_at: datetime | None = None) -> dict[str, Any]:
    """One enrolment with the stages it went through. Raises UnknownEnrolment, also for one the caller may not see."""
    query = select(Enrolment).where(Enrolment.known(known_at), Enrolment.enrolment == enrolment)
    row = session.scalars(query).one_or_none()
    if row is None or not seen_by.sees(row.organisation):
        raise UnknownEnrolment
    steps = reached(known_at)
    query = select(steps.c.stage, steps.c.since).where(steps.c.enrolment == enrolment).order_by(steps.c.since)
    stages = [step._asdict() for step in session.execute(query)]
    return row.shown() | {"stages": stages} | stamp(session, KIND, enrolment, known_at=known_at)


def reached(known_at: datetime | None = None) -> Subquery:
    """The steps of all enrolments as they were known: on each day (`since`) the stage that was said of it last."""
    query = select(Enrolment.enrolment, Enrolment.since, Enrolment.stage)
    query = query.ext(distinct_on(Enrolment.enrolment, Enrolment.since))
    query = query.order_by(Enrolment.enrolment, Enrolment.since, Enrolment.id.desc())
    return (query if known_at is None else query.where(Enrolment.recorded_at <= known_at)).subquery()


def adoption(
    session: Session,
    codes: Sequence[str] | None,
    *,
    programme: str,
    change_idea: str | None,
    grain: Grain,
    last: date,
) -> list[dict[str, Any]]:
    """The adoption curve: for the end of each period, how many organisations had reached at least each stage.

    `codes` keeps to some organisations (None: all). An organisation that left counts until the day it left.
    """
    steps = reached()
    query = (
        select(Enrolment.enrolment, Enrolment.until, steps.c.since, steps.c.stage)
        .join(steps, steps.c.enrolment == Enrolment.enrolment)
        .where(Enrolment.known(None), Enrolment.programme == programme)
        .where(Enrolment.change_idea.is_not_distinct_from(change_idea))
        .order_by(steps.c.since)
    )
    if codes is not None:
        query = query.where(among(Enrolment.organisation, codes))
    found = [Step(*row) for row in session.execute(query)]
    if not found:
        return []
    periods = Period.of(found[0].since, grain).until(Period.of(last, grain))
    return [_reached(period, found) for period in periods]


class Step(NamedTuple):
    """An enrolment, the day it ended, and one stage with the day it was reached."""

    enrolment: str
    until: date | None
    since: date
    stage: str

    def counts(self, day: date) -> bool:
        """Whether the stage had been reached on the day, and the organisation had not left."""
        return self.since <= day and (self.until is None or self.until > day)


def _reached(period: Period, steps: Sequence[Step]) -> dict[str, Any]:
    """How many were at each stage, and at least at it, when the period ended. The latest step of each counts."""
    latest = {step.enrolment: step.stage for step in steps if step.counts(period.end)}
    counts = Counter(latest.values())
    reached = {stage: sum(counts[later] for later in STAGES[place:]) for place, stage in enumerate(STAGES)}
    return {"period": period.text, "at": {stage: counts[stage] for stage in STAGES}, "reached": reached}

"""Who is expected to send what and when, and who has: the calendar of returns."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from services.ingest import models
from services.ingest.models import ReturnVersion
from services.ingest.queries.reference import Known
from services.ingest.queries.returns import KEY, counts
from services.ingest.rules import calendar
from services.ingest.rules.calendar import Standing
from services.ingest.rules.feeds import Feed
from shared.contracts import windows
from shared.contracts.periods import Grain, Period
from shared.contracts.windows import Days

_USUAL_GRAIN: Grain = "month"
_WRITTEN: Mapping[Grain, str] = {
    "day": "^....-..-..$",
    "week": "^....-W..$",
    "month": "^....-(0[1-9]|1[0-2])$",
    "quarter": "^....-Q.$",
    "year": "^....$",
    "financial_year": "^....-(00|1[3-9]|[2-9].)$",
}
"""How periods of a grain are written; what may be a month is one."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A return that is expected: whose, of which feed, for which period."""

    feed: str
    organisation: str
    period: Period

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is ordered by."""
        return self.feed, self.organisation, self.period.text


def days_of(feed: Feed, period: Period) -> Days:
    """When returns of the feed for the period open and are due."""
    return windows.days(period, feed.window)


def periods(feed: Feed, first: date, last: date) -> Iterator[Period]:
    """The periods of a feed that begin between two days (those of a feed that takes any are months)."""
    grain: Grain = _USUAL_GRAIN if feed.period == "any" else feed.period  # type: ignore[assignment]
    one = Period.of(first, grain)
    while one.start <= last:
        yield one
        one = one.next()


def senders(
    session: Session, feed: Feed, grain: Grain, *, visible: Collection[str] | None, at: datetime | None
) -> dict[str, str]:
    """The organisations expected to send a feed, each with the text of the first period it is expected for.

    They are those of the kind that the feed names, or else those that ever sent it, from their first period on.
    `visible` None means every one.
    """
    if feed.window.expected is not None:
        kind = select(models.Organisation.code).where(models.Organisation.kind == feed.window.expected)
        found = dict.fromkeys(session.execute(kind).scalars(), "")
    else:
        sent = (
            select(ReturnVersion.organisation, func.min(ReturnVersion.period))
            .where(ReturnVersion.feed == feed.id, counts(at), ReturnVersion.period.regexp_match(_WRITTEN[grain]))
            .group_by(ReturnVersion.organisation)
        )
        found = dict(session.execute(sent).all())
    return {code: first for code, first in sorted(found.items()) if visible is None or code in visible}


def standings(
    session: Session, wanted: Iterable[Expected], *, at: datetime | None
) -> dict[tuple[str, str, str], Standing]:
    """What was held of these returns at the instant (None: now); those of which nothing was held are left out."""
    keys = [one.key for one in wanted]
    if not keys:
        return {}
    feeds, organisations, texts = (sorted({key[n] for key in keys}) for n in range(3))
    first = func.min(ReturnVersion.received_at).over(partition_by=KEY)
    found = session.execute(
        select(*KEY, first, ReturnVersion.kind, ReturnVersion.version, ReturnVersion.status)
        .where(counts(at), ReturnVersion.feed.in_(feeds))
        .where(ReturnVersion.organisation.in_(organisations), ReturnVersion.period.in_(texts))
        .ext(distinct_on(*KEY))
        .order_by(*KEY, ReturnVersion.version.desc())
    )
    return {
        (feed, organisation, period): Standing(received, kind, version, status)
        for feed, organisation, period, received, kind, version, status in found
    }


def names(session: Session, codes: Collection[str]) -> dict[str, str]:
    """The names of organisations by their codes."""
    found = session.execute(
        select(models.Organisation.code, models.Organisation.name).where(models.Organisation.code.in_(codes))
    )
    return dict(found.all())


def entries(
    session: Session, wanted: Sequence[Expected], known: Known, *, today: date, at: datetime | None = None
) -> list[dict[str, Any]]:
    """How each stands: its days, its status, and what is held of it (or was, at the instant)."""
    held, called = standings(session, wanted, at=at), names(session, {one.organisation for one in wanted})
    return [_entry(one, known, held.get(one.key), called.get(one.organisation, ""), today) for one in wanted]


def _entry(one: Expected, known: Known, standing: Standing | None, name: str, today: date) -> dict[str, Any]:
    of = days_of(known.feed(one.feed), one.period)
    organisation = known.reference.organisations.get(one.organisation)
    how = calendar.status(one.period, of, organisation=organisation, standing=standing, today=today)
    return {
        "feed": one.feed,
        "organisation": one.organisation,
        "name": name,
        "period": one.period.text,
        "opens": of.opens,
        "due": of.due,
        "final_due": of.final_due,
        "status": how,
        "days_late": calendar.days_late(of, standing, today=today) if how in ("late", "missing", "nil") else 0,
        "first_received_at": standing and standing.first_received,
        "version": standing and standing.version,
        "version_status": standing and standing.status,
    }


def expected(
    session: Session,
    feed: Feed,
    some: Sequence[Period],
    *,
    visible: Collection[str] | None,
    at: datetime | None = None,
) -> list[Expected]:
    """The returns of a feed that are expected for these periods (all of one grain), by organisation and period."""
    if not some:
        return []
    since = senders(session, feed, some[0].grain, visible=visible, at=at)
    return [Expected(feed.id, code, one) for code, first in since.items() for one in some if one.text >= first]

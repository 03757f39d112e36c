"""What is due and when, who has sent it and who has not, and whom to remind."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.ingest import schemas
from services.ingest.api.callers import KnownAt, MayRead, OrgBasis, WhatIsKnown, period_of
from services.ingest.problems import UnknownFeed
from services.ingest.queries import calendar, returns
from services.ingest.queries.calendar import Expected
from services.ingest.queries.reference import Known
from services.ingest.rules.calendar import STATUSES
from services.ingest.rules.feeds import Feed
from shared import media, paging
from shared.contracts.periods import Period
from shared.contracts.windows import london_day
from shared.db import Session, now
from shared.principal import Principal
from shared.problems import InvalidRequest, problems
from shared.tables import TableForm, table

router = APIRouter(tags=["Ingest"], responses=problems(UnknownFeed))
COLUMNS = list(schemas.CalendarEntry.model_fields)
_LOOK_BACK = timedelta(days=92)
_LONGEST = timedelta(days=1100)
_REMIND_BEFORE = timedelta(days=7)
FeedName = Annotated[str, Query(description="The feed.", examples=["births"])]
PeriodText = Annotated[str, Query(description="The period.", examples=["2026-10"])]
Within = Annotated[str | None, Query(description="Only organisations within this one, itself included.")]


@router.get("/v1/calendar", responses=media.tables(schemas.Calendar), response_class=Response)
def get_calendar(
    request: Request,
    response: Response,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: Annotated[str | None, Query(description="Only of this feed.")] = None,
    organisation: Annotated[str | None, Query(description="Only of this organisation.")] = None,
    first: Annotated[
        str | None, Query(alias="from", description="A period or day; three months ago if not said.")
    ] = None,
    last: Annotated[str | None, Query(alias="to", description="A period or day; today if not said.")] = None,
    known_at: KnownAt = None,
    org_basis: OrgBasis = "as_was",
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
    form: TableForm = None,
) -> Response:
    """What is due, received, late, missing or nil, in order of feed, organisation and period."""
    today = _today(caller, known_at)
    begins = period_of(first, "from").start if first else today - _LOOK_BACK
    ends = period_of(last, "to").end if last else today
    if ends - begins > _LONGEST:
        message = "a calendar shows three years at most"
        raise InvalidRequest(message, errors=[{"parameter": "from", "message": message}])
    visible = _visible(known, caller, organisation=organisation)
    wanted: list[Expected] = []
    feeds = [known.feed(feed)] if feed else [known.feed(name) for name in sorted(known.feeds)]
    for one in feeds:
        some = list(calendar.periods(one, begins, ends))
        wanted += calendar.expected(session, one, some, visible=visible, at=known_at)
    after = paging.decode(cursor, parts=(str, str, str))
    rest = [one for one in wanted if after is None or one.key > tuple(after)][: limit + 1]
    shown = calendar.entries(session, rest, known, today=today, at=known_at)
    page = _page(request, response, shown, limit, cursor)
    stamp = returns.stamp(session, feeds=[one.id for one in feeds], organisations=visible, at=known_at)
    told, headers = page | stamp | {"org_basis": org_basis}, dict(response.headers)
    return table(request, told, form=form, name="calendar", columns=COLUMNS, headers=headers)


@router.get("/v1/completeness", responses=media.tables(schemas.Completeness), response_class=Response)
def get_completeness(
    request: Request,
    response: Response,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: FeedName,
    period: PeriodText,
    within: Within = None,
    known_at: KnownAt = None,
    org_basis: OrgBasis = "as_was",
    limit: paging.Limit = 1000,
    cursor: paging.Cursor = None,
    form: TableForm = None,
) -> Response:
    """Who has sent a feed for a period and who has not."""
    today, one = _today(caller, known_at), known.feed(feed)
    visible = _members(known, caller, _of_feed(one, period), within=within, basis=org_basis, today=today)
    wanted = calendar.expected(session, one, [_of_feed(one, period)], visible=visible, at=known_at)
    every = calendar.entries(session, wanted, known, today=today, at=known_at)
    counts = Counter(entry["status"] for entry in every)
    of = calendar.days_of(one, _of_feed(one, period))
    page = _page(request, response, every, limit, cursor)
    stamp = returns.stamp(session, feeds=[one.id], organisations=visible, period=period, at=known_at)
    summary = {
        **stamp,
        "org_basis": org_basis,
        "feed": feed,
        "period": period,
        "opens": of.opens,
        "due": of.due,
        "final_due": of.final_due,
        "expected": len(every) - counts["exempt"],
        "counts": {name: counts[name] for name in STATUSES},
    }
    name, headers = f"{feed}-{period}-completeness", dict(response.headers)
    return table(request, summary | page, form=form, name=name, columns=COLUMNS, headers=headers)


@router.get("/v1/reminders", responses=media.tables(schemas.Reminders), response_class=Response)
def list_reminders(
    request: Request,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: FeedName,
    period: PeriodText,
    within: Within = None,
    known_at: KnownAt = None,
    org_basis: OrgBasis = "as_was",
    form: TableForm = None,
) -> Response:
    """Whom to remind: those whose return is missing, or due within a week. Nothing is sent from here."""
    today, one = _today(caller, known_at), known.feed(feed)
    visible = _members(known, caller, _of_feed(one, period), within=within, basis=org_basis, today=today)
    wanted = calendar.expected(session, one, [_of_feed(one, period)], visible=visible, at=known_at)
    entries = calendar.entries(session, wanted, known, today=today, at=known_at)
    items = [entry | {"sentence": _sentence(entry, one)} for entry in entries if _is_worth(entry, today)]
    stamp = returns.stamp(session, feeds=[one.id], organisations=visible, period=period, at=known_at)
    told = {"items": items, "next_cursor": None, **stamp, "org_basis": org_basis}
    return table(request, told, form=form, name=f"{feed}-{period}-reminders", columns=[*COLUMNS, "sentence"])


def _today(caller: Principal, known_at: datetime | None) -> date:
    """The day on which it is asked, or is asked about."""
    return london_day(known_at or caller.supposed.clock or now())


def _is_worth(entry: dict[str, Any], today: date) -> bool:
    soon = entry["due"] is not None and today + _REMIND_BEFORE >= entry["due"] and today >= entry["opens"]
    return entry["status"] == "missing" or (entry["status"] == "due" and soon)


def _sentence(entry: dict[str, Any], feed: Feed) -> str:
    verb = "was due on" if entry["status"] == "missing" else "is due by the end of"
    whose = entry["name"] or entry["organisation"]
    return f"{whose}: {feed.title} for {entry['period']} {verb} {entry['due']:%A %-d %B %Y}."


def _members(
    known: Known, caller: Principal, period: Period, *, within: str | None, basis: str, today: date
) -> frozenset[str] | None:
    return _visible(known, caller, within=within, on=period.end if basis == "as_was" else today)


def _visible(
    known: Known,
    caller: Principal,
    *,
    organisation: str | None = None,
    within: str | None = None,
    on: date | None = None,
) -> frozenset[str] | None:
    """The organisations asked for that the caller may see; None means every one."""
    yours = known.yours(caller, on=london_day(now()))
    wanted = yours
    if organisation is not None:
        name = organisation.strip().upper()
        one = known.reference.organisations.get(name)
        wanted = frozenset({one.code if one else name})
    if within is not None:
        wanted = known.within([within.strip().upper()], on=on or london_day(now()))
    return wanted if yours is None else yours if wanted is None else yours & wanted


def _of_feed(feed: Feed, text: str) -> Period:
    one = period_of(text)
    if feed.period not in ("any", one.grain):
        message = f"returns of {feed.id} are of a {feed.period}"
        raise InvalidRequest(message, errors=[{"parameter": "period", "message": message}])
    return one


def _page(
    request: Request, response: Response, entries: Sequence[dict[str, Any]], limit: int, cursor: str | None
) -> dict[str, Any]:
    after = paging.decode(cursor, parts=(str, str, str))
    rest = [one for one in entries if after is None or _key(one) > tuple(after)][: limit + 1]
    return paging.page(rest, limit=limit, key=_key, request=request, response=response)


def _key(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["feed"], entry["organisation"], entry["period"]

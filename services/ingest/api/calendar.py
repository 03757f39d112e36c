"""What is due and when, who has sent it and who has not, and whom to remind."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.ingest import schemas
from services.ingest.api.callers import MayRead, WhatIsKnown
from services.ingest.problems import UnknownFeed
from services.ingest.queries import calendar
from services.ingest.queries.calendar import Expected
from services.ingest.queries.reference import Known
from services.ingest.rules.calendar import STATUSES
from services.ingest.rules.feeds import Feed
from shared import paging
from shared.caching import answer_with_etag
from shared.contracts.periods import Period
from shared.contracts.windows import london_day
from shared.db import Session, now
from shared.principal import Principal
from shared.problems import InvalidRequest, problems

router = APIRouter(tags=["Ingest"], responses=problems(UnknownFeed))
_LOOK_BACK = timedelta(days=92)
_LONGEST = timedelta(days=1100)
_REMIND_BEFORE = timedelta(days=7)
FeedName = Annotated[str, Query(description="The feed.", examples=["births"])]
PeriodText = Annotated[str, Query(description="The period.", examples=["2026-10"])]
Within = Annotated[str | None, Query(description="Only organisations within this one, itself included.")]


@router.get("/v1/calendar", response_model=schemas.Calendar)
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
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> Response:
    """What is due, received, late, missing or nil, in order of feed, organisation and period."""
    today = london_day(caller.clock or now())
    begins = _period(first, "from").start if first else today - _LOOK_BACK
    ends = _period(last, "to").end if last else today
    if ends - begins > _LONGEST:
        message = "a calendar shows three years at most"
        raise InvalidRequest(message, errors=[{"parameter": "from", "message": message}])
    visible = _visible(known, caller, organisation=organisation)
    wanted: list[Expected] = []
    for one in [known.feed(feed)] if feed else [known.feed(name) for name in sorted(known.feeds)]:
        some = list(calendar.periods(one, begins, ends))
        wanted += calendar.expected(session, one, known, some, visible=visible)
    after = paging.decode(cursor, parts=(str, str, str))
    rest = [one for one in wanted if after is None or one.key > tuple(after)][: limit + 1]
    shown = calendar.entries(session, rest, known, today=today)
    page = _page(request, response, shown, limit, cursor)
    return answer_with_etag(request, page, headers=dict(response.headers))


@router.get("/v1/completeness", response_model=schemas.Completeness)
def get_completeness(
    request: Request,
    response: Response,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: FeedName,
    period: PeriodText,
    within: Within = None,
    limit: paging.Limit = 1000,
    cursor: paging.Cursor = None,
) -> Response:
    """Who has sent a feed for a period and who has not."""
    today, one = london_day(caller.clock or now()), known.feed(feed)
    wanted = _expected(session, caller, known, one, period, within)
    every = calendar.entries(session, wanted, known, today=today)
    counts = Counter(entry["status"] for entry in every)
    of = calendar.days_of(one, _of_feed(one, period))
    page = _page(request, response, every, limit, cursor)
    summary = {
        "feed": feed,
        "period": period,
        "opens": of.opens,
        "due": of.due,
        "final_due": of.final_due,
        "expected": len(every) - counts["exempt"],
        "counts": {name: counts[name] for name in STATUSES},
    }
    return answer_with_etag(request, summary | page, headers=dict(response.headers))


@router.get("/v1/reminders", response_model=schemas.Reminders)
def list_reminders(
    request: Request,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: FeedName,
    period: PeriodText,
    within: Within = None,
) -> Response:
    """Whom to remind: those whose return is missing, or due within a week. Nothing is sent from here."""
    today = london_day(caller.clock or now())
    wanted = _expected(session, caller, known, known.feed(feed), period, within)
    entries = calendar.entries(session, wanted, known, today=today)
    items = [entry | {"sentence": _sentence(entry, known.feed(feed))} for entry in entries if _is_worth(entry, today)]
    return answer_with_etag(request, {"items": items, "next_cursor": None})


def _is_worth(entry: dict[str, Any], today: date) -> bool:
    soon = entry["due"] is not None and today + _REMIND_BEFORE >= entry["due"] and today >= entry["opens"]
    return entry["status"] == "missing" or (entry["status"] == "due" and soon)


def _sentence(entry: dict[str, Any], feed: Feed) -> str:
    verb = "was due on" if entry["status"] == "missing" else "is due by the end of"
    whose = entry["name"] or entry["organisation"]
    return f"{whose}: {feed.title} for {entry['period']} {verb} {entry['due']:%A %-d %B %Y}."


def _expected(
    session: Session, caller: Principal, known: Known, feed: Feed, period: str, within: str | None
) -> Sequence[Expected]:
    one = _of_feed(feed, period)
    return calendar.expected(session, feed, known, [one], visible=_visible(known, caller, within=within, on=one.end))


def _visible(
    known: Known,
    caller: Principal,
    *,
    organisation: str | None = None,
    within: str | None = None,
    on: date | None = None,
) -> frozenset[str] | None:
    """The organisations asked for that the caller may see; None means every one."""
    yours = known.yours(caller, on=now().date())
    wanted = yours
    if organisation is not None:
        name = organisation.strip().upper()
        one = known.reference.organisations.get(name)
        wanted = frozenset({one.code if one else name})
    if within is not None:
        wanted = known.within([within.strip().upper()], on=on or now().date())
    return wanted if yours is None else yours if wanted is None else yours & wanted


def _period(text: str, parameter: str) -> Period:
    try:
        return Period.parse(text)
    except ValueError as reason:
        raise InvalidRequest(str(reason), errors=[{"parameter": parameter, "message": str(reason)}]) from reason


def _of_feed(feed: Feed, text: str) -> Period:
    one = _period(text, "period")
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

"""Accepting a submission: one POST, one transaction, one receipt that accounts for every row.

Everything happens before the answer: rows are checked as they are read, good ones become versions of returns, the
rest is told, and the receipt is committed with them. A crash or a cut connection leaves nothing half-stored.
"""

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ingest.commands import checking
from services.ingest.commands.asked import (
    Arrival,
    Options,
    answered_before,
    demand_mode,
    fingerprint,
    organisation_of,
    period_of,
    place_of_nil,
)
from services.ingest.commands.body import Body
from services.ingest.commands.checking import Checked, File
from services.ingest.commands.closing import close
from services.ingest.commands.landing import Effect, Landing, land, land_nil
from services.ingest.commands.quarantine import resolve_mended
from services.ingest.commands.quotas import demand_quota
from services.ingest.commands.waiting import catch_up, hold_news
from services.ingest.models import Submission
from services.ingest.problems import NotYourOrganisation, UnknownSubmission
from services.ingest.queries.consequences import consequences
from services.ingest.queries.receipts import refused_as_a_whole, seen
from services.ingest.queries.receipts import submission as submission_seen
from services.ingest.queries.reference import Known
from services.ingest.rules import formats
from services.ingest.rules.faults import OLDER_EXTRACT, of_the_file
from services.ingest.rules.feeds import Feed
from services.ingest.rules.headers import OUR_MENDS
from services.ingest.settings import IngestSettings
from shared.contracts.windows import london_day
from shared.db import now
from shared.messaging.outbox import hold_back, new_id
from shared.principal import Principal
from shared.problems import InvalidRequest

_NOT_ATOMIC = "every row right, because atomic=true was asked for"


@dataclass(frozen=True, slots=True)
class Answered:
    """A submission dealt with: whether it had been before, and what a dry run would have done."""

    submission: Submission
    again: bool = False
    consequences: dict[str, Any] | None = None


def accept_submission(
    session: Session,
    body: Body,
    options: Options,
    arrival: Arrival,
    *,
    caller: Principal,
    known: Known,
    settings: IngestSettings,
) -> Answered:
    """Deal with what was sent, unless it was answered before (same key, same content).

    Raises the problems of `services.ingest.problems` where the request as a whole is wrong; nothing is stored then.
    """
    hold_back(session, seconds=caller.supposed.outage)
    received_at = now()
    today = london_day(received_at)
    live = known.live(options.feed, options.feed_version)
    organisation = organisation_of(options, caller, known, today)
    earlier = answered_before(session, caller, arrival, body, options)
    if earlier is not None:
        return Answered(earlier, again=True)
    demand_quota(session, caller, settings, received_at)
    allowed = known.yours(caller, on=today)
    file = File(body, arrival.content_type, arrival.encoding, organisation, period_of(options), allowed, today)
    feed = live[0] if options.nil else checking.written_for(file, live)
    demand_mode(feed, options)
    if options.nil and checking.holds_rows(file):
        message = "a nil return says that there are no rows, and rows came with it: leave one of the two out"
        raise InvalidRequest(message, errors=[{"parameter": "nil", "message": message}])
    submission = _opened(session, body, options, arrival, caller, known, feed, organisation, received_at)
    checked = Checked() if options.nil else checking.check(file, feed, known.reference, settings=settings)
    _refuse_if_none_is_yours(checked)
    told = hold_news(session) if checked.waiting else known.number
    mends = _mended(session, checked, feed, caller, known)
    if feed.version != (newest := known.feed(feed.id)).version:
        checked.tell(of_the_file("older-version", found=feed.version, expected=newest.version))
    if (refusal := _refusal(checked, feed, options)) is not None:
        checking.refuse(checked, file, feed, known.reference, refusal, settings=settings)
    # Rejected rows sent back join their returns. A file that was refused as a whole is what its feed says it is.
    mode = options.mode or ("merge" if any(not refused_as_a_whole(one) for one in mends) else feed.mode)
    landing = Landing(submission.id, feed, mode, options.final, received_at, options.dry_run)
    if options.nil:
        effect = land_nil(session, *place_of_nil(options, organisation, feed, known, today), landing)
    else:
        effect = _landed(session, checked, file, landing, known, settings, atomic=options.atomic)
    close(session, submission, checked, effect, body, known)
    if told != known.number:
        catch_up(session, submission)
    resolve_mended(session, submission, checked.sent_back, stale=effect.faults["line"])
    if not options.dry_run:
        return Answered(submission)
    would = consequences(session, feed, effect.differences, frozenset(effect.measures))
    return Answered(submission, consequences=would)


def _mended(session: Session, checked: Checked, feed: Feed, caller: Principal, known: Known) -> list[Submission]:
    """The submissions of which rejected rows were sent back. Raises InvalidRequest for what is not the caller's."""
    named = {name for frame in checked.sent_back for name in frame[OUR_MENDS].unique()}
    mended = [_own(session, name, feed, caller, known) for name in sorted(named)]
    for one in mended:  # before any return, as who corrects or withdraws: of two that mend the last rows one sees it
        session.refresh(one, with_for_update=True)
    return mended


def _own(session: Session, name: str, feed: Feed, caller: Principal, known: Known) -> Submission:
    try:
        one = submission_seen(session, name, caller=caller, known=known)
    except UnknownSubmission:
        one = None
    if one is None or one.feed != feed.id:
        message = f"{OUR_MENDS} names a submission of this feed that is not yours or that there is not"
        raise InvalidRequest(message, errors=[{"parameter": OUR_MENDS, "message": message}])
    return one


def _opened(
    session: Session,
    body: Body,
    options: Options,
    arrival: Arrival,
    caller: Principal,
    known: Known,
    feed: Feed,
    organisation: str | None,
    received_at: datetime,
) -> Submission:
    submission = Submission(
        id=new_id(),
        client_id=caller.client_id,
        idempotency_key=arrival.idempotency_key,
        feed=feed.id,
        feed_version=feed.version,
        organisation=organisation,
        period=options.period,
        options=asdict(options) | {"fingerprint": fingerprint(body, options)},
        status="processing",
        dry_run=options.dry_run,
        sha256=body.sha256,
        bytes=body.size,
        content_type=formats.media_type(arrival.content_type),
        content_encoding=arrival.encoding or "",
        repeat_of=None if options.nil else _repeated(session, body, feed, options, caller, known),
        received_at=received_at,
        completed_at=received_at,
        receipt_sha256="",
    )
    session.add(submission)
    session.flush()
    return submission


def _repeated(
    session: Session, body: Body, feed: Feed, options: Options, caller: Principal, known: Known
) -> str | None:
    """The last submission of the same bytes in the same way that the caller may see, if it stands: its rows will be
    found unchanged."""
    found = session.execute(
        select(Submission.id, Submission.options)
        .where(Submission.sha256 == body.sha256, Submission.feed == feed.id, Submission.withdrawn_at.is_(None))
        .where(Submission.status.in_(("accepted", "partly_accepted")), *seen(caller, known, feed.id))
        .order_by(Submission.id.desc())
        .limit(20)
    )
    wanted = fingerprint(body, options)
    return next((one.id for one in found if one.options.get("fingerprint") == wanted), None)


def _landed(
    session: Session,
    checked: Checked,
    file: File,
    landing: Landing,
    known: Known,
    settings: IngestSettings,
    *,
    atomic: bool,
) -> Effect:
    """What landing did. Only now are rows found to be stale: they are set aside, or else nothing lands (`atomic`)."""
    with session.begin_nested() if atomic else nullcontext() as attempt:
        effect = land(session, checked.sorter, landing)
        if attempt is not None and effect.stale:
            attempt.rollback()
    if not effect.stale:
        return effect
    feed, reference, lines = landing.feed, known.reference, effect.faults["line"]
    if atomic:
        checked.tell(effect.faults)
        checking.refuse(checked, file, feed, reference, _not_atomic(), settings=settings)
        return Effect()
    checking.set_aside(checked, file, feed, reference, lines, OLDER_EXTRACT, settings=settings)
    return effect


def _not_atomic() -> pl.DataFrame:
    return of_the_file("not-atomic", severity="error", expected=_NOT_ATOMIC)


def _refuse_if_none_is_yours(checked: Checked) -> None:
    strange = sum(group["count"] for group in checked.tally.groups() if group["code"] == "not-yours")
    if strange and strange >= checked.counts["received"]:
        raise NotYourOrganisation("every row is for an organisation that you do not act for; nothing was stored")


def _refusal(checked: Checked, feed: Feed, options: Options) -> pl.DataFrame | None:
    """Why the whole file is refused, if it is, as a fault of the file."""
    rejected, received = checked.counts["rejected"], checked.counts["received"]
    if options.atomic and rejected:
        return _not_atomic()
    if received and rejected / received > feed.refuse_above:
        expected = f"at most {feed.refuse_above:.0%} of the rows rejected"
        return of_the_file("too-many-rejected", severity="error", expected=expected)
    return None

"""Accepting a submission: one POST, one transaction, one receipt that accounts for every row.

Everything happens before the answer: rows are checked as they are read, good ones become versions of returns, the
rest is told, and the receipt is committed with them. A crash or a cut connection leaves nothing half-stored.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import zstandard
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from services.ingest.commands import checking
from services.ingest.commands.body import Body
from services.ingest.commands.chain import chain, status_of
from services.ingest.commands.checking import Checked, Sent
from services.ingest.commands.landing import Effect, Landing, land, land_nil
from services.ingest.commands.quarantine import resolve_mended
from services.ingest.commands.waiting import keep_waiting
from services.ingest.models import Submission, SubmissionPart
from services.ingest.problems import KeyReused, NotYourOrganisation, TooManyRows, UnknownOrganisation, UnknownSubmission
from services.ingest.queries.consequences import consequences
from services.ingest.queries.receipts import facts
from services.ingest.queries.receipts import submission as submission_seen
from services.ingest.queries.reference import Known
from services.ingest.rules.faults import of_the_file
from services.ingest.rules.feeds import Feed, Mode
from services.ingest.rules.headers import OUR_MENDS
from services.ingest.rules.quota import WINDOW, seconds_to_wait
from services.ingest.settings import IngestSettings
from shared.contracts.ingest import SubmissionCompleted
from shared.contracts.periods import Period
from shared.db import now
from shared.messaging.outbox import new_id, publish
from shared.principal import Principal
from shared.problems import InvalidRequest

_NOT_ATOMIC = "every row right, because atomic=true was asked for"


@dataclass(frozen=True, slots=True)
class Options:
    """What the sender asked for beside the rows."""

    feed: str
    organisation: str | None = None
    period: str | None = None
    mode: Mode | None = None
    dry_run: bool = False
    atomic: bool = False
    nil: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a submission came: its type and encoding, and the key its sender gave it."""

    content_type: str | None
    encoding: str | None
    idempotency_key: str | None


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
    received_at = now()
    feed = known.feed(options.feed)
    _mode(feed, options)
    organisation = _organisation(options, caller, known, received_at)
    earlier = _answered(session, caller, arrival, body, options)
    if earlier is not None:
        return Answered(earlier, again=True)
    _demand_quota(session, caller, settings, received_at)
    allowed = known.yours(caller, on=received_at.date())
    sent = Sent(arrival.content_type, arrival.encoding, organisation, _period(options), allowed)
    submission = _opened(session, body, options, arrival, caller, feed, organisation, received_at)
    checked = Checked() if options.nil else checking.check(
        body, sent, feed, known.reference, today=received_at.date(), settings=settings
    )  # fmt: skip
    _refuse_if_none_is_yours(checked)
    _refuse_as_a_whole(checked, feed, options)
    mends = _mends(session, checked, feed, caller, known)
    mode = options.mode or ("merge" if mends else feed.mode)
    landing = Landing(submission.id, feed, mode, options.final, received_at, options.dry_run)
    effect = _landed(session, checked, landing, organisation, options)
    _close(session, submission, checked, effect, body, known)
    if not effect.stale:
        resolve_mended(session, submission, checked.mended)
    told = consequences(session, feed, effect.differences, frozenset(effect.measures)) if options.dry_run else None
    return Answered(submission, consequences=told)


def _mode(feed: Feed, options: Options) -> Mode:
    mode = options.mode or feed.mode
    if mode not in feed.modes:
        message = f"the feed {feed.id} takes {' or '.join(feed.modes)}"
        raise InvalidRequest(message, errors=[{"parameter": "mode", "message": message}])
    return mode


def _mends(session: Session, checked: Checked, feed: Feed, caller: Principal, known: Known) -> bool:
    """Whether the file is rejected rows sent back: they join their returns instead of taking their place."""
    named = {name for frame in checked.mended for name in frame["submission_id"].unique()}
    for name in named:
        try:
            if submission_seen(session, name, caller=caller, known=known).feed == feed.id:
                continue
        except UnknownSubmission:
            pass
        message = f"{OUR_MENDS} names a submission of this feed that is not yours or that there is not"
        raise InvalidRequest(message, errors=[{"parameter": OUR_MENDS, "message": message}])
    return bool(named)


def _organisation(options: Options, caller: Principal, known: Known, received_at: datetime) -> str | None:
    """The organisation that the request names, or the only one the caller acts for, by its code."""
    if options.organisation is None:
        own = sorted(caller.organisations)
        return own[0] if len(own) == 1 and not caller.for_everyone else None
    name = options.organisation.strip().upper()
    one = known.reference.organisations.get(name)
    yours = known.yours(caller, on=received_at.date())
    code = one.code if one else name
    if yours is not None and code not in yours:
        raise NotYourOrganisation("you do not act for this organisation: leave it out, or ask for its footprint")
    if one is None:
        message = f"no organisation has the code {name[:20]!r}; GET /v1/organisations lists them"
        raise UnknownOrganisation(message, errors=[{"parameter": "organisation", "message": message}])
    return code


def _period(options: Options) -> str | None:
    if options.period is None:
        return None
    try:
        return Period.parse(options.period).text
    except ValueError as reason:
        raise InvalidRequest(str(reason), errors=[{"parameter": "period", "message": str(reason)}]) from reason


def _fingerprint(body: Body, options: Options) -> str:
    return hashlib.sha256(f"{body.sha256}{sorted(asdict(options).items())}".encode()).hexdigest()


def _answered(session: Session, caller: Principal, arrival: Arrival, body: Body, options: Options) -> Submission | None:
    """The submission that this key was given to before. Two at once wait for each other here."""
    key = arrival.idempotency_key
    if key is None:
        return None
    session.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": f"{caller.client_id}/{key}"})
    earlier = session.execute(
        select(Submission).where(Submission.client_id == caller.client_id, Submission.idempotency_key == key)
    ).scalar_one_or_none()
    if earlier is not None and earlier.options.get("fingerprint") != _fingerprint(body, options):
        raise KeyReused("this Idempotency-Key came with other content or options before: use a new key")
    return earlier


def _demand_quota(session: Session, caller: Principal, settings: IngestSettings, received_at: datetime) -> None:
    """Raises TooManyRows, which says when the client may send again."""
    sent = session.execute(
        select(Submission.received_at, Submission.received)
        .where(Submission.client_id == caller.client_id, Submission.received_at > received_at - WINDOW)
        .order_by(Submission.id.desc())
    )
    history = [(one.received_at, one.received) for one in sent]
    seconds = seconds_to_wait(history, quota=settings.rows_per_minute, now=received_at)
    if seconds:
        message = f"you may send {settings.rows_per_minute:,} rows a minute: try again in {seconds} seconds"
        raise TooManyRows(message, headers={"Retry-After": str(seconds)})


def _opened(
    session: Session,
    body: Body,
    options: Options,
    arrival: Arrival,
    caller: Principal,
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
        options=asdict(options) | {"fingerprint": _fingerprint(body, options)},
        status="processing",
        dry_run=options.dry_run,
        sha256=body.sha256,
        bytes=body.size,
        content_type=arrival.content_type or "",
        content_encoding=arrival.encoding or "",
        repeat_of=None if options.nil else _repeated(session, body, feed, options),
        received_at=received_at,
        completed_at=received_at,
        receipt_sha256="",
    )
    session.add(submission)
    session.flush()
    return submission


def _repeated(session: Session, body: Body, feed: Feed, options: Options) -> str | None:
    """The last submission of the same bytes in the same way, if it stands: its rows will be found unchanged."""
    found = session.execute(
        select(Submission.id, Submission.options)
        .where(Submission.sha256 == body.sha256, Submission.feed == feed.id, Submission.withdrawn_at.is_(None))
        .where(Submission.status.in_(("accepted", "partly_accepted")))
        .order_by(Submission.id.desc())
        .limit(20)
    )
    wanted = _fingerprint(body, options)
    return next((one.id for one in found if one.options.get("fingerprint") == wanted), None)


def _refuse_if_none_is_yours(checked: Checked) -> None:
    strange = sum(group["count"] for group in checked.tally.groups() if group["code"] == "not-yours")
    if strange and strange >= checked.counts["received"]:
        raise NotYourOrganisation("every row is for an organisation that you do not act for; nothing was stored")


def _refuse_as_a_whole(checked: Checked, feed: Feed, options: Options) -> None:
    rejected, received = checked.counts["rejected"], checked.counts["received"]
    if options.atomic and rejected:
        checked.reject_everything(of_the_file("not-atomic", severity="error", expected=_NOT_ATOMIC))
    elif received and rejected / received > feed.refuse_above:
        expected = f"at most {feed.refuse_above:.0%} of the rows rejected"
        checked.reject_everything(of_the_file("too-many-rejected", severity="error", expected=expected))


def _landed(session: Session, checked: Checked, landing: Landing, organisation: str | None, options: Options) -> Effect:
    if not options.nil:
        return land(session, checked.sorter, landing)
    if organisation is None or options.period is None:
        message = "a nil return needs the organisation and the period it is for"
        missing = "organisation" if organisation is None else "period"
        raise InvalidRequest(message, errors=[{"parameter": missing, "message": message}])
    period = Period.parse(options.period)
    if landing.feed.period not in ("any", period.grain):
        message = f"returns of {landing.feed.id} are of a {landing.feed.period}"
        raise InvalidRequest(message, errors=[{"parameter": "period", "message": message}])
    return land_nil(session, organisation, period.text, landing)


def _close(
    session: Session,
    submission: Submission,
    checked: Checked,
    effect: Effect,
    body: Body,
    known: Known,
) -> None:
    """Write the receipt and what was kept, and publish that the submission is complete."""
    checked.tell(effect.faults)
    counts = checked.counts
    submission.received = counts["received"]
    submission.duplicate, submission.waiting = counts["duplicate"], counts["waiting"]
    submission.rejected = counts["rejected"] + effect.stale
    submission.unchanged = effect.unchanged
    submission.accepted = counts["accepted"] - effect.unchanged - effect.stale
    submission.added, submission.changed, submission.removed = effect.added, effect.changed, effect.removed
    submission.faults, submission.faults_total = checked.tally.groups(), checked.tally.total
    submission.returns_total = len(effect.returns)
    submission.organisations = sorted(
        {code for code, _ in checked.sorter.returns()} | {code for code, _ in effect.returns}
    )
    submission.quarantined = sorted(checked.quarantined)
    submission.status = status_of(submission)
    submission.completed_at = now()
    for waiting in checked.waiting:
        keep_waiting(session, submission.id, waiting, known)
    _keep(session, submission.id, "faults", checked.faults)
    _keep(session, submission.id, "rejected", checked.rejected)
    if checked.redacted is not None:
        _keep(session, submission.id, "redacted", checked.redacted)
    elif not submission.options["nil"]:
        packer = zstandard.ZstdCompressor(level=1)
        _keep(session, submission.id, "original", (packer.compress(chunk) for chunk in body.chunks()))
    chain(session, submission, "received")
    publish(session, [_completed(submission, effect)], source="ingest")


def _keep(session: Session, submission_id: str, kind: str, pieces: Iterable[bytes]) -> None:
    for number, piece in enumerate(pieces):
        session.execute(
            insert(SubmissionPart), {"submission_id": submission_id, "kind": kind, "part": number, "body": piece}
        )


def _completed(submission: Submission, effect: Effect) -> SubmissionCompleted:
    told = facts(submission)
    return SubmissionCompleted(
        id=submission.id,
        feed=submission.feed,
        organisation=submission.organisation,
        submitted_by=submission.client_id,
        status=submission.status,
        rows=told["rows"],
        faults_total=submission.faults_total,
        returns=[{"organisation": code, "period": period} for code, period in effect.returns[:1000]],
        completed_at=submission.completed_at,
    )

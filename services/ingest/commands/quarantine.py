"""Rejected rows put right one at a time: corrected, tried again as they are, or waived with a reason."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.ingest.commands.chain import chain, status_of
from services.ingest.commands.checking import sealing
from services.ingest.commands.landing import Effect, Landing, account, land
from services.ingest.commands.settling import sent_again, tell_settled
from services.ingest.commands.sorting import Sorter
from services.ingest.commands.waiting import catch_up, hold_news, keep_waiting
from services.ingest.models import Resolution, Submission
from services.ingest.problems import AlreadyResolved, AlreadyWithdrawn, RefusedAsAWhole, StillWrong
from services.ingest.queries import kept, quarantine
from services.ingest.queries.receipts import refused_as_a_whole
from services.ingest.queries.reference import Known
from services.ingest.rules.blocks import LINE, Block
from services.ingest.rules.faults import Tally, no_faults
from services.ingest.rules.feeds import Feed
from services.ingest.rules.headers import OUR_LINE, OUR_MENDS, match_header
from services.ingest.rules.identity import identifiable
from services.ingest.rules.places import ORGANISATION
from services.ingest.rules.remedies import REMEDIES
from services.ingest.rules.validation import Checker
from services.ingest.rules.verdicts import Verdict
from services.ingest.settings import IngestSettings
from shared.contracts.windows import london_day
from shared.db import now
from shared.principal import Principal
from shared.problems import InvalidRequest, step

_Row = tuple[str, int]
"""A rejected row: its submission and line."""
_SENT_FOR = (OUR_MENDS, OUR_LINE)


def correct_row(
    session: Session,
    submission: Submission,
    line: int,
    changes: Mapping[str, Any],
    *,
    caller: Principal,
    known: Known,
    settings: IngestSettings,
) -> Effect:
    """Change cells of a rejected row (none: try it again as it is) and land it; the receipt's counts move.

    Raises StillWrong, which says what is wrong now, and changes nothing then; UnknownRow, AlreadyResolved,
    AlreadyWithdrawn, RefusedAsAWhole; InvalidRequest for a column that the feed does not have.
    """
    told = hold_news(session)
    _demand_open(session, submission, line)
    if refused_as_a_whole(submission):
        raise RefusedAsAWhole
    feed = known.version(submission.feed, submission.feed_version)
    row = _changed(quarantine.row(session, submission, line), changes, feed)
    verdict = _judged(row, submission, feed, known, caller)
    seal = sealing(feed, settings)
    sorter = Sorter()
    sorter.add(seal(verdict.accepted))
    landing = Landing(submission.id, feed, "merge", bool(submission.options.get("final")), now())
    effect = land(session, sorter, landing)
    if effect.stale:
        raise StillWrong("a newer extract of this record was received already; nothing was changed")
    if verdict.waiting.height:
        keep_waiting(session, submission.id, seal(verdict.waiting), known)
    _account(submission, verdict, effect)
    _forget_faults(session, submission, line)
    _settle(session, {(submission.id, line)}, "corrected", None, caller.client_id, now())
    chain(session, submission, "corrected")
    if told != known.number:
        catch_up(session, submission)
    return effect


def resolve_mended(
    session: Session, submission: Submission, sent_back: Sequence[pl.DataFrame], *, stale: pl.Series
) -> None:
    """Rows that were sent back and are good now (not on `stale` lines) are open no more where they were rejected."""
    if submission.status == "rejected":
        return
    stands = pl.col("good") & ~pl.col(LINE).is_in(stale.implode())
    good = (frame.filter(stands).select(_SENT_FOR).drop_nulls() for frame in sent_back)
    mended = {row for frame in good for row in frame.iter_rows()}
    _settle(session, mended, "corrected", sent_again(submission), submission.client_id, submission.received_at)


def waive_row(session: Session, submission: Submission, line: int, reason: str, *, caller: Principal) -> None:
    """Say why a rejected row will not be sent again. Raises as `correct_row`; InvalidRequest for a telling reason."""
    _demand_open(session, submission, line)
    quarantine.row(session, submission, line)
    if identifiable(pl.Series([reason]))[0]:
        message = "a reason must not name a patient: leave out NHS numbers, postcodes and dates of birth"
        raise InvalidRequest(message, errors=[{"pointer": "/reason", "message": message}])
    _settle(session, {(submission.id, line)}, "waived", reason, caller.client_id, now())


def _demand_open(session: Session, submission: Submission, line: int) -> None:
    session.refresh(submission, with_for_update=True)
    if submission.withdrawn_at is not None:
        raise AlreadyWithdrawn("this submission was withdrawn: send the row again")
    if (resolved := session.get(Resolution, (submission.id, line))) is not None:
        raise AlreadyResolved(f"this row was {resolved.outcome} on {resolved.resolved_at:%d %B %Y at %H:%M} UTC")


def _changed(row: pl.DataFrame, changes: Mapping[str, Any], feed: Feed) -> pl.DataFrame:
    """The row with other cells; a column may be named as it was sent or by any name the feed knows it by."""
    sent = {name: column for column, name in match_header(feed, row.columns).columns.items()}
    for column, value in changes.items():
        field = feed.field_for(column)
        if field is None:
            message = f"the feed {feed.id} has no such column"
            raise InvalidRequest(message, errors=[{"pointer": f"/{step(column[:60])}", "message": message}])
        text = None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        row = row.with_columns(pl.lit(text, dtype=pl.String).alias(sent.get(field.name, field.name)))
    return row.select(*(name for name in row.columns if name != LINE), LINE)


def _judged(row: pl.DataFrame, submission: Submission, feed: Feed, known: Known, caller: Principal) -> Verdict:
    checker = Checker(
        feed,
        known.reference,
        today=london_day(now()),
        organisation=submission.organisation,
        period=submission.period,
        allowed=known.yours(caller, on=london_day(now())),
    )
    verdict = checker.check(Block(row, no_faults()))
    if verdict.counts["rejected"]:
        wrong = verdict.faults.filter(pl.col("severity") == "error")
        raise StillWrong(
            "the row is still wrong; nothing was changed", errors=[_error(one) for one in wrong.to_dicts()]
        )
    return verdict


def _error(fault: Mapping[str, Any]) -> dict[str, Any]:
    code, expected = fault["code"], fault["expected"]
    meaning = REMEDIES[code].meaning if code in REMEDIES else f"Expected {expected}."
    return {"pointer": f"/{step(fault['column'] or '')}", "code": code, "message": meaning, "expected": expected,
            "hint": fault["hint"]}  # fmt: skip


def _account(submission: Submission, verdict: Verdict, effect: Effect) -> None:
    waiting = verdict.waiting.height
    submission.rejected -= 1
    submission.waiting += waiting
    submission.accepted += 1 - waiting - effect.unchanged
    account(submission, effect)
    submission.quarantined = sorted({*submission.quarantined, *verdict.waiting[ORGANISATION]})
    submission.status = status_of(submission)


def _forget_faults(session: Session, submission: Submission, line: int) -> None:
    """The faults of a row that is right now count no more."""
    tally = Tally.of(submission.faults)
    tally.forget(quarantine.faults(session, submission.id, [line]))
    submission.faults, submission.faults_total = tally.groups(), tally.total


def _settle(
    session: Session, rows: Collection[_Row], outcome: str, reason: str | None, client_id: str, at: datetime
) -> None:
    """These rows are open no more, nor are those for which they had been sent back in vain."""
    while rows:
        of_each: dict[str, list[int]] = {}
        for name, line in sorted(rows):
            of_each.setdefault(name, []).append(line)
        told = {"outcome": outcome, "reason": reason, "client_id": client_id, "resolved_at": at}
        resolved = [{"submission_id": name, "line": line, **told} for name, line in sorted(rows)]
        session.execute(insert(Resolution).on_conflict_do_nothing(), resolved)
        for name, lines in of_each.items():
            tell_settled(session, session.get_one(Submission, name, with_for_update=True), lines=lines)
        rows = {row for name, lines in of_each.items() for row in _sent_back_for(session, name, lines)}


def _sent_back_for(session: Session, submission_id: str, lines: Collection[int]) -> Iterator[_Row]:
    """The rejected rows, always of an earlier submission, that these of a submission were to mend."""
    for frame in kept.frames(session, submission_id, kept.REJECTED):
        if OUR_MENDS in frame.columns:
            yield from frame.filter(pl.col(LINE).is_in(lines)).select(_SENT_FOR).drop_nulls().iter_rows()

"""Rejected rows: searched by feed, organisation and code, each with what is wrong with it and what became of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.ingest.models import Resolution, Submission
from services.ingest.problems import UnknownRow
from services.ingest.queries import kept, receipts
from services.ingest.queries.reference import Known
from services.ingest.rules.blocks import LINE
from services.ingest.rules.faults import no_faults
from services.ingest.rules.headers import OUR_CODES, OUR_ORGANISATION, OUR_PERIOD, OURS
from shared.principal import Principal

OPEN = "open"


def rows(
    session: Session,
    *,
    caller: Principal,
    known: Known,
    feed: str | None,
    organisation: str | None,
    code: str | None,
    status: str,
    after: Sequence[Any] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Rejected rows the caller may see, newest submission first and by line within, one more than `limit` if there are.

    `status` is `open`, `corrected`, `waived` or `any`. A submission that was withdrawn has none.
    """
    found: list[dict[str, Any]] = []
    for one in _submissions(session, caller, known, feed, organisation, code, after):
        resolved = _resolutions(session, one.id)
        past = int(after[1]) if after is not None and one.id == after[0] else 0
        for row in _matching(session, one, organisation, code, past):
            told = _shown(one, row, resolved.get(row[LINE]))
            if status in ("any", told["status"]):
                found.append(told)
            if len(found) > limit:
                return _with_faults(session, found)
    return _with_faults(session, found)


def stamp(session: Session, *, caller: Principal, known: Known, feed: str | None) -> dict[str, Any]:
    """What a list of rejected rows stands on: the receipts of them, and what became of rows since."""
    of_receipts = receipts.stamp(session, caller=caller, known=known, feed=feed)
    query = select(func.max(Resolution.resolved_at), func.count()).join(Submission)
    newest, resolved = session.execute(query.where(*receipts.seen(caller, known, feed))).one()
    return {
        "as_of": max(filter(None, (of_receipts["as_of"], newest)), default=None),
        "data_version": of_receipts["data_version"] + resolved,
    }


def row(session: Session, one: Submission, line: int) -> pl.DataFrame:
    """The rejected row on a line, as it is kept: text cells and `line`. Raises UnknownRow."""
    for frame in kept.frames(session, one.id, kept.REJECTED):
        found = frame.filter(pl.col(LINE) == line)
        if found.height:
            return found.drop([name for name in found.columns if name in OURS and name != LINE])
    raise UnknownRow(f"no row was rejected on line {line} of this submission")


def shown(session: Session, one: Submission, line: int) -> dict[str, Any]:
    """The rejected row on a line as the list shows it. Raises UnknownRow."""
    for found in _matching(session, one, None, None, line - 1):
        if found[LINE] == line:
            return _with_faults(session, [_shown(one, found, _resolutions(session, one.id).get(line))])[0]
    raise UnknownRow(f"no row was rejected on line {line} of this submission")


def faults(session: Session, submission_id: str, lines: Sequence[int]) -> pl.DataFrame:
    """The faults of some lines."""
    found = [
        frame.filter(pl.col("line").is_in(list(lines))) for frame in kept.frames(session, submission_id, kept.FAULTS)
    ]
    return pl.concat([no_faults(), *found])


def _submissions(
    session: Session, caller: Principal, known: Known, feed: str | None, organisation: str | None, code: str | None,
    after: Sequence[Any] | None,
) -> Iterator[Submission]:  # fmt: skip
    settled = Submission.id.in_(select(Resolution.submission_id))
    query = select(Submission).where((Submission.rejected > 0) | settled, Submission.withdrawn_at.is_(None))
    query = query.where(*receipts.seen(caller, known, feed))
    if organisation is not None:
        query = query.where(Submission.quarantined.contains([organisation]))
    if code is not None:
        query = query.where(Submission.faults.contains([{"code": code}]))
    if after is not None:
        query = query.where(Submission.id <= after[0])
    yield from session.execute(query.order_by(Submission.id.desc())).scalars()


def _matching(
    session: Session, one: Submission, organisation: str | None, code: str | None, past: int
) -> Iterator[dict[str, Any]]:
    wanted = pl.col(LINE) > past
    if organisation is not None:
        wanted = wanted & (pl.col(OUR_ORGANISATION) == organisation)
    if code is not None:
        wanted = wanted & pl.col(OUR_CODES).list.contains(code)
    for frame in kept.frames(session, one.id, kept.REJECTED):
        yield from frame.filter(wanted).iter_rows(named=True)


def _resolutions(session: Session, submission_id: str) -> dict[int, Resolution]:
    found = session.execute(select(Resolution).where(Resolution.submission_id == submission_id)).scalars()
    return {each.line: each for each in found}


def _shown(one: Submission, found: dict[str, Any], resolved: Resolution | None) -> dict[str, Any]:
    return {
        "submission": one.id,
        "line": found[LINE],
        "feed": one.feed,
        "organisation": found[OUR_ORGANISATION],
        "period": found[OUR_PERIOD],
        "received_at": one.received_at,
        "codes": found[OUR_CODES] or [],
        "row": {name: value for name, value in found.items() if name not in OURS},
        "status": resolved.outcome if resolved else OPEN,
        "reason": resolved and resolved.reason,
        "resolved_by": resolved and resolved.client_id,
        "resolved_at": resolved and resolved.resolved_at,
        "as_of": resolved.resolved_at if resolved else one.linked_at,
        "data_version": one.link + (resolved is not None),
        "links": {"self": f"/v1/quarantine/{one.id}/{found[LINE]}", "submission": f"/v1/submissions/{one.id}"},
    }


def _with_faults(session: Session, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows, each with what is wrong with it."""
    by_submission: dict[str, list[int]] = {}
    for one in found:
        by_submission.setdefault(one["submission"], []).append(one["line"])
    told: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for submission_id, lines in by_submission.items():
        for fault in faults(session, submission_id, lines).iter_rows(named=True):
            line = fault.pop("line")
            told.setdefault((submission_id, line), []).append(fault)
    return [one | {"faults": told.get((one["submission"], one["line"]), [])} for one in found]

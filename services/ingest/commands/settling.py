"""When of a return no rejected row is open any more, those are told who call it quarantined."""

from collections.abc import Collection

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ingest.models import Resolution, Submission
from services.ingest.queries import kept
from services.ingest.rules.blocks import LINE
from services.ingest.rules.headers import OUR_ORGANISATION, OUR_PERIOD
from shared.contracts.ingest import QuarantineSettled
from shared.db import now
from shared.messaging.outbox import publish

MOST_TOLD = 1000  # returns that an event names
_PLACE = (OUR_ORGANISATION, OUR_PERIOD)


def sent_again(submission: Submission) -> str:
    """Why a row is open no more that came again in this submission, and was right."""
    return f"sent again in {submission.id}"


def tell_settled(session: Session, submission: Submission, *, lines: Collection[int] | None = None) -> None:
    """Publish the returns of these lines (None: of all) of which every rejected row has been resolved.

    A submission that was withdrawn has no open row.
    """
    frames = [one.select(LINE, *_PLACE).drop_nulls() for one in kept.frames(session, submission.id, kept.REJECTED)]
    if not frames:
        return
    rejected = pl.concat(frames)
    asked = rejected if lines is None else rejected.filter(pl.col(LINE).is_in(list(lines)))
    places = asked.select(_PLACE).unique()
    if submission.withdrawn_at is None:
        resolved = session.scalars(select(Resolution.line).where(Resolution.submission_id == submission.id)).all()
        still = rejected.filter(~pl.col(LINE).is_in(list(resolved)))
        places = places.join(still, on=_PLACE, how="anti")
    returns = [{"organisation": code, "period": period} for code, period in sorted(places.iter_rows())]
    told = [returns[at : at + MOST_TOLD] for at in range(0, len(returns), MOST_TOLD)]
    publish(
        session,
        [QuarantineSettled(id=submission.id, feed=submission.feed, returns=one, settled_at=now()) for one in told],
        source="ingest",
    )

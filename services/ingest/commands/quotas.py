"""The rows that a client may have dealt with in a minute: those it sent, and those it only tried in dry runs."""

from datetime import datetime

from sqlalchemy import delete, func, select, union_all
from sqlalchemy.orm import Session

from services.ingest.models import DryRun, Submission
from services.ingest.problems import TooManyRows
from services.ingest.rules.quota import WINDOW, seconds_to_wait
from services.ingest.settings import IngestSettings
from shared.db import now
from shared.principal import Principal


def demand_quota(session: Session, caller: Principal, settings: IngestSettings, received_at: datetime) -> None:
    """Raises TooManyRows, which says when the client may send again."""
    sent = union_all(
        *(
            select(table.received_at, table.received).where(
                table.client_id == caller.client_id, table.received_at > received_at - WINDOW
            )
            for table in (Submission, DryRun)
        )
    )
    used = session.execute(select(func.coalesce(func.sum(sent.subquery().c.received), 0))).scalar_one()
    if used < settings.rows_per_minute:  # so it is all but always, and a client may have sent thousands of files
        return
    history = [(one.received_at, one.received) for one in session.execute(sent)]
    seconds = seconds_to_wait(history, quota=settings.rows_per_minute, now=received_at)
    if seconds:
        message = f"you may send {settings.rows_per_minute:,} rows a minute: try again in {seconds} seconds"
        raise TooManyRows(message, headers={"Retry-After": str(seconds)})


def count_dry_run(session: Session, caller: Principal, *, rows: int) -> None:
    """Count the rows of a dry run, of which nothing else is stored; those of the client's that count no more go."""
    at = now()
    session.execute(delete(DryRun).where(DryRun.client_id == caller.client_id, DryRun.received_at <= at - WINDOW))
    session.add(DryRun(client_id=caller.client_id, received_at=at, received=rows))

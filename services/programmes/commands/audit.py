"""The audit: every command writes here, in its own transaction, what it did and on whose word."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from shared import db
from shared.telemetry import trail

_COLUMNS = {
    "at": "timestamptz", "who": "text", "action": "text", "kind": "text", "subject": "text", "owner": "text",
    "before": "jsonb", "after": "jsonb", "why": "text", "request_id": "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """One act of writing: who, when, and the reason given."""

    who: str
    at: datetime
    why: str | None = None


class Line(NamedTuple):
    """What became of one thing: `action` is `registered`, `revised`, `retired`, ... and `owner` whose it is."""

    action: str
    kind: str
    subject: str
    owner: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def take_turn(session: Session, kind: str, subject: str) -> None:
    """Wait until nobody else is changing this thing, and keep others waiting until the transaction ends.

    Taken before a change is compared with what is there (`If-Match`), so that nothing can come in between.
    """
    db.take_turn(session, f"{kind}/{subject}")


def record(session: Session, act: Act, lines: Iterable[Line]) -> None:
    """Add lines to the audit, in order, within the session's transaction."""
    steps = trail()
    request_id = steps.request_id if steps else None
    session.flush()
    db.copy_rows(session, "change", _COLUMNS, ((act.at, act.who, *line, act.why, request_id) for line in lines))

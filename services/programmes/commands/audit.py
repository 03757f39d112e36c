"""The audit: every command writes here, in its own transaction, what it did and on whose word."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy.orm import Session

from shared import db
from shared.telemetry import trail

_COPY = "COPY change (at, who, action, kind, subject, owner, before, after, why, request_id) FROM STDIN"


@dataclass(frozen=True, slots=True)
class Act:
    """One act of writing: who, when, and the reason given."""

    who: str
    at: datetime
    why: str | None = None


class Line(NamedTuple):
    """What became of one thing: `action` is `registered`, `revised`, `published`, ... and `owner` whose it is."""

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
    with db.driver(session).cursor().copy(_COPY) as copy:
        for line in lines:
            before, after = text_of(line.before), text_of(line.after)
            copy.write_row(
                (act.at, act.who, line.action, line.kind, line.subject, line.owner, before, after, act.why, request_id)
            )


def text_of(document: Mapping[str, Any] | None) -> str | None:
    """A document as the text that COPY takes for a JSONB column."""
    return None if document is None else orjson.dumps(document).decode()

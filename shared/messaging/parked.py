"""What is parked in a service's database: list it, or drop it after reading. Replaying is the consumer's."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session


class Parked(NamedTuple):
    """A message that could not be applied: where it came from, who refused it, why, how often and when."""

    id: int
    topic: str
    key: str
    handler: str
    reason: str
    attempts: int
    parked_at: datetime


def parked(session: Session) -> list[Parked]:
    """Every parked message, oldest first."""
    rows = session.execute(text(f"select {', '.join(Parked._fields)} from parked order by id"))  # noqa: S608
    return [Parked(*row) for row in rows]


def drop(session: Session, parked_id: int) -> bool:
    """Throw one parked message away; False if there is none with this id."""
    found = session.execute(text("delete from parked where id = :id returning id"), {"id": parked_id})
    return found.scalar_one_or_none() is not None


def count(session: Session) -> int:
    """How many messages are parked."""
    return int(session.execute(text("select count(*) from parked")).scalar_one())

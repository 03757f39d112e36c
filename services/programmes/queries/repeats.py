"""Answers that were given before."""

from sqlalchemy.orm import Session

from services.programmes.models import Answer


def answer(session: Session, client: str, key: str) -> Answer | None:
    """What the client got under this key; None if it has not used it."""
    return session.get(Answer, (client, key))

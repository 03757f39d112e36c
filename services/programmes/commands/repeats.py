"""Answers that are remembered, so that a repeat of a request gets the same and changes nothing."""

from typing import Any

from sqlalchemy.orm import Session

from services.programmes.models import Answer


def remember(session: Session, **answer: Any) -> None:
    """Keep an answer (the columns of `Answer`) under the client and its key."""
    session.add(Answer(**answer))

"""What the door answered first is kept sealed, for a day: it may hold a secret that is shown nowhere else.

It is sealed (AES-GCM) with a key that follows from one of the installation's, which is not in the database.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from gateway.access.models import Repeat
from shared.repeats import FirstAnswers, remember

KEPT_FOR = timedelta(days=1)
NONCE = 12


class Sealing:
    """Seals and opens what is kept. `key` is one of the installation's, as text."""

    def __init__(self, key: str) -> None:
        self._cipher = AESGCM(hmac.digest(key.encode(), b"answers that are kept", hashlib.sha256))

    def seal(self, content: bytes, *, of: str) -> bytes:
        """The content, sealed as that of one request: it does not open as that of another."""
        nonce = hashlib.sha256(of.encode() + content).digest()[:NONCE]
        return nonce + self._cipher.encrypt(nonce, content, of.encode())

    def open(self, sealed: bytes, *, of: str) -> bytes:
        """What was sealed."""
        return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], of.encode())


def sealed_answers(key: str) -> FirstAnswers:
    """How the door keeps its first answers. `key` is one of the installation's, as text."""
    return FirstAnswers(Repeat, Sealing(key), KEPT_FOR)


def answered(
    request: Request,
    session: Session,
    told: BaseModel,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a POST, kept if the request has a key."""
    answer = Response(told.model_dump_json(), status, headers=dict(headers or {}), media_type="application/json")
    return remember(request, session, answer)

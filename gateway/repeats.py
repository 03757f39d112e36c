"""A POST to the door that is sent again with its `Idempotency-Key` gets the answer it got the first time.

The first answer may hold a secret that is shown nowhere else. What is kept of it is sealed (AES-GCM) with a key that
follows from one of the installation's, which is not in the database, and it is gone after a day.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import delete, text
from sqlalchemy.orm import Session as OrmSession

from gateway.access.models import Repeat
from gateway.problems import IdempotencyKeyReused
from shared.db import Session, now
from shared.principal import Principal, caller

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


class Answered(Exception):
    """The request was answered before; `answer` is what it got."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


async def content_hash(request: Request) -> str:
    """The hash of everything that makes two requests the same: where they go and what they carry."""
    place = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(place.encode() + await request.body()).hexdigest()


def once(
    request: Request,
    who: Annotated[Principal, Depends(caller)],
    sha256: Annotated[str, Depends(content_hash)],
    session: Session,
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="Chosen by you: a repeat with it gets the first answer.")
    ] = None,
) -> None:
    """Let a request pass that is not a repeat. Raises Answered for one that is, or IdempotencyKeyReused."""
    if idempotency_key is None:
        return
    place = (who.client_id, hashlib.sha256(idempotency_key.encode()).hexdigest())
    session.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": f"repeat/{'/'.join(place)}"})
    session.execute(delete(Repeat).where(Repeat.client_id == who.client_id, Repeat.at < now() - KEPT_FOR))
    before = session.get(Repeat, place)
    if before is None:
        request.state.repeat = (*place, sha256)
        return
    if before.sha256 != sha256:
        message = "this Idempotency-Key came with another request before: use a new key"
        raise IdempotencyKeyReused(message, errors=[{"parameter": "Idempotency-Key", "message": message}])
    sealing: Sealing = request.app.state.sealing
    headers = {**before.headers, "Idempotency-Replayed": "true"}
    raise Answered(Response(sealing.open(before.sealed, of=sha256), before.status, headers=headers))


Once = Annotated[None, Depends(once)]


def answered(
    request: Request,
    session: OrmSession,
    told: BaseModel,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a POST, remembered in the transaction of the change if the request has a key."""
    answer = Response(told.model_dump_json(), status, headers=dict(headers or {}), media_type="application/json")
    repeat = getattr(request.state, "repeat", None)
    if repeat is not None:
        client, key, sha256 = repeat
        sealing: Sealing = request.app.state.sealing
        kept: dict[str, Any] = {name: value for name, value in answer.headers.items() if name != "content-length"}
        sealed = sealing.seal(bytes(answer.body), of=sha256)
        session.add(
            Repeat(client_id=client, key=key, sha256=sha256, status=status, headers=kept, sealed=sealed, at=now())
        )
    return answer


async def repeat_answer(_: Request, error: Exception) -> Response:
    """The first answer again."""
    assert isinstance(error, Answered)  # noqa: S101 - the handler is registered for this class
    return error.answer

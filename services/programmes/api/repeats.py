"""A POST that is sent again with its `Idempotency-Key` gets the answer it got the first time, and changes nothing."""

import hashlib
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from sqlalchemy.orm import Session as OrmSession

from services.programmes import commands, queries
from services.programmes.problems import IdempotencyKeyReused
from shared.db import Session, now
from shared.principal import Principal, Requires

_KEPT = ("etag", "location", "content-type", "cache-control")


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
    session: Session,
    caller: Annotated[Principal, Depends(Requires("programmes:write"))],
    sha256: Annotated[str, Depends(content_hash)],
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="Chosen by you: a repeat with it gets the first answer.")
    ] = None,
) -> None:
    """Let a request pass that is not a repeat. Raises Answered for one that is, or IdempotencyKeyReused."""
    if idempotency_key is None:
        return
    commands.take_turn(session, "idempotency-key", f"{caller.client_id}/{idempotency_key}")
    before = queries.repeats.answer(session, caller.client_id, idempotency_key)
    if before is None:
        request.state.repeat = (caller.client_id, idempotency_key, sha256)
        return
    if before.sha256 != sha256:
        message = f"the key was used on {before.at:%d %B %Y} for another request: choose a new one"
        raise IdempotencyKeyReused(message, errors=[{"parameter": "Idempotency-Key", "message": message}])
    headers = {**before.headers, "Idempotency-Replayed": "true"}
    raise Answered(Response(before.body, status_code=before.status, headers=headers))


Once = Depends(once)


def keep(request: Request, answer: Response, session: OrmSession) -> Response:
    """Remember the answer, in the transaction of the change, if the request has a key."""
    repeat = getattr(request.state, "repeat", None)
    if repeat is not None:
        client, key, sha256 = repeat
        headers = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        body = bytes(answer.body)
        commands.remember(
            session,
            client=client,
            key=key,
            sha256=sha256,
            status=answer.status_code,
            headers=headers,
            body=body,
            at=now(),
        )
    return answer


async def repeat_answer(_: Request, error: Exception) -> Response:
    """The first answer again."""
    assert isinstance(error, Answered)  # noqa: S101 - the handler is registered for this class
    return error.answer

"""A POST that is sent again with its `Idempotency-Key` gets the answer it got the first time, and changes nothing.

A repeat is the same request (where it goes and what it carries) of the same client with the same key. A service says
with `install` how it keeps its first answers; a route lets no repeat pass with `Once`, and keeps its answer with
`remember`, in the transaction of the change. A refusal is not kept: what was refused may be sent with its key again.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple, Protocol

from fastapi import Depends, FastAPI, Header, Request, Response
from sqlalchemy import delete, insert
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm import Session as OrmSession

from shared.db import Session, now, take_turn
from shared.principal import Principal, caller
from shared.problems import Problem

REPLAYED = {"Idempotency-Replayed": "true"}
IdempotencyKey = Annotated[
    str | None, Header(max_length=200, description="Chosen by you: a repeat with it gets the first answer.")
]


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key was used before for something else."""

    status, slug = 422, "idempotency-key-reused"


def reused() -> IdempotencyKeyReused:
    """The refusal of a request whose key came with another."""
    message = "this Idempotency-Key came with another request before: use a new key"
    return IdempotencyKeyReused(message, errors=[{"parameter": "Idempotency-Key", "message": message}])


class FirstAnswer:
    """A row that keeps what a request with a key was answered; `key` and `sha256` are hashes of key and request."""

    client: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes]
    at: Mapped[datetime]


class Sealing(Protocol):
    """Hides a body from who reads the database; `of` is the hash of the request, without which it does not open."""

    def seal(self, content: bytes, *, of: str) -> bytes:
        """The content, sealed."""

    def open(self, sealed: bytes, *, of: str) -> bytes:
        """What was sealed."""


class Keyed(NamedTuple):
    """A request with a key: whose, the hash of the key, and the hash of the request."""

    client: str
    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FirstAnswers:
    """How a service keeps them: in which table, sealed by what (None: as they are), how long (None: for good)."""

    table: type[FirstAnswer]
    sealing: Sealing | None = None
    kept_for: timedelta | None = None

    def find(self, session: OrmSession, asked: Keyed) -> Response | None:
        """What the request was answered before. Raises IdempotencyKeyReused if its key came with another."""
        if self.kept_for is not None:
            old = self.table.at < now() - self.kept_for
            session.execute(delete(self.table).where(self.table.client == asked.client, old))
        first = session.get(self.table, (asked.client, asked.key))
        if first is None:
            return None
        if first.sha256 != asked.sha256:
            raise reused()
        body = self.sealing.open(first.body, of=asked.sha256) if self.sealing else first.body
        return Response(body, first.status, headers=first.headers | REPLAYED)

    def keep(self, session: OrmSession, asked: Keyed, answer: Response) -> None:
        """Keep what the request was answered."""
        body = bytes(answer.body)
        row = asked._asdict() | {
            "status": answer.status_code,
            "headers": {name: value for name, value in answer.headers.items() if name != "content-length"},
            "body": self.sealing.seal(body, of=asked.sha256) if self.sealing else body,
            "at": now(),
        }
        session.execute(insert(self.table).values(row))


class Answered(Exception):
    """The request is a repeat; `answer` is what it got the first time."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


def install(app: FastAPI, answers: FirstAnswers) -> None:
    """Let the app keep its first answers like this, and give them again."""
    app.state.first_answers = answers
    app.add_exception_handler(Answered, _on_answered)


async def _on_answered(_: Request, error: Exception) -> Response:
    assert isinstance(error, Answered)  # noqa: S101 - the handler is registered for this class
    return error.answer


async def request_hash(request: Request) -> str:
    """The hash of everything that makes two requests the same: where they go and what they carry."""
    place = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(place.encode() + await request.body()).hexdigest()


def once(
    request: Request,
    who: Annotated[Principal, Depends(caller)],
    sha256: Annotated[str, Depends(request_hash)],
    session: Session,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Let a request pass that is not a repeat. Raises Answered for one that is, or IdempotencyKeyReused."""
    if idempotency_key is None:
        return
    asked = Keyed(who.client_id, hashlib.sha256(idempotency_key.encode()).hexdigest(), sha256)
    take_turn(session, f"repeat/{asked.client}/{asked.key}")
    answers: FirstAnswers = request.app.state.first_answers
    first = answers.find(session, asked)
    if first is not None:
        raise Answered(first)
    request.state.asked = asked


Once = Annotated[None, Depends(once)]


def remember(request: Request, session: OrmSession, answer: Response) -> Response:
    """The answer, kept in the transaction of the change if its request has a key."""
    asked: Keyed | None = getattr(request.state, "asked", None)
    if asked is not None:
        answers: FirstAnswers = request.app.state.first_answers
        answers.keep(session, asked, answer)
    return answer

"""Answers that are kept: a read asked again by somebody who may see as much is answered with the bytes of before.

An answer stands until its service's figures change. The database says so itself: tables that answers depend on tell a
channel of every change (`telling`, for migrations), a thread listens, and what was kept is let go. While nobody
listens nothing is kept. Callers share an answer only if they have the same audience, organisations and scopes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import psycopg
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.caching import names
from shared.db import Database
from shared.principal import HEADER, Verifier
from shared.problems import Unauthenticated

log = structlog.get_logger()
LARGEST = 1_000_000
_WAKE_SECONDS = 1.0
_AGAIN_SECONDS = 1.0


def telling(channel: str, tables: Sequence[str]) -> list[str]:
    """The statements, for a migration, that make these tables tell the channel of every change."""
    function = (
        f"create function tell_{channel}() returns trigger language plpgsql as "
        f"$$ begin perform pg_notify('{channel}', ''); return null; end $$"
    )
    return [
        function,
        *(
            f"create trigger tell_{channel} after insert or update or delete or truncate on {table} "
            f"for each statement execute function tell_{channel}()"
            for table in tables
        ),
    ]


class Edition:
    """How often what answers depend on has changed since this process began to listen; None while it does not."""

    def __init__(self, database: Database, channel: str) -> None:
        self.number: int | None = None
        self._database, self._channel = database, channel
        self._heard = 0
        self._stop = threading.Event()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen for the length of a block, in a thread."""
        thread = threading.Thread(target=self._run, name=f"listen-{self._channel}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(_WAKE_SECONDS * 5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (psycopg.Error, OSError) as error:
                log.warning("not listening", channel=self._channel, error=type(error).__name__)
            self.number = None
            self._stop.wait(_AGAIN_SECONDS)

    def _listen(self) -> None:
        with self._database.listener(self._channel) as connection:
            while not self._stop.is_set():
                self._heard += 1  # also at first: what happened before is not known
                self.number = self._heard
                while not self._stop.is_set() and not any(
                    True for _ in connection.notifies(timeout=_WAKE_SECONDS, stop_after=1)
                ):
                    pass


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was given, of which edition it is, and the bytes that it and its question take."""

    edition: int
    route: Any
    headers: list[tuple[bytes, bytes]]
    body: bytes
    size: int


class KeepAnswers:
    """ASGI middleware: keeps the whole answers (200, with an ETag) of GETs whose path begins in one of these ways.

    `megabytes` bounds what is kept, questions and answers; the least lately asked goes first. `today` is part of every
    question, because some answers depend on the day.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        paths: tuple[str, ...],
        edition: Edition,
        verifier: Verifier,
        today: Callable[[], date],
        megabytes: int,
    ) -> None:
        self.app, self._paths, self._edition, self._verifier, self._today = app, paths, edition, verifier, today
        self._room = megabytes * 1_000_000
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._size = 0
        self._changing = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        edition = self._edition.number
        key = self._key(scope) if edition is not None else None
        if key is None or edition is None:
            await self.app(scope, receive, send)
            return
        found = self._kept.get(key)
        if found is not None and found.edition == edition:
            self._kept.move_to_end(key)
            scope["route"] = found.route  # the log and the metrics name it
            await _again(found, scope, receive, send)
            return
        answer = _Recorder(send)
        await self.app(scope, receive, answer)
        if answer.body is not None:
            size = len(scope["path"]) + len(scope["query_string"]) + len(answer.body)
            self._keep(key, Kept(edition, scope.get("route"), answer.headers, answer.body, size))

    def _key(self, scope: Scope) -> Hashable | None:
        """What makes two questions the same; None for what is not kept."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(self._paths):
            return None
        headers = Request(scope).headers
        try:
            who = self._verifier.verify(headers.get(HEADER, ""))
        except Unauthenticated:
            return None
        anybody = replace(who, client_id="")
        return scope["path"], scope["query_string"], headers.get("accept"), anybody, self._today()

    def _keep(self, key: Hashable, one: Kept) -> None:
        with self._changing:
            before = self._kept.pop(key, None)
            self._size += one.size - (before.size if before else 0)
            self._kept[key] = one
            while self._size > self._room:
                _, gone = self._kept.popitem(last=False)
                self._size -= gone.size


async def _again(kept: Kept, scope: Scope, receive: Receive, send: Send) -> None:
    headers = dict(kept.headers)
    has = names(Request(scope).headers.get("if-none-match"), headers[b"etag"].decode())
    answer = Response(b"" if has else kept.body, status_code=304 if has else 200)
    if has:
        answer.raw_headers = [pair for pair in kept.headers if pair[0] not in (b"content-length", b"content-type")]
    else:
        answer.raw_headers = list(kept.headers)
    await answer(scope, receive, send)


class _Recorder:
    """Passes an answer on, and has it afterwards: `body` is None unless it is one to be kept."""

    def __init__(self, send: Send) -> None:
        self.body: bytes | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self._send, self._parts, self._wanted = send, bytearray(), False

    async def __call__(self, message: Message) -> None:
        with suppress(KeyError):
            self._note(message)
        await self._send(message)

    def _note(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.headers = [(bytes(name), bytes(value)) for name, value in message["headers"]]
            told: dict[bytes, Any] = dict(self.headers)
            length = int(told.get(b"content-length", LARGEST + 1))
            self._wanted = message["status"] == 200 and b"etag" in told and length <= LARGEST
        elif self._wanted:
            self._parts += message.get("body", b"")
            if not message.get("more_body", False):
                self.body = bytes(self._parts)

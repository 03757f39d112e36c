"""One stream: a caller's connection, held open, on which it is told what it may know as it happens.

A stream has a place in the log and nothing else: no queue, no thread, no session of the database. One that is read too
slowly falls behind in the log, not in memory, and is broken off when it takes nothing for a minute (`Doorway`).
"""

import asyncio
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.live import sight
from gateway.live.hub import Hub
from gateway.live.kinds import RESET
from gateway.live.noted import Noted, frame
from gateway.live.sight import Wanted
from gateway.visitors import Visitor
from shared.db import now

HEARTBEAT = 15.0  # seconds
PART_BYTES = 32_768
RETRY_MS = (500, 2500)  # after which a client comes back; each its own, so that they do not all come at once
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
log = structlog.get_logger()


class EventStream(Response):
    """The answer that goes on. `last_event_id` is where the caller left off; None begins with the present."""

    def __init__(
        self,
        hub: Hub,
        visitor: Visitor,
        wanted: Wanted,
        *,
        last_event_id: str | None,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        super().__init__()
        self.client_id, self.generation = visitor.principal.client_id, visitor.generation
        self.expires = min(visitor.expires, visitor.read_again)  # whoever comes back is looked at anew
        self._hub, self._principal, self._wanted = hub, visitor.principal, wanted
        self._last_event_id, self._heartbeat = last_event_id, heartbeat
        self._position, self._beat_at = 0, 0.0
        self._clock = asyncio.get_running_loop().time
        self._over = False
        self._stirred = asyncio.Event()

    def wake(self) -> None:
        """There is something new in the log."""
        self._stirred.set()

    def end(self) -> None:
        """Say no more: the client was revoked, its token has ended, it has hung up, or the gateway stops."""
        self._over = True
        self._stirred.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell, until the end. What is sent to a connection that is gone goes nowhere, until `listener` hears of it."""
        self._hub.join(self)
        listener = asyncio.create_task(self._until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            await self._tell_while_possible(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._hub.leave(self)
            listener.cancel()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end()

    async def _tell_while_possible(self, send: Send) -> None:
        """Until the end, or until the log cannot be read: the client comes back, and misses nothing."""
        try:
            await self._tell(send)
        except SQLAlchemyError as error:
            log.warning("a stream ends, the live log cannot be read", error=type(error).__name__)

    async def _tell(self, send: Send) -> None:
        await self._put(send, b"retry: %d\n\n" % random.randint(*RETRY_MS))  # noqa: S311 - it only spreads a crowd
        await self._put(send, await self._begin())
        while not self._over:
            self._stirred.clear()
            await self._tell_news(send)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._beat_at):
                    await self._stirred.wait()
            if self._clock() >= self._beat_at:  # also where much is new of which this caller may be told nothing
                await self._put(send, self._place())

    async def _begin(self) -> bytes:
        """Find the place to begin; what is said first is that place, or that something was missed."""
        if self._last_event_id is None:
            self._position = self._hub.bounds.newest
            return self._place()
        with suppress(ValueError):
            self._position = _number(self._last_event_id)
            if self._position > self._hub.bounds.newest:
                await self._hub.try_to_turn()  # another replica may have read further than this one
            if self._hub.bounds.holds(self._position):
                return b": resumed\n\n"
        return self._reset()

    async def _tell_news(self, send: Send) -> None:
        while not self._over and self._position < self._hub.bounds.newest:
            page = await self._hub.since(self._position)
            if self._position < self._hub.bounds.forgotten:  # perhaps while the page was read
                await self._put(send, self._reset())
                continue
            for part in _parts(self._visible(page)):
                await self._put(send, part)
            self._position = page[-1].position if page else self._hub.bounds.newest

    def _visible(self, page: Sequence[Noted]) -> Iterator[bytes]:
        places, today = self._hub.places, now().date()
        for one in page:
            seen = sight.view(one, self._principal, self._wanted, places, today)
            if seen.visible:
                yield one.frame(inside=seen.inside)

    def _reset(self) -> bytes:
        """Go on from the present, and say that what was in between is not known."""
        bounds = self._hub.bounds
        self._position = bounds.newest
        return frame(RESET, bounds.newest, {"missed": True, "kept_after": bounds.forgotten, "newest": bounds.newest})

    def _place(self) -> bytes:
        """A heartbeat: a comment, and how far the log was read, so that a quiet client's place does not grow old."""
        return b": %d\nid: %d\n\n" % (self._position, self._position)

    async def _put(self, send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        self._beat_at = self._clock() + self._heartbeat


def _parts(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The frames, some together: one write for what is small, and no more than that waiting for a slow reader."""
    part, size = [], 0
    for one in frames:
        part.append(one)
        size += len(one)
        if size >= PART_BYTES:
            yield b"".join(part)
            part, size = [], 0
    if part:
        yield b"".join(part)


def _number(text: str) -> int:
    """A position, as the caller was given it. Raises ValueError for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("not a position")
    return int(text)

"""The live log in one gateway process: read once for all streams, which each keep only their place in it.

Five times a second the hub reads what is new, wakes the streams, and ends those whose client is no longer let in. It
remembers the newest events; what is older and still kept is read from the database, a page at a time.
"""

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.live import log as live_log
from gateway.live.log import Bounds
from gateway.live.models import LiveEvent, LiveState
from gateway.live.noted import Noted
from gateway.live.places import NOWHERE, Places, known
from gateway.problems import AccessUncertain
from shared.db import Database

REMEMBERED = 4096  # events; twice as many for a moment
PAGE = 500
READERS = 2  # how many streams may read the database at once
log = structlog.get_logger()


class Stream(Protocol):
    """What the hub knows of a stream: whose it is, until when, and how to stir or end it."""

    client_id: str
    generation: int
    expires: float

    def wake(self) -> None:
        """There is something new."""

    def end(self) -> None:
        """Say no more."""


class _Fresh(NamedTuple):
    """What one reading of the database found."""

    places: Places
    forgotten: int
    events: list[Noted]


class Hub:
    """Belongs to one event loop. `admits(client_id, generation)` tells whether a client is still let in."""

    def __init__(
        self,
        database: Database,
        admits: Callable[[str, int], bool],
        *,
        remembered: int = REMEMBERED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._admits, self._remembered, self._clock = database, admits, remembered, clock
        self.places, self.ready, self.closing = NOWHERE, False, False
        self._streams: set[Stream] = set()
        self._of_each: Counter[str] = Counter()
        self._events: list[Noted] = []
        self._positions: list[int] = []
        self._floor = self._forgotten = self._newest = 0
        self._turning: asyncio.Task[None] | None = None
        self._readers = asyncio.Semaphore(READERS)

    @property
    def bounds(self) -> Bounds:
        """How far back the log reaches, and how far this process has read it."""
        return Bounds(self._forgotten, self._newest)

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    def of(self, client_id: str) -> int:
        """How many of them are this client's."""
        return self._of_each[client_id]

    def join(self, stream: Stream) -> None:
        """A stream has opened."""
        self._streams.add(stream)
        self._of_each[stream.client_id] += 1

    def leave(self, stream: Stream) -> None:
        """A stream is over."""
        self._streams.remove(stream)
        self._of_each[stream.client_id] -= 1
        self._of_each += Counter()  # forgets the clients that have none

    def close(self) -> None:
        """End every stream; its client comes back, to another replica or to the next process."""
        self.closing = True
        for stream in list(self._streams):
            stream.end()

    async def since(self, position: int) -> Sequence[Noted]:
        """The events after a position, oldest first: all that are remembered, or a page of the older ones."""
        if position >= self._floor:
            return self._events[bisect_right(self._positions, position) :]
        async with self._readers:
            return await asyncio.to_thread(self._page, position)

    async def turn(self) -> None:
        """Read what is new. Who asks during a reading waits for the one after it, which sees all that was there."""
        if self._turning is not None:
            await asyncio.wait([self._turning])
        if self._turning is None or self._turning.done():
            self._turning = asyncio.create_task(self._turn())
        await asyncio.shield(self._turning)

    async def try_to_turn(self) -> None:
        """Read what is new, if that can be done now, and end the streams that are to end."""
        try:
            await self.turn()
        except Exception as error:
            log.warning("the live log cannot be read", error=type(error).__name__)
        self._end_some()

    async def _turn(self) -> None:
        while True:
            fresh = await asyncio.to_thread(self._read)
            self._take(fresh)
            if len(fresh.events) < PAGE:
                return

    def _read(self) -> _Fresh:
        with self._database.session() as session:
            places = known(session, self.places)
            forgotten = session.scalars(select(LiveState.forgotten)).one()
            return _Fresh(places, forgotten, [Noted(row) for row in self._fresh(session)])

    def _fresh(self, session: Session) -> Sequence[LiveEvent]:
        if self.ready:
            return live_log.after(session, self._newest, limit=PAGE)
        return live_log.last(session, PAGE - 1)  # fewer than a page: the first reading is over with it

    def _page(self, position: int) -> Sequence[Noted]:
        with self._database.session() as session:
            page = [Noted(row) for row in live_log.after(session, position, limit=PAGE)]
            self._forgotten = live_log.bounds(session).forgotten  # known before the page is used: it may lack some
            return page

    def _take(self, fresh: _Fresh) -> None:
        self.places, self._forgotten = fresh.places, max(self._forgotten, fresh.forgotten)
        if not self.ready:
            self.ready = True
            self._newest = fresh.forgotten
            self._floor = fresh.events[0].position - 1 if len(fresh.events) == PAGE - 1 else fresh.forgotten
        if not fresh.events:
            return
        self._events += fresh.events
        self._positions += [one.position for one in fresh.events]
        self._newest = self._positions[-1]
        if len(self._events) > 2 * self._remembered:
            self._floor = self._positions[-self._remembered - 1]
            self._events, self._positions = self._events[-self._remembered :], self._positions[-self._remembered :]
        for stream in self._streams:
            stream.wake()

    def _end_some(self) -> None:
        now = self._clock()
        for stream in list(self._streams):
            if stream.expires <= now or not self._lets_in(stream):
                stream.end()

    def _lets_in(self, stream: Stream) -> bool:
        try:
            return self._admits(stream.client_id, stream.generation)
        except AccessUncertain:  # nobody is let in until the clients can be read
            return False

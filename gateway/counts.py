"""How often something happened in a window of a minute that begins with the first time.

Counted in the Redis or Valkey that the replicas share, or in this process. While the shared one is away each replica
counts for itself: a limit keeps one caller from crowding out the others, and nobody is refused for want of it.
"""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog

from gateway.breaker import Breaker

WINDOW = 60
MOST = 50_000  # callers remembered
log = structlog.get_logger()
Clock = Callable[[], float]


class Counted(NamedTuple):
    """How much there is in the window now, and the seconds until it ends."""

    total: int
    left: float


class CountsAway(Exception):
    """It cannot be counted there just now, and why."""


class Counts(Protocol):
    """Somewhere to count."""

    async def add(self, key: str, amount: int) -> Counted:
        """Add to what is counted under this key; an `amount` of 0 only looks."""


class OwnCounts:
    """Counts of this process. What has ended is forgotten once a minute; above `most` the older half is."""

    def __init__(self, *, most: int = MOST, clock: Clock = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._windows: dict[str, tuple[int, float]] = {}
        self._tidy_at = clock() + WINDOW

    async def add(self, key: str, amount: int) -> Counted:
        now = self._clock()
        total, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            if not amount:  # whoever only looks leaves nothing behind
                return Counted(0, WINDOW)
            self._make_room(now)
            total, ends = 0, now + WINDOW
        self._windows[key] = (total + amount, ends)
        return Counted(total + amount, ends - now)

    def _make_room(self, now: float) -> None:
        if now < self._tidy_at and len(self._windows) < self._most:
            return
        live = [(key, window) for key, window in self._windows.items() if window[1] > now]
        self._windows = dict(live[len(live) // 2 :] if len(live) >= self._most else live)
        self._tidy_at = now + WINDOW


class CountsWhileTheyCan:
    """Shared counts, and our own while those are away."""

    def __init__(self, shared: Counts, own: Counts, *, clock: Clock = time.monotonic) -> None:
        self._shared, self._own, self._clock = shared, own, clock
        self._breaker = Breaker(failures=1, pause=1.0, longest=8.0)

    async def add(self, key: str, amount: int) -> Counted:
        if self._breaker.may_ask(self._clock()):
            try:
                counted = await self._shared.add(key, amount)
            except CountsAway as error:
                self._breaker.failed(self._clock())
                log.warning("shared counts are away; this replica counts for itself", error=str(error))
            else:
                self._breaker.succeeded()
                return counted
        return await self._own.add(key, amount)

"""How often something happened in a window of a minute that begins with the first time.

Counted in the Redis or Valkey that the replicas share, or in this process. While the shared one is away each replica
counts for itself: a limit keeps one caller from crowding out the others, and nobody is refused for want of it.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import structlog
from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio import ConnectionPool

from gateway.breaker import Breaker

WINDOW = 60
MOST = 50_000  # callers remembered
PATIENCE = 0.25  # seconds for a word with the shared counts
ROUNDING = 0.5  # seconds by which what Redis says of a window's end may be short
log = structlog.get_logger()
Clock = Callable[[], float]


class Counted(NamedTuple):
    """How much there is in the window now, and the seconds until it ends."""

    total: int
    left: float


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


class SharedCounts:
    """Counts in Redis or Valkey: `redis://host:6379`, `rediss://...`. One word with it for each count, usually."""

    def __init__(self, url: str, *, clock: Clock = time.monotonic) -> None:
        self._pool = ConnectionPool.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        pool: dict[str, Any] = {"connection_pool": self._pool}
        self._storage = RedisStorage(
            "async+redis://", wrap_exceptions=True, implementation="redispy", key_prefix="psip", **pool
        )
        self._clock = clock
        self._ends: dict[str, float] = {}

    async def add(self, key: str, amount: int) -> Counted:
        """Raises StorageError where it is away."""
        total = await (self._storage.incr(key, WINDOW, amount) if amount else self._storage.get(key))
        if not total:
            return Counted(0, WINDOW)
        now = self._clock()
        ends = self._ends.get(key, 0.0)
        if ends <= now or total == amount:  # another window than the one we know
            ends = self._ends[key] = now + await self._storage.get_expiry(key) - time.time() + ROUNDING
            if len(self._ends) > MOST:
                self._ends.clear()
        return Counted(total, ends - now)

    async def close(self) -> None:
        """Give the connections back."""
        await self._pool.aclose()


class CountsWhileTheyCan:
    """Shared counts, and our own while those are away."""

    def __init__(self, shared: Counts, own: Counts, *, clock: Clock = time.monotonic) -> None:
        self._shared, self._own, self._clock = shared, own, clock
        self._breaker = Breaker(failures=1, pause=1.0, longest=8.0)

    async def add(self, key: str, amount: int) -> Counted:
        if self._breaker.may_ask(self._clock()):
            try:
                counted = await self._shared.add(key, amount)
            except (StorageError, OSError) as error:
                self._breaker.failed(self._clock())
                log.warning("shared counts are away; this replica counts for itself", error=type(error).__name__)
            else:
                self._breaker.succeeded()
                return counted
        return await self._own.add(key, amount)

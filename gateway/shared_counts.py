"""Counts in Redis or Valkey. Imported only where one is configured: the clients of Redis take their memory."""

import time
from typing import Any

from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio import ConnectionPool

from gateway.counts import MOST, WINDOW, Clock, Counted, CountsAway

PATIENCE = 0.25  # seconds for a word with it
ROUNDING = 0.5  # seconds by which what it says of a window's end may be short


class SharedCounts:
    """Counts at `redis://host:6379`, `rediss://...`. One word with it for each count, usually."""

    def __init__(self, url: str, *, clock: Clock = time.monotonic) -> None:
        self._pool = ConnectionPool.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        pool: dict[str, Any] = {"connection_pool": self._pool}
        self._storage = RedisStorage(
            "async+redis://", wrap_exceptions=True, implementation="redispy", key_prefix="psip", **pool
        )
        self._clock = clock
        self._ends: dict[str, float] = {}

    async def add(self, key: str, amount: int) -> Counted:
        """Raises CountsAway."""
        try:
            return await self._add(key, amount)
        except (StorageError, OSError) as error:
            raise CountsAway(type(error.__cause__ or error).__name__) from error

    async def _add(self, key: str, amount: int) -> Counted:
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

"""Large bodies take turns, so that a huge file does not hold up small ones; nothing is taken when the disk is full."""

import asyncio
import math
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.ingest.problems import NoRoom, TooBusy

_FIRST_GUESS = 20.0
_ROOM_RETRY = 60


class Turns:
    """Lets so many large bodies be dealt with at once and so many wait; a small one never waits."""

    def __init__(self, *, large: int, at_once: int, most_waiting: int) -> None:
        self._large, self._at_once, self._most_waiting = large, at_once, most_waiting
        self._free = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._usual_seconds = _FIRST_GUESS

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Hold a turn for a body of this size. Raises TooBusy, which says when one is likely to be free."""
        if size <= self._large:
            yield
            return
        if self._waiting >= self._most_waiting and self._free.locked():
            seconds = math.ceil(self._usual_seconds * (self._waiting + 1) / self._at_once)
            raise TooBusy(f"many large files came at once: try again in {seconds} seconds", headers=_after(seconds))
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        began = time.monotonic()
        try:
            yield
        finally:
            self._free.release()
            self._usual_seconds = (self._usual_seconds + time.monotonic() - began) / 2


def demand_room(volumes: Sequence[Path], *, spare: int, coming: int) -> None:
    """Refuse what would leave less than `spare` bytes free on a volume. Raises NoRoom."""
    for volume in (Path(tempfile.gettempdir()), *volumes):
        if shutil.disk_usage(volume).free - coming < spare:
            raise NoRoom("there is no room for it just now: nothing was stored", headers=_after(_ROOM_RETRY))


def _after(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}

"""Who is in, this moment: the live clients and the generation of their tokens, read again twice a second.

That is what makes a revocation felt everywhere within a second without a look at the database for every request. When
the database cannot be read for `trusted_seconds`, nobody is let in: the roster might be hiding a revocation.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from gateway.access.queries import generations
from gateway.problems import AccessUncertain
from shared.db import Database

OUTSIDE = -1
"""The generation of those who come with a token of an outside issuer, which is good until it ends."""
log = structlog.get_logger()


class Roster:
    """The live clients of one gateway process."""

    def __init__(
        self,
        database: Database,
        *,
        trusted_seconds: float = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._trusted, self._clock = database, trusted_seconds, clock
        self._generations: Mapping[str, int] = {}
        self._read_at: float | None = None
        self._reading: asyncio.Task[None] | None = None

    def admits(self, client_id: str, generation: int) -> bool:
        """Whether the client is live and its tokens of this generation are good. Raises AccessUncertain."""
        if not self.current():
            raise AccessUncertain(headers={"Retry-After": "5"})
        return generation == OUTSIDE or self._generations.get(client_id) == generation

    def current(self) -> bool:
        """Whether the roster is fresh enough to be trusted."""
        return self._read_at is not None and self._clock() - self._read_at < self._trusted

    def read(self) -> None:
        """Read the clients from the database."""
        began = self._clock()
        with self._database.session() as session:
            self._generations = generations(session)
        self._read_at = began

    async def refresh(self) -> None:
        """Have the clients read now. Who asks while they are being read waits for the reading after that one."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self.read))
        await asyncio.shield(self._reading)

    async def try_to_refresh(self) -> None:
        """Have the clients read now, if that can be done; `current` tells when it has failed for too long."""
        try:
            await self.refresh()
        except Exception as error:
            log.warning("the clients cannot be read", error=type(error).__name__)

"""One service as the gateway sees it: its connections, and whether to ask it at all.

A service that failed five times in a row is left alone for a second, then tried by one request; while it fails, for up
to eight. Whoever comes meanwhile is told so at once, instead of waiting with a connection in hand. An answer of any
status is an answer; a caller who hangs up, or sends what cannot be taken, is no failure of the service.
"""

import time
from collections.abc import AsyncIterable, Callable

import structlog

from gateway.breaker import Breaker
from gateway.pool import Origin, Patience, Pool
from gateway.wire import Answer, Broken, CannotConnect, ConnectTooSlow, TooSlow, UpstreamError
from shared.problems import Problem

FAILURES = (CannotConnect, ConnectTooSlow, Broken, TooSlow)
log = structlog.get_logger()


class ClientGone(Exception):
    """Whoever asked has hung up."""


class LeftAlone(UpstreamError):
    """The service has failed again and again and is not asked just now; nothing was sent. `seconds` until it is."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"not asked for another {seconds} s")
        self.seconds = seconds


class Service:
    """A service. Belongs to the event loop it is first used in.

    `headers` are header lines that the proxy puts into every request to it.
    """

    def __init__(
        self, name: str, origin: Origin, *, headers: bytes = b"", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.pool, self.headers = name, Pool(origin), headers
        self.breaker, self._clock = Breaker(), clock

    @property
    def left_alone(self) -> bool:
        """Whether its circuit is not closed."""
        return self.breaker.state(self._clock()) != "closed"

    async def send(
        self,
        head: bytes,
        body: bytes | AsyncIterable[bytes] = b"",
        *,
        chunked: bool = False,
        repeatable: bool = False,
        patience: Patience,
    ) -> Answer:
        """Send a request and wait for the head of its answer, which the caller must `close()`.

        `repeatable` as in `Pool.send`. Raises an UpstreamError: LeftAlone where it is not asked.
        """
        now = self._clock()
        if not self.breaker.may_ask(now):
            raise LeftAlone(self.breaker.wait(now))
        try:
            answer = await self.pool.send(head, body, chunked=chunked, repeatable=repeatable, patience=patience)
        except FAILURES as error:
            if not isinstance(error.__cause__, ClientGone | Problem):
                self.failed(error)
            raise
        if self.left_alone:
            log.warning("a service answers again", service=self.name)
        self.breaker.succeeded()
        return answer

    def failed(self, error: Exception) -> None:
        """It did not answer, or broke off in the middle."""
        asked = not self.left_alone
        self.breaker.failed(self._clock())
        if asked and self.left_alone:
            log.error("a service is left alone", service=self.name, error=type(error).__name__)

"""Live updates: what the platform tells as it happens, gone on with by itself when a connection ends."""

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from psip.problems import LATER, LONGEST_PAUSE, UNCERTAIN, PsipProblem

RESET = "reset"
"""The name of the event that says that something was missed: read afresh what you hold."""
USUAL_RETRY = 1.0
QUIET_SECONDS = 45.0
"""A connection on which nothing came for so long is dead: a heartbeat comes every fifteen seconds."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something that happened: `name` is `submission.completed`, `cells.changed`, `signal.detected` or `reset`.

    `data` names what to read again; it holds no figures. `id` is where to go on after it: `client.stream(after=id)`.
    """

    id: str
    name: str
    data: dict[str, Any]


Open = Callable[[str | None], AbstractContextManager[httpx.Response]]
"""Opens a connection that goes on after a place. Raises PsipProblem or httpx.TransportError."""


class LiveStream:
    """An endless iterator of `LiveEvent`. `place` is how far it has come, quiet stretches included.

    It reconnects whenever a connection ends, and misses nothing: what came in between is told first. When that is no
    longer kept it tells an event named `reset`. Raises what the last attempt raised after `attempts` in a row failed.
    """

    def __init__(self, open_at: Open, *, after: str | None, attempts: int, sleep: Callable[[float], None]) -> None:
        self.place = after
        self._open, self._attempts, self._sleep = open_at, attempts, sleep
        self._retry = USUAL_RETRY
        self._failures = 0
        self._events = self._tell()

    def __iter__(self) -> Iterator[LiveEvent]:
        return self

    def __next__(self) -> LiveEvent:
        return next(self._events)

    def close(self) -> None:
        """End the connection."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self) -> Generator[LiveEvent, None, None]:
        while True:
            pause = None
            try:
                with self._open(self.place) as response:
                    yield from self._read(response)
            except (httpx.TransportError, PsipProblem) as error:
                self._failures += 1
                refused = isinstance(error, PsipProblem) and error.status not in LATER | UNCERTAIN
                if refused or self._failures >= self._attempts:
                    raise
                pause = error.retry_after if isinstance(error, PsipProblem) else None
            self._sleep(min(pause or self._retry * min(2.0**self._failures, 30.0), LONGEST_PAUSE))

    def _read(self, response: httpx.Response) -> Iterator[LiveEvent]:
        for block in blocks(response.iter_bytes()):
            self._failures = 0
            if block.get("retry", "").isdigit():
                self._retry = int(block["retry"]) / 1000
            self.place = block.get("id", self.place)
            if "data" in block:
                yield LiveEvent(self.place or "", block.get("event", "message"), json.loads(block["data"]))


def blocks(parts: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The blocks of a stream of server-sent events, field by field (WHATWG HTML, 9.2); comments are left out."""
    block: dict[str, str] = {}
    for line in _lines(parts):
        if not line:
            yield block
            block = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            block[name] = f"{block[name]}\n{value}" if name == "data" and name in block else value


def _lines(parts: Iterable[bytes]) -> Iterator[str]:
    """Whole lines; what is left without an end when the connection ends is dropped, as the standard says."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        yield from (line.removesuffix(b"\r").decode() for line in whole)

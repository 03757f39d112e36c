"""A worker: one loop over steps. Production calls `run`, tests call `step` until nothing moves."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from shared.messaging.consumer import Consumer
from shared.messaging.outbox import Relay, waiting
from shared.telemetry import said

log = structlog.get_logger()
HOUR_SECONDS = 3600.0
_SLOWER, _SLOWEST = 1.1, 4.0  # times as long after each look that found nothing, and at most


@dataclass
class Worker:
    """Everything a service does without being asked over HTTP: relay its outbox, apply what others published, chores.

    `endings` are done when it closes. With nothing to do it looks again after `idle_seconds`, little by little less
    often while there is nothing, down to a quarter. `run` works for no more than that `share` of the time: after a long
    step it rests, and what waits meanwhile is done together.
    """

    service: str
    relay: Relay | None = None
    consumer: Consumer | None = None
    chores: Sequence[Callable[[], int]] = ()
    endings: Sequence[Callable[[], None]] = ()
    heartbeat: Path | None = None
    idle_seconds: float = 0.05
    share: float = 1.0
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    def step(self, *, seconds: float = 0.0) -> int:
        """Do what can be done now, waiting up to `seconds` for messages; how many things moved."""
        moved = self._relayed()
        if self.consumer is not None:
            moved += self.consumer.step(seconds=0.0 if moved else seconds)
        for chore in self.chores:
            moved += chore()
        if moved:
            moved += self._relayed()
        return moved

    def _relayed(self) -> int:
        return 0 if self.relay is None else self.relay.step()

    def settled(self) -> bool:
        """Whether nothing waits: the outbox is empty and every message has been applied."""
        if self.relay is not None and waiting(self.relay.database):
            return False
        return self.consumer is None or self.consumer.subscription.lag() == 0

    def run(self) -> None:
        """Step until `stop`. A failure is logged and tried again after a pause that grows to ten seconds."""
        pause, idle = 0.1, self.idle_seconds
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                moved = self.step(seconds=idle)
            except Exception as error:
                log.warning("worker step failed", service=self.service, error=said(error))
                self._stop.wait(pause)
                pause = min(pause * 2, 10.0)
                continue
            pause, idle = 0.1, self.idle_seconds if moved else min(idle * _SLOWER, self.idle_seconds * _SLOWEST)
            if self.heartbeat is not None:
                self.heartbeat.touch()
            if not moved and self.consumer is None:
                self._stop.wait(idle)
            elif self.share < 1.0:
                self._stop.wait((time.monotonic() - began) * (1.0 / self.share - 1.0))

    def stop(self) -> None:
        """Ask `run` to end after the step under way."""
        self._stop.set()

    def close(self) -> None:
        """End what the chores began, leave the group and give the database's connections back."""
        for end in self.endings:
            end()
        if self.consumer is not None:
            self.consumer.subscription.close()
            self.consumer.database.close()
        if self.relay is not None:
            self.relay.database.close()


def hourly(work: Callable[[], None], *, clock: Callable[[], float] = time.monotonic) -> Callable[[], int]:
    """A chore that does the work at once and then every hour; it moves no messages."""
    due = clock()

    def chore() -> int:
        nonlocal due
        if clock() >= due:
            due = clock() + HOUR_SECONDS
            work()
        return 0

    return chore

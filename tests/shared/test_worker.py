"""The worker: one loop that goes on whatever happens, and says that it is alive only while it makes progress."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from shared.contracts.measures import CellsChanged, SignalDetected
from shared.db import Database
from shared.messaging.bus import BusUnavailable
from shared.messaging.consumer import Consumer
from shared.messaging.local import LocalBus
from shared.messaging.outbox import Relay, publish, waiting
from shared.messaging.worker import Worker, hourly
from tests.shared.builders import a_signal, changed_cells, some_signals

TOPICS = [SignalDetected.TOPIC.name, CellsChanged.TOPIC.name]


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def worker(database: Database, local_bus: LocalBus, heard: list[str], tmp_path: Path) -> Iterator[Worker]:
    """A service that listens to itself: each signal that is heard makes cells change, of which it takes note."""

    def answer(session: Session, events: Sequence[SignalDetected]) -> None:
        publish(session, [changed_cells(one.organisation) for one in events], source="tests")

    def note(session: Session, events: Sequence[CellsChanged]) -> None:
        heard.extend(one.organisation for one in events)

    handlers = {SignalDetected: answer, CellsChanged: note}
    consumer = Consumer("tests", database, local_bus.subscribe("tests", TOPICS), handlers)
    one = Worker("tests", Relay(database, local_bus), consumer, heartbeat=tmp_path / "heartbeat")
    yield one
    one.close()


def tell(worker: Worker, *organisations: str) -> None:
    with worker.relay.database.session() as session:
        publish(session, [a_signal(organisation=one) for one in organisations], source="tests")


def test_it_is_settled_when_stepping_moves_nothing_more(worker: Worker, heard: list[str]) -> None:
    tell(worker, "RGT", "RGN")
    assert not worker.settled()

    while worker.step():
        pass

    assert worker.settled()
    assert heard == ["RGT", "RGN"]


def test_it_is_not_settled_while_a_message_is_on_the_bus(worker: Worker) -> None:
    tell(worker, "RGT")
    worker.relay.step()

    assert waiting(worker.relay.database) == 0
    assert not worker.settled()


def test_a_worker_that_listens_to_nothing_relays(database: Database, local_bus: LocalBus) -> None:
    worker = Worker("tests", Relay(database, local_bus))
    with database.session() as session:
        publish(session, some_signals(3), source="tests")

    assert worker.step() == 3
    assert worker.settled()
    worker.close()


def test_what_a_chore_tells_is_sent_in_the_same_step(worker: Worker) -> None:
    chores = iter([1, 0])

    def chore() -> int:
        if moved := next(chores):
            tell(worker, "RGT")
        return moved

    worker.chores = [chore]

    assert worker.step() == 2
    assert waiting(worker.relay.database) == 0


class Stumbling:
    """A chore that fails `times` times, then ends the loop; it looks at the heartbeat each time."""

    def __init__(self, worker: Worker, *, times: int, error: Exception) -> None:
        self.worker, self.left, self.error = worker, times, error
        self.alive: list[bool] = []

    def __call__(self) -> int:
        assert self.worker.heartbeat is not None
        self.alive.append(self.worker.heartbeat.exists())
        if self.left:
            self.left -= 1
            raise self.error
        if len(self.alive) > 3:
            self.worker.stop()
        return 0


def test_a_failure_is_logged_and_the_loop_goes_on(
    worker: Worker, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float | None] = []
    monkeypatch.setattr(worker._stop, "wait", pauses.append)
    worker.idle_seconds = 0
    worker.chores = [Stumbling(worker, times=9, error=BusUnavailable("no broker\nat 10.0.0.1"))]
    tell(worker, "RGT")

    with capture_logs() as lines:
        worker.run()

    failures = [line for line in lines if line["event"] == "worker step failed"]
    assert len(failures) == 9
    assert failures[0]["service"] == "tests"
    assert failures[0]["error"] == "BusUnavailable: no broker"
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert heard == ["RGT"]


def test_it_looks_less_often_while_there_is_nothing_and_at_once_again_after_something(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = [0] * 40 + [1, 0]
    asked: list[float] = []

    def step(*, seconds: float) -> int:
        asked.append(seconds)
        if len(asked) == len(moved):
            worker.stop()
        return moved[len(asked) - 1]

    monkeypatch.setattr(worker, "step", step)
    worker.run()

    assert asked[:40] == sorted(asked[:40])
    assert (asked[0], asked[1] > asked[0]) == (worker.idle_seconds, True)
    assert asked[40] == 4 * worker.idle_seconds
    assert asked[41] == worker.idle_seconds


def test_the_heart_beats_only_when_a_step_ended_well(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker._stop, "wait", lambda _: None)
    chore = Stumbling(worker, times=2, error=psycopg.OperationalError("away"))
    worker.chores = [chore]

    worker.run()

    assert chore.alive == [False, False, False, True]


def test_a_worker_asked_to_stop_before_it_runs_does_not_step(worker: Worker) -> None:
    tell(worker, "RGT")
    worker.stop()

    worker.run()

    assert waiting(worker.relay.database) == 1


def test_a_worker_that_is_given_a_share_of_the_time_rests_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0])
    monkeypatch.setattr("shared.messaging.worker.time", SimpleNamespace(monotonic=lambda: next(clock)))
    judge, rested = Worker("judge", share=0.2), []
    monkeypatch.setattr(judge, "chores", [lambda: 1])
    monkeypatch.setattr(judge._stop, "wait", lambda seconds: (rested.append(seconds), judge.stop()))

    judge.run()

    assert rested == [8.0]


def test_an_hourly_chore_is_done_at_once_and_then_every_hour() -> None:
    times = iter([0.0, 0.0, 0.0, 3599.0, 3600.0, 3600.0])
    done: list[str] = []
    chore = hourly(lambda: done.append("done"), clock=lambda: next(times))

    assert [chore(), chore(), chore()] == [0, 0, 0]
    assert done == ["done", "done"]


def test_events_applied_long_ago_are_forgotten(worker: Worker, heard: list[str]) -> None:
    tell(worker, "RGT")
    while worker.step():
        pass
    assert worker.consumer is not None
    with worker.relay.database.session() as session:
        session.execute(text("update inbox set applied_at = applied_at - interval '40 days'"))

    worker.consumer.forget_old()

    with worker.relay.database.session() as session:
        assert session.execute(text("select count(*) from inbox")).scalar_one() == 0

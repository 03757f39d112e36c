"""The consumer: each event has its effect once; what cannot be applied is set aside and holds nothing up."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session as OrmSession

from shared.contracts.measures import CellsChanged, SignalDetected
from shared.db import Database, Session, driver
from shared.messaging import consumer
from shared.messaging.bus import Message
from shared.messaging.consumer import Consumer, Handlers
from shared.messaging.local import LocalBus
from shared.messaging.outbox import Relay, publish
from shared.messaging.parked import Parked, count, drop, parked
from shared.telemetry import trail
from tests.shared.builders import a_signal, changed_cells, on_the_bus

PAUSES = (0.2, 1.0, 5.0)
TOPICS = [SignalDetected.TOPIC.name, CellsChanged.TOPIC.name]


class Listener:
    """A service that writes down the measure of each signal; what it is told to choke on, it chokes on."""

    def __init__(self, database: Database, bus: LocalBus) -> None:
        self.database, self.bus = database, bus
        self.choke: Callable[[OrmSession, str], None] = lambda session, measure: None
        self.batches: list[int] = []
        self.pauses: list[float] = []
        handlers: Handlers = {SignalDetected: self.note_signals}
        subscription = bus.subscribe("tests", TOPICS)
        self.consumer = Consumer("tests", database, subscription, handlers, sleep=self.pauses.append)

    def note_signals(self, session: OrmSession, events: Sequence[SignalDetected]) -> None:
        self.batches.append(len(events))
        for one in events:
            session.execute(text("insert into applied (measure) values (:measure)"), {"measure": one.measure})
            self.choke(session, one.measure)

    def hear(self, *messages: Message) -> int:
        self.bus.publish(messages)
        return self.consumer.step()

    @property
    def applied(self) -> list[str]:
        with self.database.session() as session:
            return list(session.execute(text("select measure from applied order by position")).scalars())

    @property
    def parked(self) -> list[Parked]:
        with self.database.session() as session:
            return parked(session)


def chokes_on(*poison: str) -> Callable[[OrmSession, str], None]:
    def choke(_: OrmSession, measure: str) -> None:
        if measure in poison:
            raise ValueError(f"{measure} cannot be digested\nbecause of 943 476 5919")

    return choke


@pytest.fixture
def listener(database: Database, local_bus: LocalBus) -> Iterator[Listener]:
    one = Listener(database, local_bus)
    yield one
    one.consumer.subscription.close()


def signals(*measures: str) -> list[Message]:
    return [on_the_bus(a_signal(measure)) for measure in measures]


def test_a_batch_is_applied_in_order_and_at_once(listener: Listener) -> None:
    assert listener.hear(*signals("one", "two", "three")) == 3

    assert listener.applied == ["one", "two", "three"]
    assert listener.batches == [3]
    assert listener.consumer.subscription.lag() == 0
    assert listener.consumer.step() == 0


def test_a_batch_of_large_events_is_applied_in_portions_and_in_order(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = signals("one", "two", "three", "four", "five")
    monkeypatch.setattr(consumer, "_PORTION_BYTES", sum(len(one.body) for one in messages[:2]))

    assert listener.hear(*messages) == 5
    assert listener.applied == ["one", "two", "three", "four", "five"]
    assert max(listener.batches) == 2
    assert sum(listener.batches) == 5


def test_an_event_that_comes_again_has_no_second_effect(listener: Listener) -> None:
    message = on_the_bus(a_signal("one"))

    listener.hear(message, message)
    listener.hear(message, *signals("two"))

    assert listener.applied == ["one", "two"]


def test_a_batch_whose_place_could_not_be_kept_comes_again_without_effect(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ConnectionError("the bus is away")

    with monkeypatch.context() as during:
        during.setattr(listener.consumer.subscription, "commit", fail)
        with pytest.raises(ConnectionError):
            listener.hear(*signals("one"))

    assert listener.consumer.step() == 1
    assert listener.consumer.subscription.lag() == 0
    assert listener.applied == ["one"]


def test_events_nobody_listens_to_are_passed_over(listener: Listener) -> None:
    assert listener.hear(on_the_bus(changed_cells()), *signals("one")) == 2

    assert listener.applied == ["one"]
    assert listener.parked == []


def test_the_poison_message_is_set_aside_alone_and_the_others_land(listener: Listener) -> None:
    listener.choke = chokes_on("poison")
    measures = [f"m{number}" for number in range(6)] + ["poison"] + [f"n{number}" for number in range(6)]

    listener.hear(*signals(*measures))

    assert listener.applied == [one for one in measures if one != "poison"]
    (one,) = listener.parked
    assert one.handler == "note_signals"
    assert one.reason == "ValueError: poison cannot be digested"
    assert one.topic == SignalDetected.TOPIC.name
    assert one.key == "RGT/poison"
    assert one.attempts == 4
    assert listener.pauses == list(PAUSES)
    assert listener.consumer.subscription.lag() == 0


def test_a_message_that_recovers_while_it_is_insisted_on_is_not_parked(listener: Listener) -> None:
    choke = chokes_on("late")
    listener.choke = lambda session, measure: None if len(listener.pauses) == 2 else choke(session, measure)

    listener.hear(*signals("late"))

    assert listener.applied == ["late"]
    assert listener.pauses == list(PAUSES[:2])
    assert listener.parked == []


def test_what_is_parked_is_not_parked_again_when_it_comes_again(listener: Listener) -> None:
    listener.choke = chokes_on("poison")
    poison, nonsense = on_the_bus(a_signal("poison")), on_the_bus(a_signal(), ce_type="nobody.knows.v1")

    listener.hear(poison, nonsense)
    listener.hear(poison, nonsense)

    assert sorted(one.handler for one in listener.parked) == ["decode", "note_signals"]
    assert listener.pauses == list(PAUSES)


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"ce_type": "nobody.knows.v1"}, b"{}", "unknown event type 'nobody.knows.v1'"),
        ({"ce_type": ""}, b"", "unknown event type ''"),
        ({}, b"{", "SignalDetected cannot be read"),
        ({}, b"[" * 100_000, "SignalDetected cannot be read"),
        ({}, b"\xff\x00", "SignalDetected cannot be read"),
        ({}, b'{"organisation": "RGT"}', "SignalDetected cannot be read"),
        ({"ce_time": "yesterday"}, b"{}", "SignalDetected cannot be read"),
    ],
)
def test_what_cannot_be_read_is_parked_and_holds_nothing_up(
    listener: Listener, headers: dict[str, str], body: bytes, reason: str
) -> None:
    good = on_the_bus(a_signal("good"))
    bad = Message(
        topic=TOPICS[0], key="k", ordering_key="k", headers=good.headers | {"ce_id": "7"} | headers, body=body
    )

    listener.hear(bad, good)

    assert listener.applied == ["good"]
    (one,) = listener.parked
    assert one.handler == "decode"
    assert reason in one.reason
    assert one.attempts == 1


def test_a_message_without_any_header_is_parked_once(listener: Listener) -> None:
    nothing = Message(topic=TOPICS[0], key="", ordering_key="", headers={}, body=b"")

    listener.hear(nothing, nothing)

    assert len(listener.parked) == 1


def test_a_replayed_message_is_applied_and_taken_out(listener: Listener) -> None:
    listener.choke = chokes_on("poison")
    poison = on_the_bus(a_signal("poison"))
    listener.hear(poison)
    (one,) = listener.parked

    with pytest.raises(ValueError, match="digested"):
        listener.consumer.replay(one.id)
    assert [again.id for again in listener.parked] == [one.id]

    listener.choke = chokes_on()
    assert listener.consumer.replay(one.id)
    assert listener.applied == ["poison"]
    assert listener.parked == []
    assert not listener.consumer.replay(one.id)

    listener.hear(poison)
    assert listener.applied == ["poison"]


def test_a_parked_event_that_this_service_does_not_want_is_only_taken_out(listener: Listener) -> None:
    cells = on_the_bus(changed_cells())
    listener.hear(on_the_bus(a_signal(), ce_type="nobody.knows.v1"))
    (one,) = listener.parked
    with listener.database.session() as session:
        session.execute(
            text("update parked set headers = jsonb_set(headers, '{ce_type}', :type), body = :body"),
            {"type": f'"{cells.headers["ce_type"]}"', "body": cells.body},
        )

    assert listener.consumer.replay(one.id)
    assert listener.parked == []


def test_a_dropped_message_is_gone(listener: Listener) -> None:
    listener.choke = chokes_on("poison")
    listener.hear(*signals("poison"))
    (one,) = listener.parked

    with listener.database.session() as session:
        assert count(session) == 1
        assert drop(session, one.id)
        assert not drop(session, one.id)
        assert count(session) == 0


def lose_the_connection(session: OrmSession, _: str) -> None:
    session.execute(text("select pg_terminate_backend(pg_backend_pid())"))


def lose_the_connection_below(session: OrmSession, _: str) -> None:
    driver(session).execute("select pg_terminate_backend(pg_backend_pid())")


@pytest.mark.parametrize("choke", [lose_the_connection, lose_the_connection_below])
def test_while_the_database_is_away_nothing_is_committed_and_the_batch_comes_again(
    listener: Listener, choke: Callable[[OrmSession, str], None]
) -> None:
    listener.choke = choke
    with pytest.raises((DBAPIError, psycopg.OperationalError)):
        listener.hear(*signals("one", "two"))
    assert listener.applied == []
    assert listener.parked == []
    assert listener.pauses == []

    listener.choke = chokes_on()
    assert listener.consumer.step() == 2
    assert listener.applied == ["one", "two"]


def test_a_value_beyond_the_limits_of_the_database_is_poison_not_an_absence(listener: Listener) -> None:
    def choke(session: OrmSession, measure: str) -> None:
        if measure == "long":  # an index entry is at most a third of a page
            session.execute(text("create index on applied (measure)"))
            session.execute(
                text("insert into applied (measure) select string_agg(md5(n::text), '') from generate_series(1, 500) n")
            )

    listener.choke = choke

    listener.hear(*signals("short", "long"))

    assert listener.applied == ["short"]
    assert [one.key for one in listener.parked] == ["RGT/long"]


def test_a_reader_that_ends_in_the_middle_leaves_the_batch_to_the_next(listener: Listener) -> None:
    def interrupt(_: OrmSession, __: str) -> None:
        raise KeyboardInterrupt

    listener.choke = interrupt
    with pytest.raises(KeyboardInterrupt):
        listener.hear(*signals("one"))

    listener.choke = chokes_on()
    listener.consumer.step()
    assert listener.applied == ["one"]


def test_ids_travel_from_the_request_through_the_event_into_the_log_of_who_hears_it(
    database: Database, local_bus: LocalBus, serve: Callable[[APIRouter], httpx.Client]
) -> None:
    router = APIRouter()

    @router.post("/signals", status_code=202)
    def tell(session: Session) -> None:
        publish(session, [a_signal()], source="tests")

    lines: list[dict[str, Any]] = []

    def hear(session: OrmSession, events: Sequence[SignalDetected]) -> None:
        lines.append(dict(structlog.contextvars.get_contextvars()))
        publish(session, [changed_cells()], source="tests")

    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    ids = {"X-Correlation-Id": "ward-7", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert serve(router).post("/signals", headers=ids).status_code == 202
    Relay(database, local_bus).step()
    consumer = Consumer("tests", database, local_bus.subscribe("tests", TOPICS), {SignalDetected: hear})
    consumer.step()
    Relay(database, local_bus).step()
    (onward,) = consumer.subscription.poll(limit=10, seconds=0)
    consumer.subscription.close()

    (line,) = lines
    assert line["correlation_id"] == "ward-7"
    assert line["traceparent"].split("-")[1] == trace
    assert line["traceparent"] != ids["traceparent"]
    assert onward.headers["ce_correlationid"] == "ward-7"
    assert onward.headers["traceparent"].split("-")[1] == trace
    assert trail() is None


def test_nothing_of_a_message_stays_with_the_work_that_follows(listener: Listener) -> None:
    listener.hear(*signals("one"))

    assert trail() is None
    assert structlog.contextvars.get_contextvars() == {}

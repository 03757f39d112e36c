"""The outbox: what is told is what was committed, in order, at least once, and once only to whoever keeps an inbox."""

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.contracts.measures import SignalDetected
from shared.db import Database, now
from shared.messaging import outbox
from shared.messaging.bus import LARGEST_BODY, BusUnavailable, Message
from shared.messaging.cloudevents import decode
from shared.messaging.consumer import Consumer
from shared.messaging.local import LocalBus
from shared.messaging.outbox import Relay, hold_back, publish, waiting
from tests.shared.builders import a_signal, some_signals

TOPIC = SignalDetected.TOPIC.name


class Dying(LocalBus):
    """A bus that keeps the messages and then dies before saying so."""

    def publish(self, messages: Sequence[Message]) -> None:
        super().publish(messages)
        raise BusUnavailable("gone before the acknowledgement")


class Refusing(LocalBus):
    """A bus that keeps nothing."""

    def publish(self, messages: Sequence[Message]) -> None:
        raise BusUnavailable("away")


def told(bus: LocalBus, group: str = "listener") -> list[str]:
    """The measures of the signals on the bus, in the order they came."""
    subscription = bus.subscribe(group, [TOPIC])
    found = [decode(one)[0] for one in subscription.poll(limit=1000, seconds=0)]
    subscription.close()
    return [one.measure for one in found if isinstance(one, SignalDetected)]


def tell(database: Database, *measures: str) -> None:
    with database.session() as session:
        publish(session, [a_signal(one) for one in measures], source="tests")


def test_what_is_rolled_back_is_not_told(database: Database, local_bus: LocalBus) -> None:
    with database.session() as session:
        publish(session, [a_signal()], source="tests")
        session.get_transaction().rollback()  # type: ignore[union-attr]

    assert waiting(database) == 0
    assert Relay(database, local_bus).step() == 0
    assert told(local_bus) == []


def test_nothing_is_sent_before_the_commit(database: Database, local_bus: LocalBus) -> None:
    with database.session() as session:
        publish(session, [a_signal()], source="tests")
        assert Relay(database, local_bus).step() == 0

    assert Relay(database, local_bus).step() == 1


def test_the_relay_sends_in_order_and_forgets(database: Database, local_bus: LocalBus) -> None:
    tell(database, "one", "two")
    tell(database, "three")

    sent = Relay(database, local_bus).step()

    assert sent == 3
    assert told(local_bus) == ["one", "two", "three"]
    assert waiting(database) == 0


def test_what_the_bus_did_not_keep_is_not_forgotten(database: Database, local_bus: LocalBus) -> None:
    tell(database, "one")

    with closing(Refusing(local_bus.url)) as refusing, pytest.raises(BusUnavailable):
        Relay(database, refusing).step()

    assert waiting(database) == 1
    Relay(database, local_bus).step()
    assert told(local_bus) == ["one"]


def test_a_relay_that_dies_after_sending_sends_twice_and_the_inbox_drops_the_second(
    database: Database, local_bus: LocalBus
) -> None:
    applied: list[str] = []

    def note(session: Session, events: Sequence[SignalDetected]) -> None:
        applied.extend(one.measure for one in events)

    tell(database, "one", "two")
    with closing(Dying(local_bus.url)) as dying, pytest.raises(BusUnavailable):
        Relay(database, dying).step()
    Relay(database, local_bus).step()
    assert told(local_bus) == ["one", "two", "one", "two"]

    consumer = Consumer("tests", database, local_bus.subscribe("tests", [TOPIC]), {SignalDetected: note})
    consumer.step()
    consumer.subscription.close()

    assert applied == ["one", "two"]


def test_of_two_relays_one_works(database: Database, local_bus: LocalBus) -> None:
    second = Relay(database, local_bus)
    seen: list[int] = []

    class Meddling(LocalBus):
        def publish(self, messages: Sequence[Message]) -> None:
            seen.append(second.step())
            super().publish(messages)

    tell(database, "one")
    with closing(Meddling(local_bus.url)) as meddling:
        assert Relay(database, meddling).step() == 1

    assert seen == [0]
    assert told(local_bus) == ["one"]
    tell(database, "two")
    assert second.step() == 1


def test_a_lower_position_that_is_committed_later_is_not_lost(database: Database, local_bus: LocalBus) -> None:
    relay = Relay(database, local_bus)
    with database.session() as slow:
        publish(slow, [a_signal("slow")], source="tests")
        tell(database, "quick")
        assert relay.step() == 1
        assert told(local_bus) == ["quick"]

    assert relay.step() == 1
    assert told(local_bus, "another") == ["quick", "slow"]


def test_a_batch_is_bounded_by_rows_and_by_bytes(
    database: Database, local_bus: LocalBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(database, local_bus)
    monkeypatch.setattr(outbox, "_BATCH_ROWS", 3)
    with database.session() as session:
        publish(session, some_signals(8), source="tests")
    assert [relay.step() for _ in range(4)] == [3, 3, 2, 0]

    monkeypatch.setattr(outbox, "_BATCH_BYTES", 1)
    tell(database, "one", "two")
    assert [relay.step() for _ in range(3)] == [1, 1, 0]


def test_an_event_no_bus_would_take_is_refused_before_it_can_hold_up_the_rest(database: Database) -> None:
    with pytest.raises(ValueError, match="signal-detected"):
        tell(database, "one", "x" * LARGEST_BODY)

    assert waiting(database) == 0


def test_ids_are_unique_and_in_order_of_time() -> None:
    ids = [outbox.new_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
    assert {one[14] for one in ids} == {"7"}
    assert {one[19] for one in ids} <= set("89ab")


def test_the_envelope_says_who_and_when(database: Database, local_bus: LocalBus) -> None:
    tell(database, "one")
    Relay(database, local_bus).step()
    subscription = local_bus.subscribe("reader", [TOPIC])
    (message,) = subscription.poll(limit=1, seconds=0)
    subscription.close()

    _, envelope = decode(message)

    assert envelope.source == "/psip/tests"
    assert envelope.time.tzinfo is not None
    assert message.headers["ce_type"] == "nhs.psip.measures.signal-detected.v1"


def test_a_body_that_is_kept_anyway_is_read_where_it_is_when_it_is_sent(
    database: Database, local_bus: LocalBus
) -> None:
    events = [a_signal("here"), a_signal("there")]
    with database.session() as session:
        publish(session, events, source="tests", stored=lambda one: "5/2" if one.measure == "there" else None)
        written = session.execute(text("select body is null, stored from outbox order by position")).all()
    elsewhere = "(select case stored when '5/2' then '{\"from\": \"elsewhere\"}'::bytea end)"
    sent = Relay(database, local_bus, stored=elsewhere).step()

    subscription = local_bus.subscribe("anybody", [TOPIC])
    found = [one.body for one in subscription.poll(limit=10, seconds=0)]
    subscription.close()
    assert written == [(False, None), (True, "5/2")]
    assert (sent, waiting(database)) == (2, 0)
    assert found == [msgspec.json.encode(events[0]), b'{"from": "elsewhere"}']


def test_a_message_whose_body_is_not_where_it_was_said_to_be_stays_in_the_outbox(
    database: Database, local_bus: LocalBus
) -> None:
    with database.session() as session:
        publish(session, [a_signal()], source="tests", stored=lambda _: "nowhere")

    with pytest.raises(LookupError, match="not where the outbox says"):
        Relay(database, local_bus).step()
    assert waiting(database) == 1
    assert told(local_bus) == []


def test_what_is_held_back_waits_with_all_behind_it_and_goes_in_order_when_its_time_has_come(
    database: Database, local_bus: LocalBus
) -> None:
    tell(database, "before")
    with database.session() as session:
        hold_back(session, seconds=3600)
        publish(session, [a_signal("held"), a_signal("held as well")], source="tests")
    tell(database, "behind")

    assert Relay(database, local_bus).step() == 1
    assert Relay(database, local_bus).step() == 0
    assert told(local_bus, "meanwhile") == ["before"]
    assert waiting(database) == 3

    later = Relay(database, local_bus, clock=lambda: now() + timedelta(days=1))
    assert later.step() == 3
    assert told(local_bus) == ["before", "held", "held as well", "behind"]


def test_what_is_held_back_is_of_one_session_and_not_of_the_next(database: Database, local_bus: LocalBus) -> None:
    with database.session() as session:
        hold_back(session, seconds=3600)
    tell(database, "one")

    assert Relay(database, local_bus).step() == 1

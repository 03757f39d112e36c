"""What only the bus of the one-process platform does: one reader a group, compaction, surviving its database."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.contracts.event import Topic
from shared.messaging import local
from shared.messaging.bus import BusUnavailable, Message
from shared.messaging.local import LocalBus

STATE, LOG = Topic("tests.state.v1", 1, True), Topic("tests.log.v1", 1, False)


def messages(*bodies: str, topic: Topic = LOG, key: str = "k") -> list[Message]:
    return [Message(topic=topic.name, key=key, ordering_key=key, headers={}, body=body.encode()) for body in bodies]


def bodies(found: list[Message]) -> list[str]:
    return [one.body.decode() for one in found]


def end_connections(bus: LocalBus) -> None:
    with psycopg.connect(bus.url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


def test_a_second_reader_waits_until_the_first_has_gone(local_bus: LocalBus) -> None:
    first, second = local_bus.subscribe("group", [LOG.name]), local_bus.subscribe("group", [LOG.name])
    local_bus.publish(messages("one", "two"))
    assert bodies(first.poll(limit=1, seconds=0)) == ["one"]
    first.commit()

    assert second.poll(limit=10, seconds=0) == []
    first.close()

    polls = (second.poll(limit=10, seconds=0.05) for _ in range(1200))
    assert bodies(next(filter(None, polls))) == ["two"]
    second.close()


def test_a_reader_that_waits_is_woken_by_what_is_published(local_bus: LocalBus) -> None:
    subscription = local_bus.subscribe("group", [LOG.name])
    assert subscription.poll(limit=10, seconds=0) == []

    local_bus.publish(messages("one"))

    assert bodies(subscription.poll(limit=10, seconds=60)) == ["one"]
    subscription.close()


def test_a_reader_whose_connection_is_lost_goes_back_to_what_it_committed(local_bus: LocalBus) -> None:
    subscription = local_bus.subscribe("group", [LOG.name])
    local_bus.publish(messages("one", "two", "three"))
    subscription.poll(limit=1, seconds=0)
    subscription.commit()
    subscription.poll(limit=1, seconds=0)

    end_connections(local_bus)
    with pytest.raises(BusUnavailable):
        subscription.commit()
    subscription.rewind()

    assert bodies(subscription.poll(limit=10, seconds=0.1)) == ["two", "three"]
    assert subscription.lag() == 2
    subscription.close()


def test_a_writer_whose_connection_is_lost_connects_again(local_bus: LocalBus) -> None:
    end_connections(local_bus)
    with pytest.raises(BusUnavailable):
        local_bus.publish(messages("one"))

    local_bus.publish(messages("one"))

    subscription = local_bus.subscribe("group", [LOG.name])
    assert bodies(subscription.poll(limit=10, seconds=0)) == ["one"]
    subscription.close()


def test_a_bus_whose_database_is_gone_says_so(local_bus: LocalBus) -> None:
    name = psycopg.conninfo.conninfo_to_dict(local_bus.url)["dbname"]
    gone = local_bus.url.replace(f"/{name}", "/nothing_of_this_name")
    local_bus.url = gone

    assert not local_bus.answers()
    with pytest.raises(BusUnavailable):
        local_bus.subscribe("group", [LOG.name])


def test_a_poll_is_bounded_in_bytes(local_bus: LocalBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_POLL_BYTES", 10)
    subscription = local_bus.subscribe("group", [LOG.name])
    local_bus.publish(messages("x" * 100, "y" * 4, "z" * 4, "w" * 4))

    found = [bodies(subscription.poll(limit=10, seconds=0)) for _ in range(3)]

    assert [len(one) for one in found] == [1, 3, 0]
    subscription.close()


def test_of_a_compacted_topic_only_the_newest_of_each_key_stays(local_bus: LocalBus) -> None:
    local_bus.ensure([STATE, LOG])
    local_bus.publish(messages("a1", "a2", topic=STATE, key="a") + messages("b1", topic=STATE, key="b"))
    local_bus.publish(messages("l1", "l2"))
    reader = local_bus.subscribe("group", [STATE.name, LOG.name])
    reader.poll(limit=10, seconds=0)
    local_bus.ensure([STATE])

    other = local_bus.subscribe("before", [STATE.name])
    assert bodies(other.poll(limit=10, seconds=0)) == ["a1", "a2", "b1"]
    other.close()

    reader.commit()
    local_bus.ensure([STATE])
    newcomer = local_bus.subscribe("newcomer", [STATE.name, LOG.name])
    assert bodies(newcomer.poll(limit=10, seconds=0)) == ["a2", "b1", "l1", "l2"]
    newcomer.close()
    reader.close()


def test_of_another_topic_what_is_a_week_old_goes_once_every_group_has_dealt_with_it(local_bus: LocalBus) -> None:
    local_bus.ensure([LOG])
    old, new = ({"ce_time": (datetime.now(UTC) - timedelta(days=days)).isoformat()} for days in (8, 6))
    local_bus.publish([
        Message(topic=LOG.name, key="k", ordering_key="k", headers=headers, body=body)
        for headers, body in ((old, b"old"), (new, b"new"))
    ])  # fmt: skip
    local_bus.ensure([LOG])
    with closing(local_bus.subscribe("group", [LOG.name])) as reader:
        assert bodies(reader.poll(limit=10, seconds=0)) == ["old", "new"]
        reader.commit()

    local_bus.ensure([LOG])

    with closing(local_bus.subscribe("later", [LOG.name])) as reader:
        assert bodies(reader.poll(limit=10, seconds=0)) == ["new"]

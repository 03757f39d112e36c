"""What every bus must do, held to by each of them."""

from collections.abc import Iterator

import pytest

from shared.contracts.event import Topic
from shared.messaging.bus import Bus, Message, Subscription
from shared.messaging.kafka import KafkaBus, KafkaSettings
from shared.messaging.local import LocalBus

FRUIT = Topic("tests.fruit.v1", 3, False)
STATE = Topic("tests.state.v1", 2, True)


@pytest.fixture(scope="module", params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
def bus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    if request.param == "local":
        url = request.getfixturevalue("new_database")(None)
        one: Bus = LocalBus(url.get_secret_value().replace("+psycopg", ""))
    else:
        one = KafkaBus(KafkaSettings(bootstrap=request.getfixturevalue("kafka_bootstrap")))
    one.ensure([FRUIT, STATE])
    yield one
    one.close()


def a_message(body: str, *, topic: Topic = FRUIT, key: str = "k") -> Message:
    return Message(topic=topic.name, key=key, ordering_key=key, headers={"ce_id": body}, body=body.encode())


def read(subscription: Subscription, count: int) -> list[str]:
    found: list[str] = []
    for _ in range(200):
        found += [message.body.decode() for message in subscription.poll(limit=100, seconds=0.1)]
        if len(found) >= count:
            return found
    return found


@pytest.fixture
def group(request: pytest.FixtureRequest) -> str:
    return f"group-{request.node.name}"


def test_what_was_published_is_read_with_its_headers_and_in_order_of_its_key(bus: Bus, group: str) -> None:
    subscription = bus.subscribe(group, [FRUIT.name])
    names = [f"{group}-{number}" for number in range(20)]
    bus.publish([a_message(name, key=group) for name in names])
    mine = [name for name in read(subscription, subscription.lag()) if name.startswith(group)]
    assert mine == names
    subscription.close()


def test_what_was_polled_but_not_committed_comes_again(bus: Bus, group: str) -> None:
    subscription = bus.subscribe(group, [STATE.name])
    bus.publish([a_message("again", topic=STATE, key=group)])
    first = read(subscription, subscription.lag())
    assert "again" in first
    subscription.rewind()
    assert sorted(read(subscription, len(first))) == sorted(first)
    subscription.close()


def test_what_was_committed_does_not_come_again_to_the_group_but_does_to_another(bus: Bus, group: str) -> None:
    bus.publish([a_message("once", key=group)])
    subscription = bus.subscribe(group, [FRUIT.name])
    assert "once" in read(subscription, subscription.lag())
    subscription.commit()
    assert subscription.lag() == 0
    subscription.close()

    again = bus.subscribe(group, [FRUIT.name])
    other = bus.subscribe(f"{group}-other", [FRUIT.name])
    assert "once" in read(other, other.lag())
    assert read(again, 0) == []
    again.close()
    other.close()


def test_a_megabyte_goes_through_whole(bus: Bus, group: str) -> None:
    subscription = bus.subscribe(group, [FRUIT.name])
    body = bytes(range(256)) * 4000
    bus.publish([Message(topic=FRUIT.name, key=group, ordering_key=group, headers={}, body=body)])
    total = subscription.lag()
    bodies: list[bytes] = []
    for _ in range(200):
        bodies += [message.body for message in subscription.poll(limit=100, seconds=0.1)]
        if len(bodies) >= total:
            break
    assert body in bodies
    subscription.close()


def test_it_says_whether_it_can_be_reached(bus: Bus) -> None:
    assert bus.answers()

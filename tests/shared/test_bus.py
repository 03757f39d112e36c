"""What every bus must do, held to by each of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.contracts.event import Topic
from shared.messaging.bus import Bus, Message, Subscription
from shared.messaging.kafka import KafkaBus
from shared.messaging.local import LocalBus
from shared.settings import KafkaSettings

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


def read_messages(subscription: Subscription, count: int) -> list[Message]:
    found: list[Message] = []
    for _ in range(1200):
        found += subscription.poll(limit=100, seconds=0.1)
        if len(found) >= count:
            return found
    return found


def read(subscription: Subscription, count: int) -> list[str]:
    return [message.body.decode(errors="replace") for message in read_messages(subscription, count)]


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
    assert body in [message.body for message in read_messages(subscription, total)]
    subscription.close()


def test_it_says_whether_it_can_be_reached(bus: Bus) -> None:
    assert bus.answers()


def test_each_key_keeps_its_order_while_many_threads_publish(bus: Bus, group: str) -> None:
    def publish(writer: int) -> None:
        for number in range(5):
            bus.publish([a_message(f"{writer}:{number}", key=f"{group}-{writer}")])

    subscription = bus.subscribe(group, [FRUIT.name])
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(publish, range(4)))

    found = read_messages(subscription, subscription.lag())
    subscription.close()

    for writer in range(4):
        mine = [one.body.decode() for one in found if one.key == f"{group}-{writer}"]
        assert mine == [f"{writer}:{number}" for number in range(5)]


def test_ordering_keys_choose_the_partition_and_keys_do_not(bus: Bus, group: str) -> None:
    """Parts of one return have keys of their own and must still arrive in order."""
    subscription = bus.subscribe(group, [STATE.name])
    parts = [
        Message(topic=STATE.name, key=f"{group}/{number}", ordering_key=group, headers={}, body=b"%d" % number)
        for number in range(12)
    ]
    bus.publish(parts)

    found = read_messages(subscription, subscription.lag())
    subscription.close()

    assert [one.body for one in found if one.key.startswith(f"{group}/")] == [one.body for one in parts]


def test_a_poll_gives_no_more_than_was_asked_for_and_the_rest_after(bus: Bus, group: str) -> None:
    subscription = bus.subscribe(group, [FRUIT.name])
    bus.publish([a_message(f"{group}-{number}", key=group) for number in range(7)])
    total = subscription.lag()

    sizes: list[int] = []
    for _ in range(1200):
        sizes.append(len(subscription.poll(limit=3, seconds=0.1)))
        if sum(sizes) >= total:
            break
    subscription.close()

    assert max(sizes) == 3
    assert sum(sizes) == total


def test_a_rewind_goes_back_to_the_commit_and_not_behind_it(bus: Bus, group: str) -> None:
    subscription = bus.subscribe(group, [STATE.name])
    bus.publish([a_message("kept", topic=STATE, key=group)])
    read(subscription, subscription.lag())
    subscription.commit()
    bus.publish([a_message(f"later-{number}", topic=STATE, key=group) for number in range(3)])

    first = read(subscription, 3)
    subscription.rewind()
    again = read(subscription, 3)
    subscription.rewind()
    assert subscription.lag() == 3
    thrice = read(subscription, 3)
    subscription.commit()

    assert first == again == thrice == ["later-0", "later-1", "later-2"]
    assert subscription.lag() == 0
    assert read(subscription, 0) == []
    subscription.close()


def test_a_rewind_of_some_partitions_leaves_the_others(bus: Bus, group: str) -> None:
    subscription = bus.subscribe(group, [FRUIT.name, STATE.name])
    read(subscription, subscription.lag())
    subscription.commit()
    keys = [f"{group}-{number}" for number in range(9)]
    bus.publish([a_message(key, key=key) for key in keys])
    bus.publish([a_message(key, topic=STATE, key=key) for key in keys])

    first = read(subscription, 18)
    subscription.rewind()
    again = read(subscription, 18)
    subscription.close()

    assert sorted(first) == sorted(again) == sorted(keys * 2)


def test_what_a_reader_left_uncommitted_goes_to_its_successor(bus: Bus, group: str) -> None:
    bus.publish([a_message(f"left-{group}", key=group)])
    first = bus.subscribe(group, [FRUIT.name])
    everything = read(first, first.lag())
    first.close()

    second = bus.subscribe(group, [FRUIT.name])
    assert sorted(read(second, second.lag())) == sorted(everything)
    second.close()


def test_two_readers_of_a_group_share_what_there_is_and_miss_nothing(bus: Bus, group: str) -> None:
    first, second = bus.subscribe(group, [FRUIT.name]), bus.subscribe(group, [FRUIT.name])
    names = {f"{group}-{number}" for number in range(30)}
    bus.publish([a_message(name, key=name) for name in sorted(names)])

    found: list[str] = []
    for _ in range(1200):
        for one in (first, second):
            if messages := one.poll(limit=100, seconds=0.05):
                found += [message.headers.get("ce_id", "") for message in messages]
                one.commit()
        if names <= set(found) and first.lag() == 0:
            break
    first.close()
    second.close()

    assert names <= set(found)


def test_nothing_to_publish_is_no_trouble(bus: Bus) -> None:
    bus.publish([])


def test_topics_are_made_once(bus: Bus) -> None:
    bus.ensure([FRUIT, STATE])
    bus.ensure([FRUIT, STATE])

"""The registry's worker: what was written reaches the bus, whole and in order."""

from services.programmes.events import HANDLERS
from services.programmes.rules.catalogue import load
from services.programmes.worker import create_worker
from shared.contracts.event import Event
from shared.contracts.programmes import PUBLISHED
from shared.messaging.cloudevents import topics
from shared.messaging.local import LocalBus


def test_everything_that_was_published_reaches_the_bus(registry, new_database):
    registry.load(load())
    waiting = registry.published(Event)
    bus = LocalBus(new_database(None).get_secret_value().replace("+psycopg", ""))
    worker = create_worker(registry.url, bus)
    while worker.step():
        pass
    subscription = bus.subscribe("reader", topics(PUBLISHED))
    messages = subscription.poll(limit=10_000, seconds=0)
    assert worker.settled()
    assert [message.key for message in messages] == [event.key for event in waiting]
    subscription.close()
    worker.close()
    worker.relay.database.close()
    bus.close()


def test_the_registry_listens_to_nothing():
    assert dict(HANDLERS) == {}

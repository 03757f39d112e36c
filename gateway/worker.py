"""The worker of the gateway: writes what the services publish into the log that every replica reads."""

from pydantic import SecretStr

from gateway.events import HANDLERS
from gateway.live import log
from shared.db import Database, now
from shared.messaging import cloudevents
from shared.messaging.bus import Bus
from shared.messaging.consumer import Consumer
from shared.messaging.worker import Worker, hourly

SERVICE = "gateway"


def create_worker(database_url: SecretStr, bus: Bus) -> Worker:
    """A worker on its own connections. It is given no key, and calls nobody."""
    database = Database(database_url, pool_size=2)
    subscription = bus.subscribe(SERVICE, cloudevents.topics(HANDLERS))
    consumer = Consumer(SERVICE, database, subscription, HANDLERS)

    def forget() -> None:
        with database.session() as session:
            log.forget(session, before=now() - log.KEPT)

    return Worker(SERVICE, consumer=consumer, chores=[hourly(consumer.forget_old), hourly(forget)])

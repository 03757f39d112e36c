"""The worker of ingest: carries its outbox, hears the registry."""

from pydantic import SecretStr

from services.ingest.events import HANDLERS
from services.ingest.queries.stored import ROWS_AT
from shared.db import Database
from shared.messaging import cloudevents
from shared.messaging.bus import Bus
from shared.messaging.consumer import Consumer
from shared.messaging.outbox import Relay
from shared.messaging.worker import Worker, hourly

SERVICE = "ingest"


def create_worker(database_url: SecretStr, bus: Bus) -> Worker:
    """A worker on its own connections. It is given no key: it neither lets anybody in nor sees an identifier."""
    database = Database(database_url, pool_size=2)
    subscription = bus.subscribe(SERVICE, cloudevents.topics(HANDLERS))
    consumer = Consumer(SERVICE, database, subscription, HANDLERS)
    return Worker(SERVICE, Relay(database, bus, stored=ROWS_AT), consumer, chores=[hourly(consumer.forget_old)])

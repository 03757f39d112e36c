"""The worker of ingest: carries its outbox, hears the registry."""

from services.ingest.events import HANDLERS
from services.ingest.settings import IngestSettings
from shared.db import Database
from shared.messaging import cloudevents
from shared.messaging.bus import Bus
from shared.messaging.consumer import Consumer
from shared.messaging.outbox import Relay
from shared.messaging.worker import Worker


def create_worker(settings: IngestSettings, bus: Bus) -> Worker:
    """A worker on its own connections."""
    database = Database(settings.database_url, pool_size=2)
    subscription = bus.subscribe(settings.service, cloudevents.topics(HANDLERS))
    consumer = Consumer(settings.service, database, subscription, HANDLERS)
    return Worker(settings.service, Relay(database, bus), consumer)

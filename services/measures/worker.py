"""The worker of measures: carries its outbox, applies returns and what the registry says."""

from services.measures.events import HANDLERS
from services.measures.settings import MeasuresSettings
from shared.db import Database
from shared.messaging import cloudevents
from shared.messaging.bus import Bus
from shared.messaging.consumer import Consumer
from shared.messaging.outbox import Relay
from shared.messaging.worker import Worker


def create_worker(settings: MeasuresSettings, bus: Bus) -> Worker:
    """A worker on its own connections."""
    database = Database(settings.database_url, pool_size=2)
    subscription = bus.subscribe(settings.service, cloudevents.topics(HANDLERS))
    consumer = Consumer(settings.service, database, subscription, HANDLERS)
    return Worker(settings.service, Relay(database, bus), consumer)

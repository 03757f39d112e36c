"""The worker of the registry: carries its outbox. It listens to nothing."""

from services.programmes.settings import ProgrammesSettings
from shared.db import Database
from shared.messaging.bus import Bus
from shared.messaging.outbox import Relay
from shared.messaging.worker import Worker


def create_worker(settings: ProgrammesSettings, bus: Bus) -> Worker:
    """A worker on its own connections."""
    return Worker(settings.service, Relay(Database(settings.database_url, pool_size=2), bus))

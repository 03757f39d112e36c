"""The worker of the registry: carries its outbox. It listens to nothing."""

from pydantic import SecretStr

from shared.db import Database
from shared.messaging.bus import Bus
from shared.messaging.outbox import Relay
from shared.messaging.worker import Worker

SERVICE = "programmes"


def create_worker(database_url: SecretStr, bus: Bus) -> Worker:
    """A worker on its own connections. It is given no key: it lets nobody in."""
    return Worker(SERVICE, Relay(Database(database_url, pool_size=2), bus))

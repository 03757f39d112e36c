"""The worker of webhooks: plans deliveries from the log and carries them. It alone calls what is outside."""

from pydantic import SecretStr

from gateway.live.webhooks import planning
from gateway.live.webhooks.planning import Planner
from gateway.live.webhooks.sending import Sender
from gateway.live.webhooks.signatures import Signatures
from shared.db import Database
from shared.messaging.worker import Worker, hourly

SERVICE = "webhooks"
IDLE_SECONDS = 0.25


def create_worker(database_url: SecretStr, *, key: SecretStr, sandbox: bool) -> Worker:
    """A worker on its own connections; `key` makes the secrets, and a `sandbox` may call this machine."""
    database = Database(database_url, pool_size=2)
    planner = Planner(database)
    sender = Sender(database, Signatures(key.get_secret_value()), sandbox=sandbox)
    chores = [planner.step, sender.step, hourly(lambda: planning.forget(database))]
    return Worker(SERVICE, chores=chores, endings=[sender.close, database.close], idle_seconds=IDLE_SECONDS)

"""The workers of measures.

One carries its outbox, applies returns and what the registry says; the other judges the charts of aggregates.
"""

from pydantic import SecretStr

from services.measures.commands import judge_aggregates
from services.measures.events import HANDLERS
from shared.db import Database
from shared.messaging import cloudevents
from shared.messaging.bus import Bus
from shared.messaging.consumer import Consumer
from shared.messaging.outbox import Relay
from shared.messaging.worker import Worker, hourly

SERVICE, JUDGE = "measures", "judge"
JUDGING_SHARE = 0.2
IDLE_SECONDS = 0.25


def create_worker(database_url: SecretStr, bus: Bus) -> Worker:
    """A worker on its own connections. It is given no key: it neither lets anybody in nor sees an identifier."""
    database = Database(database_url, pool_size=2)
    subscription = bus.subscribe(SERVICE, cloudevents.topics(HANDLERS))
    consumer = Consumer(SERVICE, database, subscription, HANDLERS)
    return Worker(SERVICE, Relay(database, bus), consumer, chores=[hourly(consumer.forget_old)])


def create_judge(database_url: SecretStr) -> Worker:
    """The worker that judges the charts of aggregates, at leisure: it leaves the database to those who wait for it."""
    database = Database(database_url, pool_size=1)

    def judge() -> int:
        with database.session() as session:
            return judge_aggregates(session)

    return Worker(JUDGE, chores=[judge], endings=[database.close], idle_seconds=IDLE_SECONDS, share=JUDGING_SHARE)

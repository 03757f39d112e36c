"""How many messages of a service wait, and how many are parked: what its operators look at first."""

from collections.abc import Callable, Mapping

from shared.db import Database
from shared.messaging import outbox, parked


def message_counts(database: Database) -> Mapping[str, Callable[[], int]]:
    """The counts of `/health/ready` and `/metrics`."""

    def count_parked() -> int:
        with database.session() as session:
            return parked.count(session)

    return {"waiting": lambda: outbox.waiting(database), "parked": count_parked}

"""The parks of the services: what could not be applied, in each service's own database."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from sqlalchemy.orm import Session

import gateway.events
import services.ingest.events
import services.measures.events
from deploy.running import running_database
from shared.messaging import parked
from shared.messaging.bus import Subscription
from shared.messaging.consumer import Consumer, Handlers

HANDLERS: Mapping[str, Handlers] = {
    "gateway": gateway.events.HANDLERS,
    "ingest": services.ingest.events.HANDLERS,
    "measures": services.measures.events.HANDLERS,
}


class Park:
    """The parked messages of one service: of the server that `PSIP_DATABASE_URL` names, or of a running platform."""

    def __init__(self, service: str, data_dir: Path) -> None:
        if service not in HANDLERS:
            raise SystemExit(f"{service} listens to nothing; choose one of {', '.join(HANDLERS)}")
        self._service = service
        self._database = running_database(service, data_dir)

    def all(self) -> list[parked.Parked]:
        """Everything that is parked, oldest first."""
        with self._session() as session:
            return parked.parked(session)

    def replay(self, identity: int) -> bool:
        """Apply one again, and take it out; False if there is none with this id."""
        nobody = cast("Subscription", None)  # replaying reads the park, not the bus
        return Consumer(self._service, self._database, nobody, HANDLERS[self._service]).replay(identity)

    def drop(self, identity: int) -> bool:
        """Throw one away; False if there is none with this id."""
        with self._session() as session:
            return parked.drop(session, identity)

    def _session(self) -> AbstractContextManager[Session]:
        return self._database.session()

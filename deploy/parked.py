"""The parks of the services: what could not be applied, in each service's own database."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from pydantic import SecretStr
from sqlalchemy.orm import Session

import services.ingest.events
import services.measures.events
from deploy.databases import service_url
from deploy.postgres import running_server_url
from deploy.settings import Environment
from shared.db import Database
from shared.messaging import parked
from shared.messaging.bus import Subscription
from shared.messaging.consumer import Consumer, Handlers

HANDLERS: Mapping[str, Handlers] = {
    "ingest": services.ingest.events.HANDLERS,
    "measures": services.measures.events.HANDLERS,
}


class Park:
    """The parked messages of one service: of the server that `PSIP_DATABASE_URL` names, or of a running platform."""

    def __init__(self, service: str, data_dir: Path) -> None:
        if service not in HANDLERS:
            raise SystemExit(f"{service} listens to nothing; choose one of {', '.join(HANDLERS)}")
        environment = Environment()
        given = environment.database_url is not None
        server = environment.server_url() if given else running_server_url(data_dir / "postgres")
        if server is None:
            raise SystemExit(f"no platform runs on {data_dir}: start it, or set PSIP_DATABASE_URL")
        self._service = service
        self._database = Database(SecretStr(service_url(server, service)), pool_size=1)

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

"""Reaching what runs already: the server that `PSIP_DATABASE_URL` names, or that of a one-process platform."""

from pathlib import Path

from pydantic import SecretStr

from deploy.databases import service_url
from deploy.postgres import running_server_url
from deploy.settings import Environment
from shared.db import Database


def running_database(service: str, data_dir: Path) -> Database:
    """The database of a service. Raises SystemExit, with the remedy, when nothing runs."""
    environment = Environment()
    given = environment.database_url is not None
    server = environment.server_url() if given else running_server_url(data_dir / "postgres")
    if server is None:
        raise SystemExit(f"no platform runs on {data_dir}: start it, or set PSIP_DATABASE_URL")
    return Database(SecretStr(service_url(server, service)), pool_size=1)

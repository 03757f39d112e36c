"""Database schemas: each service's Alembic revisions, applied to its own database."""

from collections.abc import Mapping
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic import SecretStr

ROOT = Path(__file__).parent.parent
SCRIPTS: Mapping[str, str] = {
    "programmes": "services/programmes/migrations",
    "ingest": "services/ingest/migrations",
    "measures": "services/measures/migrations",
    "gateway": "gateway/migrations",
}


def migrate(service: str, url: SecretStr, *, revision: str = "head") -> None:
    """Bring the service's database to the revision. Concurrent calls are safe only where PostgreSQL's locks say so."""
    command.upgrade(configuration(service, url), revision)


def configuration(service: str, url: SecretStr) -> Config:
    """Alembic's configuration for one service."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / SCRIPTS[service]))
    config.set_main_option("sqlalchemy.url", url.get_secret_value().replace("%", "%%"))
    return config

"""Alembic, the same for every service: `migrations/env.py` calls `run` with the service's tables."""

from alembic import context
from sqlalchemy import MetaData, create_engine


def run(metadata: MetaData) -> None:
    """Bring the database named by the configuration's `sqlalchemy.url` to the revision that was asked for."""
    url = context.config.get_main_option("sqlalchemy.url")
    if not url:
        raise ValueError("no database: run `psip migrate`, which knows the address of each service's database")
    engine = create_engine(url)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()

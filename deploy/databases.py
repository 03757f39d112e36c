"""One database for each service, on one PostgreSQL server: ours or one that exists already."""

from collections.abc import Iterable

import psycopg
from psycopg import errors, sql
from sqlalchemy import make_url

from deploy.lifetimes import CannotStart

SERVICE_DATABASES = ("programmes", "ingest", "measures", "gateway")


class DatabaseMissing(CannotStart):
    """A service's database does not exist and this account may not create it; the message says what to ask for."""


def service_url(server_url: str, database: str) -> str:
    """The SQLAlchemy URL of one service's database on the server that `server_url` names.

    `postgresql://user:secret@host:5432/?sslmode=require` and `ingest` give
    `postgresql+psycopg://user:secret@host:5432/ingest?sslmode=require`; a database named in `server_url` is replaced.
    """
    url = make_url(server_url).set(drivername="postgresql+psycopg", database=database)
    return url.render_as_string(hide_password=False)


def ensure_databases(server_url: str, databases: Iterable[str] = SERVICE_DATABASES) -> list[str]:
    """Create the databases that are missing (UTF-8) and return their names; several processes may do so at once.

    The connection goes to the database that `server_url` names, or to `postgres`.
    Raises `DatabaseMissing` when one is missing and the account may not create databases.
    """
    url = make_url(server_url)
    maintenance = url.set(drivername="postgresql", database=url.database or "postgres")
    with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as connection:
        present = {name for (name,) in connection.execute("select datname from pg_database")}
        return [name for name in databases if name not in present and _create(connection, name)]


def _create(connection: psycopg.Connection[tuple[str, ...]], name: str) -> bool:
    # Sorted as Python sorts, whatever the server does by default: the pages of a list rely on one order.
    statement = sql.SQL("create database {} encoding 'UTF8' lc_collate 'C' template template0")
    try:
        connection.execute(statement.format(sql.Identifier(name)))
    except (errors.DuplicateDatabase, errors.UniqueViolation):  # another process was a moment earlier
        return False
    except errors.InsufficientPrivilege as refusal:
        user = connection.info.user
        remedy = f"create it with owner {user}, or grant CREATEDB to {user}"
        raise DatabaseMissing(f"database {name} does not exist and {user} may not create it: {remedy}") from refusal
    return True

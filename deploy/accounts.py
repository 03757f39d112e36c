"""An account for each service on a server that they share: it works on the rows of its own database, and no other."""

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql
from sqlalchemy import make_url

_GRANTS = (
    "revoke all on database {0} from public",
    "grant connect, temporary on database {0} to {0}",
    "grant usage on schema public to {0}",
    "grant select, insert, update, delete on all tables in schema public to {0}",
    "revoke insert, update, delete on alembic_version from {0}",
    "grant usage, select on all sequences in schema public to {0}",
)
APPEND_ONLY: Mapping[str, Sequence[str]] = {"gateway": ("audit",)}
"""Tables of which an account may only add rows and read them."""


def ensure(server_url: str, service: str, password: str) -> None:
    """Make the account `service` if it is missing, with this password and its rights on what the database holds now.

    The database is migrated already, by the account that `server_url` names, which may create accounts; run again
    after every migration. The service may neither change a schema nor connect to another's database.
    """
    url = make_url(server_url).set(drivername="postgresql", database=service).render_as_string(hide_password=False)
    name = sql.Identifier(service)
    with psycopg.connect(url) as connection:
        if connection.execute("select from pg_roles where rolname = %s", [service]).fetchone() is None:
            connection.execute(sql.SQL("create role {}").format(name))
        # What travels, and might be logged, is what the server would keep: not the password.
        verifier = connection.pgconn.encrypt_password(password.encode(), service.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("alter role {} login password {}").format(name, verifier))
        for grant in _GRANTS:
            connection.execute(sql.SQL(grant).format(name))
        for table in APPEND_ONLY.get(service, ()):
            connection.execute(sql.SQL("revoke update, delete on {} from {}").format(sql.Identifier(table), name))

"""Tests of the accounts of services: what each may do on the server that they share."""

import psycopg
import pytest
from psycopg import errors, sql
from pydantic import SecretStr

from deploy import accounts
from deploy.databases import ensure_databases, service_url
from deploy.migrate import migrate
from deploy.postgres import Postgres


@pytest.fixture(scope="module")
def server_url(postgres: Postgres) -> str:
    names = ("gateway", "ingest")
    ensure_databases(postgres.server_url, names)
    for name in names:
        migrate(name, SecretStr(service_url(postgres.server_url, name)))
        accounts.ensure(postgres.server_url, name, "secret")
    return postgres.server_url


def as_account(server_url: str, account: str) -> psycopg.Connection:
    """A connection to the account's database that may do what the account may, and no more."""
    connection = psycopg.connect(service_url(server_url, account).replace("+psycopg", ""))
    connection.execute(sql.SQL("set role {}").format(sql.Identifier(account)))
    return connection


@pytest.mark.parametrize("right", ["select", "insert", "update", "delete"])
def test_a_service_works_on_the_rows_of_every_table_of_its_own(server_url, right):
    question = """select has_table_privilege(format('%%I', tablename), %s), tablename from pg_tables
        where schemaname = 'public' and tablename <> 'alembic_version'"""
    with as_account(server_url, "ingest") as connection:
        found = connection.execute(question, [right]).fetchall()
    assert "outbox" in {table for _, table in found}
    assert [table for may, table in found if not may] == []


@pytest.mark.parametrize(("right", "may"), [("select", True), ("insert", True), ("update", False), ("delete", False)])
def test_of_the_audit_the_account_of_the_gateway_may_add_and_read_rows_only(server_url, right, may):
    with as_account(server_url, "gateway") as connection:
        question = "select has_table_privilege('audit', %s), has_table_privilege('client', %s)"
        assert connection.execute(question, [right, right]).fetchone() == (may, True)


def test_the_account_of_the_gateway_cannot_take_the_guard_of_the_audit_away(server_url):
    with as_account(server_url, "gateway") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("alter table audit disable trigger audit_is_append_only")


@pytest.mark.parametrize(
    "statement",
    [
        "create table one (id int)",
        "drop table outbox",
        "truncate outbox",
        "update alembic_version set version_num = '0'",
        "create role another",
    ],
)
def test_a_service_may_not_change_what_its_database_is(server_url, statement):
    with as_account(server_url, "ingest") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(("account", "database", "may"), [("ingest", "ingest", True), ("ingest", "gateway", False)])
def test_a_service_may_connect_to_its_own_database_alone(server_url, account, database, may):
    with as_account(server_url, account) as connection:
        question = "select has_database_privilege(%s, %s, 'connect')"
        assert connection.execute(question, [account, database]).fetchone() == (may,)


def test_the_password_is_kept_as_a_verifier_and_changes_with_the_secret(server_url):
    question = "select rolpassword from pg_authid where rolname = 'ingest'"
    address = service_url(server_url, "ingest").replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        before = connection.execute(question).fetchone()[0]
    accounts.ensure(server_url, "ingest", "another")
    with psycopg.connect(address) as connection:
        after = connection.execute(question).fetchone()[0]
    assert before.startswith("SCRAM-SHA-256$")
    assert after != before

"""Migrations make the tables that the models say, from nothing, and can be taken back."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Engine, MetaData, create_engine, inspect, text

from deploy.migrate import SCRIPTS, configuration, migrate

MODELS = {name: f"services.{name}.models" for name in ("programmes", "ingest", "measures")} | {
    "gateway": "gateway.models"
}
# What PostgreSQL says of a schema, in its own words: more than Alembic compares (defaults, checks, index conditions).
WORDS = {
    "columns": """select table_name, column_name, data_type, udt_name, is_nullable, is_identity,
                         regexp_replace(column_default, '^nextval.*', 'nextval') as column_default
                  from information_schema.columns where table_schema = 'public'""",
    "constraints": """select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
                      where connamespace = 'public'::regnamespace and contype not in ('n', 't')""",
    "indexes": "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'",
}
NewDatabase = Callable[[None], SecretStr]


def tables(service: str) -> MetaData:
    metadata: MetaData = import_module(MODELS[service]).Base.metadata
    return metadata


@pytest.fixture(params=SCRIPTS)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(new_database: NewDatabase) -> SecretStr:
    return new_database(None)


@pytest.fixture
def engine(url: SecretStr) -> Iterator[Engine]:
    one = create_engine(url.get_secret_value())
    yield one
    one.dispose()


def in_its_own_words(engine: Engine) -> dict[str, set[tuple[Any, ...]]]:
    with engine.connect() as connection:
        return {
            kind: {tuple(row) for row in connection.execute(text(query)) if "alembic_version" not in row}
            for kind, query in WORDS.items()
        }


def test_migrations_make_what_the_models_say(service: str, url: SecretStr, engine: Engine) -> None:
    migrate(service, url)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables(service)) == []


@pytest.mark.parametrize("kind", WORDS)
def test_migrated_and_made_from_the_models_are_the_same_to_postgresql(
    service: str, kind: str, url: SecretStr, engine: Engine, new_database: NewDatabase
) -> None:
    migrate(service, url)
    other = create_engine(new_database(None).get_secret_value())
    tables(service).create_all(other)

    migrated, made = in_its_own_words(engine)[kind], in_its_own_words(other)[kind]
    other.dispose()

    assert migrated == made


def test_migrations_can_be_taken_back_and_made_again(service: str, url: SecretStr, engine: Engine) -> None:
    migrate(service, url)
    first = in_its_own_words(engine)

    command.downgrade(configuration(service, url), "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]

    migrate(service, url)
    assert in_its_own_words(engine) == first


def test_migrating_twice_changes_nothing(service: str, url: SecretStr, engine: Engine) -> None:
    migrate(service, url)
    first = in_its_own_words(engine)

    migrate(service, url)

    assert in_its_own_words(engine) == first


def test_revisions_are_numbered_and_follow_one_another(service: str) -> None:
    script = ScriptDirectory.from_config(configuration(service, SecretStr("postgresql://unused")))

    numbers = [revision.revision for revision in script.walk_revisions()][::-1]

    assert len(script.get_heads()) == 1
    assert [int(number[:4]) for number in numbers] == list(range(1, len(numbers) + 1))

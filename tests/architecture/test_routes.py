"""The gateway's table and what the services serve are one and the same."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from deploy import openapi
from gateway import routes
from services.ingest import app as ingest
from services.ingest.settings import IngestSettings
from services.measures import app as measures
from services.measures.settings import MeasuresSettings
from services.programmes import app as programmes
from services.programmes.settings import ProgrammesSettings
from shared.principal import new_key

NOWHERE = SecretStr("postgresql+psycopg://nobody@127.0.0.1:1/nothing")  # no app connects before it is asked something


@pytest.fixture(scope="module")
def apps() -> dict[str, FastAPI]:
    _, key = new_key()
    common = {"database_url": NOWHERE, "principal_key": key}
    return {
        "ingest": ingest.create_app(IngestSettings(**common, pseudonym_key=SecretStr("k" * 64))),
        "measures": measures.create_app(MeasuresSettings(**common)),
        "programmes": programmes.create_app(ProgrammesSettings(**common)),
    }


def served(apps: dict[str, FastAPI]) -> Iterator[tuple[str, str, str]]:
    for service, app in apps.items():
        for path, methods in app.openapi()["paths"].items():
            for method in methods:
                yield service, unnamed(path), method.upper()


def tabled() -> Iterator[tuple[str, str, str]]:
    for row in routes.TABLE:
        if row.service in routes.SERVICES:
            for method in row.needs:
                yield row.service, unnamed(row.path), method


def unnamed(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_operation_of_a_service_is_in_the_table(apps: dict[str, FastAPI]) -> None:
    assert sorted(set(served(apps)) - set(tabled())) == []


def test_the_table_promises_nothing_that_no_service_serves(apps: dict[str, FastAPI]) -> None:
    assert sorted(set(tabled()) - set(served(apps))) == []


def test_operation_ids_are_unique_over_all_services(apps: dict[str, FastAPI]) -> None:
    ids = [
        operation["operationId"]
        for app in apps.values()
        for methods in app.openapi()["paths"].values()
        for operation in methods.values()
    ]
    assert sorted(ids) == sorted(set(ids))


def test_the_openapi_document_is_current() -> None:
    assert openapi.FILE.read_text() == openapi.document(), "run `make contracts` and commit gateway/openapi.json"

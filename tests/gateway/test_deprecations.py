"""Operations that are going say so: in every answer and in the reference."""

from collections.abc import Iterator
from datetime import date

import httpx
import pytest

from deploy.serving import Server
from gateway.app import create_app
from gateway.deprecations import DEPRECATED, Deprecation
from gateway.routes import TABLE
from tests.gateway.conftest import NewDatabase, Upstream, new_settings

GOING = (
    Deprecation("GET", "/v1/series", date(2026, 1, 1), date(2027, 1, 1), "Use `GET /v1/charts`."),
    Deprecation("GET", "/.well-known/jwks.json", date(2026, 1, 1), date(2027, 1, 1), "Ask somebody."),
)
TOLD = {
    "deprecation": "@1767225600",
    "sunset": "Fri, 01 Jan 2027 00:00:00 GMT",
    "link": '</docs>; rel="deprecation"',
}


@pytest.fixture(scope="module")
def http(new_database: NewDatabase) -> Iterator[httpx.Client]:
    with Server(Upstream()) as services:
        upstreams = dict.fromkeys(("ingest", "programmes", "measures"), services.url)
        app = create_app(new_settings(new_database("gateway"), upstreams=upstreams), going=GOING)
        with Server(app) as door, httpx.Client(base_url=door.url, timeout=60) as http:
            yield http


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in TOLD}


def test_an_answer_of_an_operation_that_is_going_says_since_when_and_until_when(http: httpx.Client) -> None:
    answer = http.get("/.well-known/jwks.json")

    assert answer.status_code == 200
    assert told(answer) == TOLD


def test_an_answer_of_an_operation_that_stays_says_nothing_of_it(http: httpx.Client) -> None:
    assert told(http.get("/.well-known/oauth-authorization-server")) == {}


def test_the_reference_marks_what_is_going_and_nothing_else(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]

    marked = {path: one for path, item in paths.items() for one in item.values() if one.get("deprecated")}
    assert list(marked) == ["/.well-known/jwks.json"]
    one = marked["/.well-known/jwks.json"]
    assert one["x-sunset"] == "2027-01-01"
    assert one["description"].startswith("**Deprecated** since 2026-01-01; it may be gone from 2027-01-01 on. Ask")


def test_what_is_going_is_still_there_and_has_some_time() -> None:
    there = {(method, row.path) for row in TABLE for method in row.needs}

    assert {(one.method, one.path) for one in DEPRECATED} <= there
    assert all((one.sunset - one.since).days >= 180 for one in DEPRECATED)

"""Pages of other origins: those named may call from a browser, no other, and none where none is named."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from gateway.routes import TABLE
from tests.gateway.conftest import new_settings

PAGES = "https://pages.example"
OTHER = "https://other.example"
ADDRESS = "/v1/series"


@pytest.fixture(scope="module")
def open_to_pages(listen: Any) -> Iterator[Any]:
    with listen(allowed_origins=(PAGES, "http://127.0.0.1:5173")) as gateway:
        yield gateway


def preflight(gateway: Any, origin: str, *, method: str = "GET", headers: str = "authorization") -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    answer: httpx.Response = gateway.http.options(ADDRESS, headers=asked)
    return answer


@pytest.mark.parametrize("origin", [PAGES, "http://127.0.0.1:5173"])
def test_a_browser_is_told_that_a_page_of_a_named_origin_may_call(open_to_pages: Any, origin: str) -> None:
    answer = preflight(open_to_pages, origin, method="POST", headers="authorization, content-type, idempotency-key")

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_every_method_of_the_table_may_be_asked_for(open_to_pages: Any) -> None:
    for method in {method for row in TABLE for method in row.needs}:
        assert preflight(open_to_pages, PAGES, method=method).status_code == 204


@pytest.mark.parametrize(
    "origin", [OTHER, "null", f"{PAGES}.evil.example", "http://pages.example", f"{PAGES}:8443", PAGES.upper()]
)
def test_a_page_of_any_other_origin_may_not(open_to_pages: Any, origin: str) -> None:
    answer = preflight(open_to_pages, origin)

    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/origin-not-allowed"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("asked", [{"method": "TRACE"}, {"headers": "cookie"}, {"headers": "x-psip-principal"}])
def test_a_page_may_not_send_what_is_not_for_it(open_to_pages: Any, asked: dict[str, str]) -> None:
    assert preflight(open_to_pages, PAGES, **asked).status_code == 403


def test_a_page_may_read_the_answer_and_the_headers_that_say_how_to_go_on(open_to_pages: Any) -> None:
    bearer = open_to_pages.client().bearer

    mine = open_to_pages.http.get(ADDRESS, headers=bearer | {"Origin": PAGES})
    theirs = open_to_pages.http.get(ADDRESS, headers=bearer | {"Origin": OTHER})

    assert mine.status_code == theirs.status_code == 200
    assert mine.headers["Access-Control-Allow-Origin"] == PAGES
    readable = mine.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "RateLimit", "Retry-After", "X-Request-ID"} <= set(readable)
    assert "Access-Control-Allow-Origin" not in theirs.headers
    assert "Origin" in theirs.headers["Vary"]


def test_a_page_may_read_why_it_was_refused(open_to_pages: Any) -> None:
    answer = open_to_pages.http.get(ADDRESS, headers={"Origin": PAGES})

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, PAGES)


def test_where_no_origin_is_named_no_page_may_call(gateway: Any) -> None:
    asked = preflight(gateway, PAGES)
    answer = gateway.http.get(ADDRESS, headers=gateway.client().bearer | {"Origin": PAGES})

    assert asked.status_code == 405
    assert answer.status_code == 200
    assert not [name for one in (asked, answer) for name in one.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "text", ["*", "null", "pages.example", "https://pages.example/", "https://*.example", "https://a b", "HTTPS://A"]
)
def test_what_is_no_origin_cannot_be_named(text: str) -> None:
    with pytest.raises(ValidationError, match="is not an origin"):
        new_settings(SecretStr("postgresql://nobody@127.0.0.1:1"), allowed_origins=(text,))

"""Composites: their parts come at once, with the caller's rights, and what is missing is said or refused."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from deploy.serving import Server
from gateway.pages import fetching
from gateway.pages.parts import ORGANISATION, PROGRAMME
from gateway.routes import SERVICES
from shared.principal import Verifier

ADDRESS = "/v1/pages/organisations/RGT"
SECONDS = 60  # a busy machine is not what is tested
ORGANISATION_PATH, MATRIX, RETURNS = "/v1/organisations/RGT", "/v1/matrix", "/v1/returns"


@dataclass
class Services:
    """All three services: each path answers as it is told, or with what it was asked."""

    told: dict[str, tuple[int, Any]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    seen: list[Any] = field(default_factory=list)
    together: int = 0
    cells: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.seen.append(scope)
        while scope["path"] in self.silent or len(self.seen) < self.together:
            await asyncio.sleep(0.005)
        asked = {"path": scope["raw_path"].decode(), "query": scope["query_string"].decode()}
        status, body = self.told.get(scope["path"], (200, asked))
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        headers += [(b"x-psip-cells", b"%d" % self.cells)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def asked(self) -> set[str]:
        """The addresses that were asked for."""
        return {f"{one['raw_path'].decode()}?{one['query_string'].decode()}".rstrip("?") for one in self.seen}


@dataclass
class Page:
    """A gateway before those services."""

    services: Services
    gateway: Any
    bearer: dict[str, str]

    def get(self, address: str = ADDRESS, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        answer: httpx.Response = self.gateway.http.get(address, params=params, headers=self.bearer | (headers or {}))
        return answer

    def parts(self, address: str = ADDRESS) -> dict[str, Any]:
        answer = self.get(address)
        assert answer.status_code == 200, answer.text
        parts: dict[str, Any] = answer.json()["parts"]
        return parts


@pytest.fixture(scope="module")
def listening(listen: Any) -> Iterator[Callable[[], Page]]:
    holder: dict[str, Services] = {}

    async def services(scope: Any, receive: Any, send: Any) -> None:
        await holder.setdefault("now", Services())(scope, receive, send)

    with (
        Server(services) as server,
        listen(upstreams=dict.fromkeys(SERVICES, server.url), page_seconds=SECONDS) as gateway,
    ):
        bearer = gateway.client(organisations=["RGT"], audience="member").bearer

        def page() -> Page:
            holder["now"] = Services()
            return Page(holder["now"], gateway, bearer)

        yield page


class Impatient:
    """asyncio, whose time is up as soon as nobody is waited for but one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def wait(self, tasks: list[asyncio.Task[Any]], *, timeout: float) -> None:
        assert timeout == SECONDS
        waiting = set(tasks)
        while len(waiting) > 1:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "asyncio", Impatient())


@pytest.fixture
def page(listening: Callable[[], Page]) -> Iterator[Page]:
    page = listening()
    yield page
    page.services.silent.clear()


def test_all_parts_are_asked_for_at_once_with_the_callers_own_principal(page: Page) -> None:
    page.services.together = len(ORGANISATION)  # none is answered before all have been asked

    answer = page.get()

    assert answer.json()["complete"] is True
    assert list(answer.json()["parts"]) == [part.name for part in ORGANISATION]
    assert page.services.asked() == {part.address.format(id="RGT") for part in ORGANISATION}
    verifier = Verifier(page.gateway.settings.principal_key)
    principals = {dict(one["headers"])[b"x-psip-principal"].decode() for one in page.services.seen}
    assert {verifier.verify(one).organisations for one in principals} == {frozenset({"RGT"})}
    correlations = {dict(one["headers"])[b"x-correlation-id"].decode() for one in page.services.seen}
    assert correlations == {answer.headers["X-Correlation-ID"]}


def test_the_page_of_a_programme_has_its_own_parts(page: Page) -> None:
    parts = page.parts("/v1/pages/programmes/matneosip")

    assert list(parts) == [part.name for part in PROGRAMME]
    assert parts["driver_diagram"]["data"]["path"] == "/v1/programmes/matneosip/driver-diagram"


def test_a_part_says_how_old_it_is_and_what_it_is(page: Page) -> None:
    page.services.told[MATRIX] = 200, {"as_of": "2026-01-01T00:00:00Z", "items": []}

    parts = page.parts()

    assert parts["matrix"]["age"] > 1000
    assert parts["matrix"]["data"]["items"] == []
    assert (parts["signals"]["status"], parts["signals"]["age"], parts["signals"]["problem"]) == ("ok", None, None)
    assert parts["signals"]["etag"] != parts["matrix"]["etag"]


def test_a_page_says_when_its_newest_part_was_true(page: Page) -> None:
    page.services.told[MATRIX] = 200, {"as_of": "2026-01-01T00:00:00Z", "data_version": 7, "items": []}
    page.services.told[RETURNS] = 200, {"as_of": "2026-02-01T00:00:00+00:00", "data_version": 35, "items": []}

    told = page.get().json()

    assert (told["as_of"], told["data_version"]) == ("2026-02-01T00:00:00+00:00", 42)


def test_what_the_client_may_not_read_is_not_missing(page: Page) -> None:
    page.services.told[RETURNS] = 403, {"type": "/problems/forbidden", "title": "No."}

    answer = page.get(strict="true")

    assert (answer.status_code, answer.json()["complete"]) == (200, True)
    part = answer.json()["parts"]["returns"]
    assert (part["status"], part["data"], part["problem"]["title"]) == ("forbidden", None, "No.")


@pytest.mark.parametrize("told", [(500, {"title": "Broken."}), (200, b"<html>")])
def test_a_part_that_fails_leaves_the_others(page: Page, told: tuple[int, Any]) -> None:
    page.services.told[MATRIX] = told

    answer = page.get()

    parts = answer.json()["parts"]
    assert (answer.status_code, answer.json()["complete"]) == (200, False)
    assert (parts["matrix"]["status"], parts["matrix"]["data"], parts["matrix"]["etag"]) == ("failed", None, None)
    assert parts["matrix"]["problem"]["title"]
    assert {one["status"] for name, one in parts.items() if name != "matrix"} == {"ok"}


@pytest.mark.usefixtures("impatient")
def test_a_part_that_takes_longer_than_all_may_is_late(page: Page) -> None:
    page.services.silent.add(MATRIX)

    parts = page.parts()

    assert (parts["matrix"]["status"], parts["matrix"]["problem"]["type"]) == ("late", "/problems/answer-too-late")
    assert {one["status"] for name, one in parts.items() if name != "matrix"} == {"ok"}


def test_all_or_nothing_is_a_502_that_names_what_is_missing(page: Page) -> None:
    page.services.told[MATRIX] = 500, {"title": "Broken."}

    answer = page.get(strict="true")

    assert answer.status_code == 502
    assert answer.json()["type"] == "/problems/part-missing"
    assert answer.json()["errors"] == [{"pointer": "/parts/matrix", "message": "Broken."}]


def test_what_is_not_there_or_not_to_be_seen_is_a_404_that_tells_nothing_else(page: Page) -> None:
    page.services.told[ORGANISATION_PATH] = 404, {"title": "No organisation has this code.", "status": 404}

    answer = page.get()

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {"title": "No organisation has this code.", "status": 404}


@pytest.mark.usefixtures("impatient")
def test_without_what_the_page_is_of_there_is_no_page(page: Page) -> None:
    page.services.silent.add(ORGANISATION_PATH)

    assert page.get().status_code == 504


def test_a_service_that_cannot_be_reached_is_said_so(listen: Any) -> None:
    with listen(upstreams=dict.fromkeys(SERVICES, "http://127.0.0.1:9")) as gateway:
        answer = gateway.http.get(ADDRESS, headers=gateway.client().bearer)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["type"] == "/problems/service-unreachable"


def test_the_etag_is_of_the_parts_and_not_of_their_age(page: Page) -> None:
    page.services.told[MATRIX] = 200, {"as_of": "2026-01-01T00:00:00Z"}
    tag = page.get().headers["ETag"]

    again = page.get(headers={"If-None-Match": tag})
    page.services.told[MATRIX] = 200, {"as_of": "2026-01-02T00:00:00Z"}
    changed = page.get(headers={"If-None-Match": tag})
    page.services.told[MATRIX] = 500, {"title": "Broken."}
    failed = page.get(headers={"If-None-Match": changed.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert (changed.status_code, failed.status_code) == (200, 200)
    assert len({tag, changed.headers["ETag"], failed.headers["ETag"]}) == 3


def test_an_id_cannot_change_what_is_asked_for(page: Page) -> None:
    page.get("/v1/pages/organisations/R%26within=ENGLAND%3Fa%23b c")

    assert "/v1/matrix?organisation=R%26within%3DENGLAND%3Fa%23b%20c" in page.services.asked()
    assert "/v1/organisations/R%26within%3DENGLAND%3Fa%23b%20c?around=true" in page.services.asked()


def test_a_parameter_that_is_misspelt_is_refused(page: Page) -> None:
    assert page.get(stict="true").status_code == 422


def test_the_figures_of_a_page_are_counted(listen: Any) -> None:
    services = Services(cells=600)
    with (
        Server(services) as server,
        listen(upstreams=dict.fromkeys(SERVICES, server.url), cells_per_minute=1000) as gateway,
    ):
        bearer = gateway.client().bearer
        answers = [gateway.http.get(ADDRESS, headers=bearer) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 429]
    assert answers[1].json()["type"] == "/problems/too-many-cells"
    assert 1 <= int(answers[1].headers["Retry-After"]) <= 60


def test_every_part_is_told_how_long_it_will_be_waited_for(page: Page) -> None:
    page.get()
    told = [dict(one["headers"])[b"x-psip-seconds-left"] for one in page.services.seen]
    assert told == [b"60"] * len(ORGANISATION)

"""Answers that are kept: as good as new until something changes, and never anybody else's."""

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Request, Response
from pydantic import SecretStr
from sqlalchemy import text
from starlette.middleware import Middleware

from deploy.serving import Server
from shared.answers import Edition, KeepAnswers, telling
from shared.caching import answer_with_etag
from shared.db import Database
from shared.principal import HEADER, Audience, Principal, Requires, Signer, Verifier, new_key
from shared.service import create_service
from shared.settings import ServiceSettings

NewDatabase = Callable[[str | None], SecretStr]
Reader = Annotated[Principal, Depends(Requires("measures:read"))]
PATIENCE = 60.0


class Shop:
    """A service whose answers say how often it was asked."""

    def __init__(self, database: Database, signer: Signer) -> None:
        self.database, self.edition = database, Edition(database, "goods")
        self.today = date(2026, 11, 23)
        self.client: httpx.Client
        self._signer = signer

    def get(self, path: str, audience: Audience = "public", *organisations: str, **headers: str) -> httpx.Response:
        who = Principal("somebody", frozenset({"measures:read"}), frozenset(organisations), audience)
        return self.client.get(path, headers={HEADER: self._signer.sign(who), **headers})

    def change(self) -> None:
        """Something changes, and the service has heard of it."""
        before = self.edition.number
        with self.database.session() as session:
            session.execute(text("insert into goods values (1)"))
        ends = time.monotonic() + PATIENCE
        while self.edition.number == before:
            assert time.monotonic() < ends, "nothing was heard of the change"


def routes() -> APIRouter:
    router, numbers = APIRouter(), itertools.count(1)

    @router.get("/kept/{name}")
    def kept(request: Request, caller: Reader, name: str, size: int = 1) -> Response:
        return answer_with_etag(request, f"{next(numbers)} of {name} for {caller.audience}".encode() + b" " * size)

    @router.get("/plain")
    def plain(caller: Reader) -> dict[str, int]:
        return {"number": next(numbers)}

    return router


@pytest.fixture
def shop(new_database: NewDatabase) -> Iterator[Shop]:
    url = new_database(None)
    private, public = new_key()
    database = Database(url, pool_size=2)
    with database.session() as session:
        session.execute(text("create table goods (number int)"))
        for statement in telling("goods", ["goods"]):
            session.execute(text(statement))
    one = Shop(database, Signer(private))
    keep = Middleware(
        KeepAnswers,
        paths=("/kept/", "/plain"),
        edition=one.edition,
        verifier=Verifier(public),
        today=lambda: one.today,
        megabytes=1,
    )
    settings = ServiceSettings(service="shop", database_url=url, principal_key=public)
    app = create_service(settings, database=Database(url), routers=[routes()], middleware=[keep])
    with Server(app) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        one.client = client
        yield one
    database.close()


@pytest.fixture
def listening(shop: Shop) -> Iterator[Shop]:
    with shop.edition.listening():
        ends = time.monotonic() + PATIENCE
        while shop.edition.number is None:
            assert time.monotonic() < ends, "it does not listen"
        yield shop


def test_what_is_asked_again_is_answered_as_before(listening: Shop) -> None:
    first, again = listening.get("/kept/a"), listening.get("/kept/a")

    assert first.text == again.text
    assert first.headers["etag"] == again.headers["etag"]
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


def test_who_has_it_is_told_so(listening: Shop) -> None:
    tag = listening.get("/kept/a").headers["etag"]

    answer = listening.get("/kept/a", **{"If-None-Match": tag})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


def test_a_change_lets_everything_go(listening: Shop) -> None:
    before = listening.get("/kept/a").text
    listening.change()

    assert listening.get("/kept/a").text != before


@pytest.mark.parametrize(
    "other",
    [("member", "RGT"), ("public", "RGT"), ("national",)],
    ids=["another audience and place", "another place", "another audience"],
)
def test_an_answer_is_never_given_to_somebody_who_may_see_something_else(listening: Shop, other: Any) -> None:
    mine = listening.get("/kept/a", "public").text

    assert listening.get("/kept/a", *other).text != mine


@pytest.mark.parametrize("path", ["/kept/b", "/kept/a?size=2"])
def test_another_question_has_another_answer(listening: Shop, path: str) -> None:
    assert listening.get(path).text != listening.get("/kept/a").text


def test_another_day_is_another_question(listening: Shop) -> None:
    before = listening.get("/kept/a").text
    listening.today = date(2026, 11, 24)

    assert listening.get("/kept/a").text != before


def test_who_does_not_say_who_he_is_gets_nothing_that_is_kept(listening: Shop) -> None:
    listening.get("/kept/a")

    assert listening.client.get("/kept/a").status_code == 401
    assert listening.client.get("/kept/a", headers={HEADER: "forged"}).status_code == 401


def test_an_answer_without_a_tag_and_one_too_large_are_not_kept(listening: Shop) -> None:
    for path in ("/plain", "/kept/a?size=2000000"):
        assert listening.get(path).text != listening.get(path).text


def test_the_least_lately_asked_goes_when_there_is_no_room(listening: Shop) -> None:
    first, second = listening.get("/kept/a?size=600000").text, listening.get("/kept/b?size=600000").text

    assert listening.get("/kept/b?size=600000").text == second
    assert listening.get("/kept/a?size=600000").text != first


def test_long_questions_need_room_too(listening: Shop) -> None:
    questions = [f"/kept/a?{'&' * (30_000 + number)}" for number in range(40)]
    first, *_ = [listening.get(one).text for one in questions]

    assert listening.get(questions[0]).text != first


def test_while_nobody_listens_nothing_is_kept(shop: Shop) -> None:
    assert shop.get("/kept/a").text != shop.get("/kept/a").text


def test_when_the_connection_is_lost_it_listens_again_and_trusts_nothing_from_before(listening: Shop) -> None:
    before, edition = listening.get("/kept/a").text, listening.edition.number
    with listening.database.session() as session:
        session.execute(text("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'"))
    ends = time.monotonic() + PATIENCE
    while listening.edition.number in (None, edition):
        assert time.monotonic() < ends, "it does not listen again"

    assert listening.get("/kept/a").text != before

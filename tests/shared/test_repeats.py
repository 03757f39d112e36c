"""A POST that is sent again with its Idempotency-Key gets the first answer, and nothing is done twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from deploy.serving import Server
from shared import repeats
from shared.db import Database, Session, Tables, new_metadata
from shared.principal import HEADER, Principal, Signer, new_key
from shared.problems import Forbidden
from shared.repeats import Once, remember
from shared.service import create_service
from shared.settings import ServiceSettings

PRIVATE, PUBLIC = new_key()
KEPT_FOR = timedelta(hours=1)


class Kept(repeats.FirstAnswer, Tables):
    """The first answers of the service under test."""

    __tablename__ = "kept"
    metadata = new_metadata()


class Backwards:
    """Seals what is kept by turning it round, and by the hash of its request."""

    def seal(self, content: bytes, *, of: str) -> bytes:
        return content[::-1] + of.encode()

    def open(self, sealed: bytes, *, of: str) -> bytes:
        return sealed.removesuffix(of.encode())[::-1]


def routes() -> APIRouter:
    router = APIRouter()

    @router.post("/huddles/{ward}")
    def hold(request: Request, ward: str, _: Once, session: Session, known: bool = True) -> Response:
        """A huddle is held, and counted; not on a ward that nobody knows."""
        counted = text("insert into applied (measure) values (:ward) returning position")
        number = session.execute(counted, {"ward": ward})
        if not known:
            raise Forbidden("there is no such ward")
        body = f"huddle {number.scalar_one()} on {ward}"
        answer = Response(body, 201, headers={"ETag": '"1"', "Location": "/huddles/1"}, media_type="text/plain")
        return remember(request, session, answer)

    return router


Hold = Callable[..., httpx.Response]


@pytest.fixture
def hold(database: Database) -> Iterator[Hold]:
    """Hold a huddle, as some client, with some key."""
    Kept.metadata.create_all(database.engine)
    settings = ServiceSettings(service="tests", database_url=SecretStr("unused"), principal_key=PUBLIC)
    app = create_service(settings, database=database, routers=[routes()])
    repeats.install(app, repeats.FirstAnswers(Kept, Backwards(), KEPT_FOR))
    with Server(app) as server, httpx.Client(base_url=server.url, timeout=60) as http:

        def post(ward: str = "Birch", *, key: str | None = "k-1", who: str = "trust") -> httpx.Response:
            keyed = {} if key is None else {"Idempotency-Key": key}
            principal = Signer(PRIVATE).sign(Principal(who, frozenset()))
            return http.post(f"/huddles/{ward}", content=b"all present", headers={HEADER: principal, **keyed})

        yield post


def held(database: Database) -> int:
    with database.session() as session:
        return session.execute(text("select count(*) from applied")).scalar_one()


def test_a_repeat_gets_the_first_answer_with_its_headers_and_says_so(database: Database, hold: Hold) -> None:
    first, again = hold(), hold()

    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, b"huddle 1 on Birch")
    assert set(again.headers.items()) - set(first.headers.items()) >= {("idempotency-replayed", "true")}
    for name in ("ETag", "Location", "Content-Type", "Content-Length"):
        assert again.headers[name] == first.headers[name]
    assert "Idempotency-Replayed" not in first.headers
    assert held(database) == 1


def test_of_many_at_once_with_one_key_one_is_carried_out(database: Database, hold: Hold) -> None:
    with ThreadPoolExecutor(4) as people:
        answers = {answer.content for answer in people.map(lambda _: hold(), range(8))}

    assert answers == {b"huddle 1 on Birch"}
    assert held(database) == 1


def test_without_a_key_there_are_no_repeats(database: Database, hold: Hold) -> None:
    assert hold(key=None).content != hold(key=None).content
    assert held(database) == 2


def test_a_key_is_for_one_request_and_the_refusal_names_it(database: Database, hold: Hold) -> None:
    hold()

    other = hold("Willow")

    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert other.json()["errors"][0]["parameter"] == "Idempotency-Key"
    assert held(database) == 1


def test_the_key_of_another_client_is_another_key(hold: Hold) -> None:
    hold()

    assert hold("Willow", who="supplier").status_code == 201


def test_what_was_refused_may_be_sent_again_with_its_key(hold: Hold) -> None:
    assert hold("Birch?known=false").status_code == 403
    assert hold("Birch?known=true").status_code == 201


def test_neither_the_answer_nor_the_key_is_kept_as_it_is(database: Database, hold: Hold) -> None:
    hold(key="a-key-that-was-guessed")

    with database.session() as session:
        kept = session.scalars(select(Kept)).one()
        assert b"huddle" not in kept.body
        assert kept.key != "a-key-that-was-guessed"


def test_after_its_time_an_answer_is_forgotten_and_its_key_is_free(database: Database, hold: Hold) -> None:
    hold()
    hold(who="supplier")
    with database.session() as session:
        session.execute(update(Kept).values(at=Kept.at - KEPT_FOR - timedelta(seconds=1)))

    assert "Idempotency-Replayed" not in hold("Willow").headers
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(Kept)) == 2, "of others nothing is forgotten yet"

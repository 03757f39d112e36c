"""Whatever goes wrong, the answer is a problem document that says what to do and gives nothing away."""

from collections.abc import Callable
from typing import Annotated, Any

import httpx
import psycopg
import pytest
from fastapi import APIRouter, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from structlog.testing import capture_logs

from shared.db import Session, driver
from shared.problems import Problem, Unavailable, document, problems

NHS_NUMBER = "943 476 5919"


class Overslept(Problem):
    """The night shift has not handed over.

    Only the first line is the title.
    """

    status, slug = 409, "overslept"


class Bed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ward: str
    number: int


def routes() -> APIRouter:  # noqa: C901 - a list of routes
    router = APIRouter()

    @router.post("/beds", responses=problems(Overslept))
    def add(bed: Bed) -> str:
        return bed.ward

    @router.get("/beds")
    def beds(
        size: Annotated[int, Query(ge=1)] = 1, known_at: str = "", x_ward: Annotated[int, Header()] = 1
    ) -> list[int]:
        return [size]

    @router.get("/handover")
    def handover() -> None:
        raise Overslept("wait for Sister", errors=[{"pointer": "/shift", "message": "not over"}], headers={"A": "b"})

    @router.get("/secret")
    def secret() -> None:
        raise RuntimeError(f"patient {NHS_NUMBER} fell")

    @router.get("/teapot")
    def teapot() -> None:
        raise HTTPException(418, "short and stout")

    @router.get("/kept/{name}")
    def kept(name: str, session: Session) -> str:
        return str(session.execute(text("select cast(:name as text)"), {"name": name}).scalar_one())

    @router.post("/names")
    def name(bed: Bed, session: Session) -> None:
        session.execute(text("select cast(:ward as text)"), {"ward": bed.ward})

    @router.get("/counted/{number}")
    def counted(number: int, session: Session) -> int:
        return int(session.execute(text("select cast(:number as int)"), {"number": number}).scalar_one())

    @router.get("/copied/{name}")
    def copied(name: str, session: Session) -> None:
        driver(session).execute("select %s::text", (name,))

    @router.get("/away")
    def away(session: Session) -> None:
        session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    @router.get("/away-below")
    def away_below() -> None:
        raise psycopg.OperationalError("no route to db.internal")

    @router.get("/doubled")
    def doubled(session: Session) -> None:
        session.execute(text("create temporary table patient (nhs_number text primary key) on commit drop"))
        for _ in range(2):
            session.execute(text("insert into patient values (:nhs_number)"), {"nhs_number": NHS_NUMBER})

    return router


@pytest.fixture
def client(serve: Callable[[APIRouter], httpx.Client]) -> httpx.Client:
    return serve(routes())


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The document in an answer, having checked what all have in common."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    doc: dict[str, Any] = answer.json()
    assert doc["status"] == status
    assert doc["type"] == f"/problems/{slug}"
    assert doc["title"]
    assert doc["detail"]
    assert doc["request_id"] == answer.headers["x-request-id"]
    assert len(answer.headers.get_list("x-request-id")) == 1
    return doc


def test_a_problem_says_what_it_was_told(client: httpx.Client) -> None:
    answer = client.get("/handover")

    doc = problem(answer, 409, "overslept")
    assert doc["title"] == "The night shift has not handed over."
    assert doc["detail"] == "wait for Sister"
    assert doc["errors"] == [{"pointer": "/shift", "message": "not over"}]
    assert answer.headers["A"] == "b"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"ward": "7", "number": "many"}, {"pointer": "/number"}),
        ({"ward": "7"}, {"pointer": "/number"}),
        ({"ward": "7", "number": 1, "a/b~c": 1}, {"pointer": "/a~1b~0c"}),
        ([], {"pointer": ""}),
    ],
)
def test_what_is_wrong_in_a_body_is_pointed_at(client: httpx.Client, body: Any, place: dict[str, str]) -> None:
    doc = problem(client.post("/beds", json=body), 422, "invalid-request")

    assert doc["errors"][0].items() >= place.items()
    assert doc["errors"][0]["message"] in doc["detail"]


def test_a_body_that_is_not_json_is_said_to_be_so_and_where(client: httpx.Client) -> None:
    answer = client.post("/beds", content=b'{"ward": }', headers={"Content-Type": "application/json"})
    doc = problem(answer, 422, "invalid-request")

    assert doc["errors"] == [{"pointer": "", "message": "is not JSON: Expecting value (at character 9)"}]


def test_a_field_there_is_not_is_refused_with_those_there_are(client: httpx.Client) -> None:
    doc = problem(client.post("/beds", json={"ward": "7", "number": 1, "wards": 1}), 422, "invalid-request")

    assert doc["errors"] == [{"pointer": "/wards", "message": "there is no such field; this takes: ward, number"}]


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        (b"{", 422, "invalid-request"),
        (b"", 422, "invalid-request"),
        (b'{"ward": "\\ud800", "number": 1}', 422, "invalid-request"),
        (b'{"ward": "a\\u0000b", "number": 1}', 422, "invalid-request"),
        (b'{"\\ud800": 1}', 422, "invalid-request"),
        (b"\xff", 422, "invalid-request"),
        (b"[" * 9999, 422, "invalid-request"),
    ],
)
def test_a_body_that_cannot_be_read_or_kept_is_the_callers_doing(
    client: httpx.Client, body: bytes, status: int, slug: str
) -> None:
    answer = client.post("/names", content=body, headers={"Content-Type": "application/json"})

    problem(answer, status, slug)


def test_what_is_wrong_in_a_parameter_is_named_and_its_value_is_not_repeated(client: httpx.Client) -> None:
    doc = problem(client.get("/beds", params={"size": NHS_NUMBER}), 422, "invalid-request")
    assert doc["errors"][0]["parameter"] == "size"
    assert NHS_NUMBER not in str(doc)

    doc = problem(client.get("/beds", headers={"X-Ward": "seven"}), 422, "invalid-request")
    assert doc["errors"][0]["parameter"] == "x-ward"


def test_an_unknown_parameter_is_refused_and_the_known_ones_are_told(client: httpx.Client) -> None:
    doc = problem(client.get("/beds", params={"sise": 2, "known_at": ""}), 422, "invalid-request")

    assert [one["parameter"] for one in doc["errors"]] == ["sise"]
    assert "known_at, size" in doc["detail"]
    assert problem(client.get("/handover", params={"x": 1}), 422, "invalid-request")["detail"].endswith("none")


def test_an_unknown_address_and_a_wrong_method_are_problems_too(client: httpx.Client) -> None:
    problem(client.get("/nowhere"), 404, "not-found")
    problem(client.get("/beds/"), 404, "not-found")

    answer = client.delete("/handover")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_other_errors_of_the_framework_keep_their_status(client: httpx.Client) -> None:
    assert problem(client.get("/teapot"), 418, "i'm-a-teapot")["detail"] == "short and stout"


def test_an_unexpected_error_tells_the_caller_nothing(client: httpx.Client) -> None:
    answer = client.get("/secret")

    doc = problem(answer, 500, "unexpected")
    assert NHS_NUMBER not in answer.text
    assert "RuntimeError" not in answer.text
    assert set(doc) == {"type", "title", "status", "detail", "request_id"}


def test_an_unexpected_error_reaches_our_log_once_and_the_servers_log_never(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as lines:
        client.get("/secret")

    assert [line["event"] for line in lines] == ["unexpected error", "request"]
    assert lines[0]["error"] == "RuntimeError"
    assert lines[1]["status"] == 500
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/kept/a%00b", "/copied/a%00b", "/counted/99999999999"])
def test_what_the_database_cannot_hold_is_the_callers_doing(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 422, "invalid-request")


@pytest.mark.parametrize("path", ["/away", "/away-below"])
def test_while_the_database_is_away_the_caller_is_asked_to_come_back(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "db.internal" not in answer.text


def test_what_the_database_says_of_values_stays_with_it(client: httpx.Client) -> None:
    with capture_logs() as lines:
        answer = client.get("/doubled")

    problem(answer, 500, "unexpected")
    error = lines[0]["exc_info"]
    assert "hide_parameters" in str(error)
    assert NHS_NUMBER not in str(error).partition("\n")[0]


def test_the_answers_a_route_may_give_are_documented_by_status() -> None:
    answers = problems(Overslept, Unavailable)

    assert set(answers) == {409, 503}
    content = answers[409]["content"]["application/problem+json"]
    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert content["examples"]["overslept"]["value"] == document(Overslept(), request_id="01J9ZQ")
    assert answers[409]["description"] == Overslept.title()


def test_problems_of_one_status_share_an_entry() -> None:
    class Late(Overslept):
        """Too late."""

        slug = "late"

    (entry,) = problems(Overslept, Late).values()

    assert entry["description"] == "The night shift has not handed over. / Too late."
    assert set(entry["content"]["application/problem+json"]["examples"]) == {"overslept", "late"}

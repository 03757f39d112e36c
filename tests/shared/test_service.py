"""What every service has: ids, health, metrics, and answers that come after the commit."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing

import httpx
import psycopg
import pytest
import structlog
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from deploy.postgres import Postgres
from shared.db import SECONDS_LEFT, Database, Session
from shared.telemetry import Trail, configure_logging, said, trail

Serve = Callable[..., httpx.Client]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/trail/{step}")
    def show(step: str) -> dict[str, str]:
        now = trail()
        assert now is not None
        bound = structlog.contextvars.get_contextvars()
        return {"request": now.request_id, "correlation": now.correlation_id, "traceparent": now.traceparent} | {
            "logged": bound["correlation_id"]
        }

    @router.post("/beds", status_code=202)
    def add(ward: str, session: Session) -> dict[str, str]:
        session.execute(text("insert into bed values (:ward)"), {"ward": ward})
        return {"status": "accepted"}

    @router.get("/broken")
    def broken() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"the first half"
            raise RuntimeError("and no second")

        return StreamingResponse(parts())

    @router.get("/time")
    def time_left(session: Session) -> str:
        return str(session.execute(text("show statement_timeout")).scalar_one())

    @router.get("/sleep")
    def sleep(session: Session) -> None:
        session.execute(text("select pg_sleep(60)"))

    return router


@pytest.fixture
def beds(database: Database) -> Database:
    """A table whose constraint is looked at only at the commit."""
    with database.session() as session:
        session.execute(text("create table bed (ward text unique deferrable initially deferred)"))
    return database


def count_beds(database: Database) -> int:
    with database.session() as session:
        return int(session.execute(text("select count(*) from bed")).scalar_one())


def test_nobody_holds_a_202_for_what_failed_to_commit(serve: Serve, beds: Database) -> None:
    client = serve(routes())
    assert client.post("/beds", params={"ward": "7"}).status_code == 202

    answer = client.post("/beds", params={"ward": "7"})

    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/unexpected"
    assert count_beds(beds) == 1


def test_what_was_answered_is_committed_when_the_answer_comes(serve: Serve, beds: Database) -> None:
    client = serve(routes())

    for number in range(1, 6):
        assert client.post("/beds", params={"ward": str(number)}).status_code == 202
        assert count_beds(beds) == number


@pytest.mark.parametrize(
    ("told", "left"),
    [("5", "5s"), ("30.5", "30500ms"), ("", "0"), ("0", "0"), ("-1", "0"), ("soon", "0"), ("inf", "0"), ("1e99", "0")],
)
def test_a_statement_takes_no_longer_than_its_answer_is_waited_for(serve: Serve, told: str, left: str) -> None:
    assert serve(routes()).get("/time", headers={SECONDS_LEFT: told}).json() == left


def test_a_statement_that_nobody_waits_for_any_more_is_stopped_and_the_caller_told_so(serve: Serve) -> None:
    answer = serve(routes()).get("/sleep", headers={SECONDS_LEFT: "0.05"})
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/answer-too-late")
    assert "ask for less" in answer.json()["detail"]


def test_a_longer_time_than_a_service_gives_any_statement_changes_nothing(database: Database) -> None:
    url = SecretStr(database.engine.url.render_as_string(hide_password=False))
    with closing(Database(url, statement_seconds=60)) as limited:
        found = []
        for seconds in (None, 600, 5):
            with limited.session(seconds=seconds) as session:
                found.append(session.execute(text("show statement_timeout")).scalar_one())
    assert found == ["1min", "1min", "5s"]


def test_ids_that_were_sent_are_echoed_and_known_inside(serve: Serve) -> None:
    answer = serve(routes()).get(
        "/trail/one",
        headers={"X-Request-Id": "req-1", "X-Correlation-Id": "ward/7", "traceparent": f"00-{TRACE}-{SPAN}-00"},
    )

    assert answer.headers["x-request-id"] == "req-1"
    assert answer.headers["x-correlation-id"] == "ward/7"
    inside = answer.json()
    assert (inside["request"], inside["correlation"], inside["logged"]) == ("req-1", "ward/7", "ward/7")
    version, trace, span, flags = inside["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "00")
    assert span != SPAN


def test_ids_that_were_not_sent_are_made(serve: Serve) -> None:
    client = serve(routes())

    first, second = client.get("/trail/one"), client.get("/trail/one")

    assert first.headers["x-request-id"] == first.headers["x-correlation-id"] == first.json()["request"]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.json()["traceparent"].split("-")[1] != second.json()["traceparent"].split("-")[1]


@pytest.mark.parametrize("hostile", ["", "a b", "x" * 129, "<script>", '"', "a;b", "caf\u00e9", "${jndi:ldap://x}"])
def test_hostile_ids_are_replaced(serve: Serve, hostile: str) -> None:
    headers = {name: hostile.encode("latin-1") for name in ("X-Request-Id", "X-Correlation-Id", "traceparent")}

    answer = serve(routes()).get("/trail/one", headers=headers)

    assert answer.status_code == 200
    assert hostile not in (answer.headers["x-request-id"], answer.headers["x-correlation-id"])
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_a_trace_that_is_none_is_not_continued(traceparent: str) -> None:
    assert Trail.begin(traceparent=traceparent).traceparent.split("-")[1] not in traceparent


def test_every_answer_carries_the_ids_whatever_it_is(serve: Serve) -> None:
    client = serve(routes())

    for path in ("/trail/one", "/nowhere", "/health/live", "/metrics", "/trail/one?unknown=1"):
        assert client.get(path, headers={"X-Request-Id": "req-1"}).headers.get_list("x-request-id") == ["req-1"]


def test_an_answer_that_breaks_off_is_not_completed_with_something_else(serve: Serve) -> None:
    client = serve(routes())

    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/broken")


def test_it_is_live_and_ready(serve: Serve) -> None:
    client = serve(routes())

    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "checks": {"database": "ok"}}


def test_it_is_not_ready_while_a_check_fails_but_it_lives(serve: Serve) -> None:
    def explode() -> bool:
        raise RuntimeError("password=hunter2")

    client = serve(routes(), checks={"bus": lambda: False, "book": explode})

    ready = client.get("/health/ready")

    assert ready.status_code == 503
    assert ready.json() == {"status": "not ready", "checks": {"database": "ok", "bus": "failed", "book": "failed"}}
    assert client.get("/health/live").status_code == 200


def test_it_is_not_ready_without_its_database(serve: Serve, database: Database, postgres: Postgres) -> None:
    client = serve(routes())
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        name = sql.Identifier(database.engine.url.database or "")
        connection.execute(sql.SQL("drop database {} with (force)").format(name))

    assert client.get("/health/ready").json()["checks"] == {"database": "failed"}


def test_requests_are_counted_by_route_and_never_by_what_a_caller_wrote(serve: Serve) -> None:
    client = serve(routes())

    client.get("/trail/one")
    client.get("/trail/two")
    client.get("/nowhere/943-476-5919")
    metrics = client.get("/metrics").text

    assert 'psip_http_requests_total{method="GET",route="/trail/{step}",status="200"} 2.0' in metrics
    assert 'route="unknown",status="404"} 1.0' in metrics
    assert "943-476" not in metrics


def test_one_line_is_logged_for_each_request_and_none_for_probes(serve: Serve) -> None:
    client = serve(routes())

    with capture_logs() as lines:
        client.get("/health/live")
        client.get("/metrics")
        client.get("/trail/943-476-5919")

    (line,) = lines
    assert (line["method"], line["route"], line["status"]) == ("GET", "/trail/{step}", 200)
    assert "943-476" not in str(line)


def test_what_stands_beside_a_service_begins_and_ends_with_it(serve: Serve) -> None:
    story: list[str] = []

    @asynccontextmanager
    async def beside() -> AsyncIterator[None]:
        story.append("begun")
        yield
        story.append("ended")

    client = serve(routes(), beside=beside)

    assert client.get("/health/live").status_code == 200
    assert story == ["begun"]


def test_an_error_is_logged_without_the_values_that_it_speaks_of(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    error = ValueError("Failing row\nDETAIL: 943 476 5919")
    try:
        configure_logging()
        try:
            try:
                raise LookupError("the cause\n943 476 5919")
            except LookupError as cause:
                nhs_number = "943 476 5919"
                raise error from cause
        except ValueError:
            assert nhs_number
            structlog.get_logger().error("unexpected error", exc_info=True)
    finally:
        structlog.configure(**before)

    written = capsys.readouterr().err
    line = json.loads(written)
    assert [one["exc_value"] for one in line["exception"]] == ["Failing row", "the cause"]
    assert "943 476" not in written
    assert said(error) == "ValueError: Failing row"

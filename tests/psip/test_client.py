"""The client before a real server that stands in for the gateway and answers as it is told."""

import gzip
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from deploy.serving import Server
from psip import Client, PsipProblem

RECEIPT = {
    "id": "s1", "feed": "births", "status": "accepted", "faults": [], "returns": [],
    "rows": {"received": 2, "accepted": 2, "unchanged": 0, "duplicate": 0, "waiting": 0, "rejected": 0},
}  # fmt: skip
ITEM = {
    "measure": "m", "organisation": "RGT", "stratum": "", "period": "2026-09", "numerator": 3, "denominator": 40,
    "value": 7.5, "lower_95": None, "upper_95": None, "status": "value", "provisional": False, "completeness": 1,
    "versions": ["v1"],
}  # fmt: skip


@dataclass
class Gateway:
    """What the client was answered from, and everything it sent."""

    url: str = ""
    answers: deque[Response] = field(default_factory=deque)
    tokens: deque[Response] = field(default_factory=deque)
    seen: list[tuple[Request, bytes]] = field(default_factory=list)
    issued: int = 0
    seconds: int = 600
    slept: list[float] = field(default_factory=list)

    def client(self, **options: Any) -> Client:
        return Client(self.url, "me", "secret", sleep=self.slept.append, **options)

    def headers(self, name: str) -> list[str | None]:
        return [request.headers.get(name) for request, _ in self.seen]

    @property
    def last(self) -> tuple[Request, bytes]:
        return self.seen[-1]


def receipt(**changes: Any) -> Response:
    return JSONResponse(RECEIPT | changes, 201)


def busy(status: int = 503, **headers: str) -> Response:
    return JSONResponse({"title": "Busy", "status": status, "detail": "later"}, status, headers=headers)


def cut() -> Response:
    """An answer that breaks off."""
    return StreamingResponse(iter([b"{"]), headers={"Content-Length": "100"})


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    told = Gateway()
    app = FastAPI()

    @app.post("/oauth2/token")
    async def token(request: Request) -> Response:
        if told.tokens:
            return told.tokens.popleft()
        told.issued += 1
        return JSONResponse({"access_token": f"token-{told.issued}", "expires_in": told.seconds})

    @app.api_route("/v1/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def anything(request: Request) -> Response:
        told.seen.append((request, await request.body()))
        return told.answers.popleft()

    with Server(app) as server:
        told.url = server.url
        yield told


def test_rows_bytes_and_files_arrive_as_what_they_are(gateway: Gateway, tmp_path: Path) -> None:
    packed = tmp_path / "births.csv.gz"
    packed.write_bytes(gzip.compress(b"a\n1\n"))
    plain = tmp_path / "births.parquet"
    plain.write_bytes(b"PAR1")
    sent = [[{"a": 1}, {"a": None}], b"a\n1\n", packed, str(plain)]
    gateway.answers.extend(receipt() for _ in sent)
    with gateway.client() as client:
        for what in sent:
            client.submit(what, feed="births")
    assert [body for _, body in gateway.seen] == [b'{"a": 1}\n{"a": null}', b"a\n1\n", packed.read_bytes(), b"PAR1"]
    assert gateway.headers("Content-Type") == [
        "application/x-ndjson", "text/csv", "text/csv", "application/vnd.apache.parquet",
    ]  # fmt: skip
    assert gateway.headers("Content-Encoding") == [None, None, "gzip", None]


def test_a_file_that_is_watched_tells_how_much_has_gone_and_begins_again_when_it_is_sent_again(
    gateway: Gateway, tmp_path: Path
) -> None:
    file = tmp_path / "births.csv"
    file.write_bytes(b"x" * 100_000)
    gateway.answers.extend([busy(), receipt()])
    told: list[int] = []
    with gateway.client() as client:
        client.submit(file, feed="births", sent=told.append)
    assert told == [0, 65_536, 100_000, 100_000] * 2
    assert [len(body) for _, body in gateway.seen] == [100_000] * 2
    assert gateway.headers("Content-Length") == ["100000"] * 2


def test_a_submission_says_whose_it_is_and_how_long_it_waits(gateway: Gateway) -> None:
    gateway.answers.append(receipt())
    with gateway.client() as client:
        client.submit(b"a\n", feed="births", organisation="RGT", period="2026-09", final=True, wait=3)
    request, _ = gateway.last
    assert dict(request.query_params) == {
        "feed": "births", "organisation": "RGT", "period": "2026-09", "final": "true",
    }  # fmt: skip
    assert request.headers["Prefer"] == "wait=3"


def test_nothing_to_report_is_a_nil_return(gateway: Gateway) -> None:
    gateway.answers.append(receipt())
    with gateway.client() as client:
        client.submit(None, feed="care-home-weekly", organisation="VN001", period="2026-W40")
    request, body = gateway.last
    assert (request.query_params["nil"], body) == ("true", b"")


def test_a_file_whose_name_does_not_tell_its_type_is_not_guessed_at(gateway: Gateway, tmp_path: Path) -> None:
    with gateway.client() as client, pytest.raises(ValueError, match="content_type"):
        client.submit(tmp_path / "births.dat", feed="births")


def test_the_receipt_tells_whether_it_was_given_before(gateway: Gateway) -> None:
    again = receipt()
    again.headers["Idempotency-Replayed"] = "true"
    gateway.answers.extend([receipt(), again])
    with gateway.client() as client:
        told = [client.submit(b"a\n", feed="births", idempotency_key="k").replayed for _ in range(2)]
    assert told == [False, True]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_platform_is_asked_again_when_it_says(gateway: Gateway, status: int, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"a\n" * 100_000)
    gateway.answers.extend([busy(status, **{"Retry-After": "7"}), receipt()])
    with gateway.client() as client:
        client.submit(file, feed="births")
    assert gateway.slept == [7.0]
    assert [len(body) for _, body in gateway.seen] == [200_000, 200_000]
    first, second = gateway.headers("Idempotency-Key")
    assert first == second


def test_a_lost_answer_is_asked_for_again_with_the_same_key(gateway: Gateway) -> None:
    gateway.answers.extend([cut(), receipt()])
    with gateway.client() as client:
        assert client.submit(b"a\n", feed="births").status == "accepted"
    first, second = gateway.headers("Idempotency-Key")
    assert first == second is not None


def test_two_submissions_have_two_keys(gateway: Gateway) -> None:
    gateway.answers.extend([receipt(), receipt()])
    with gateway.client() as client:
        for _ in range(2):
            client.submit(b"a\n", feed="births")
    assert len(set(gateway.headers("Idempotency-Key"))) == 2


def test_what_may_have_been_done_and_must_not_be_done_twice_is_not_sent_again(gateway: Gateway) -> None:
    gateway.answers.append(cut())
    with gateway.client() as client, pytest.raises(httpx.TransportError):
        client.patch("/v1/webhooks/w", {"enabled": False})
    assert len(gateway.seen) == 1


def test_what_may_have_been_made_is_sent_again_with_the_key_by_which_it_is_made_once(gateway: Gateway) -> None:
    gateway.answers.extend([busy(), cut(), busy(504), JSONResponse({"id": "a"}, 201), JSONResponse({"id": "b"}, 201)])
    with gateway.client() as client:
        told = [client.post("/v1/annotations", {"text": "begun"})["id"] for _ in range(2)]
    *first, second = gateway.headers("Idempotency-Key")
    assert told == ["a", "b"]
    assert len(set(first)) == 1
    assert first[0] is not None
    assert second not in first


def test_what_was_not_done_is_sent_again(gateway: Gateway) -> None:
    gateway.answers.extend([busy(), JSONResponse({"id": "a"}, 201)])
    with gateway.client() as client:
        assert client.post("/v1/annotations", {"text": "begun"}, reason="why") == {"id": "a"}
    request, body = gateway.last
    assert (request.query_params["reason"], body) == ("why", b'{"text": "begun"}')


@pytest.mark.parametrize(("method", "sent"), [("put", b'{"text": "ended"}'), ("patch", b'{"text": "ended"}')])
def test_what_is_there_is_changed_at_its_path(gateway: Gateway, method: str, sent: bytes) -> None:
    gateway.answers.append(JSONResponse({"id": "a"}))
    with gateway.client() as client:
        assert getattr(client, method)("/v1/annotations/a", {"text": "ended"}, reason="why") == {"id": "a"}
    request, body = gateway.last
    assert (request.method, request.query_params["reason"], body) == (method.upper(), "why", sent)


def test_what_is_taken_away_may_be_answered_with_nothing(gateway: Gateway) -> None:
    gateway.answers.append(Response(status_code=204))
    with gateway.client() as client:
        assert client.delete("/v1/webhooks/w") is None
    request, body = gateway.last
    assert (request.method, request.headers.get("Content-Type"), body) == ("DELETE", None, b"")


def test_every_item_of_a_list_is_had_page_after_page(gateway: Gateway) -> None:
    for items, place in ([1, 2], "more"), ([], "on"), ([3], None):
        gateway.answers.append(JSONResponse({"items": items, "next_cursor": place}))
    with gateway.client() as client:
        assert list(client.each("/v1/organisations", kind="icb")) == [1, 2, 3]
    asked = [(request.query_params["kind"], request.query_params.get("cursor")) for request, _ in gateway.seen]
    assert asked == [("icb", None), ("icb", "more"), ("icb", "on")]


def test_attempts_come_to_an_end(gateway: Gateway) -> None:
    gateway.answers.extend(busy() for _ in range(3))
    with gateway.client(attempts=3) as client, pytest.raises(PsipProblem) as raised:
        client.get("/v1/series")
    assert (raised.value.status, len(gateway.seen)) == (503, 3)


def test_a_platform_that_cannot_be_reached_is_told_as_such() -> None:
    slept: list[float] = []
    client = Client("http://127.0.0.1:9", "me", "secret", attempts=3, sleep=slept.append)
    with client, pytest.raises(httpx.ConnectError):
        client.get("/v1/series")
    assert len(slept) == 2


def test_a_problem_has_everything_that_was_said(gateway: Gateway) -> None:
    errors = [{"parameter": "feed", "message": "no such feed"}]
    document = {"title": "No feed has this name.", "detail": "xx", "status": 422, "errors": errors, "request_id": "r1"}
    gateway.answers.append(JSONResponse(document, 422))
    with gateway.client() as client, pytest.raises(PsipProblem) as raised:
        client.submit(b"a\n", feed="xx")
    problem = raised.value
    assert (problem.title, problem.detail, problem.status, problem.errors, problem.request_id) == (
        "No feed has this name.", "xx", 422, errors, "r1",
    )  # fmt: skip
    assert str(problem) == "422 No feed has this name. xx (request r1)"


def test_an_answer_that_the_platform_did_not_write_is_a_problem_too(gateway: Gateway) -> None:
    gateway.answers.append(Response("<html>no</html>", 404, headers={"X-Request-ID": "r2"}))
    with gateway.client() as client, pytest.raises(PsipProblem) as raised:
        client.get("/v1/series")
    assert (raised.value.title, raised.value.detail, raised.value.request_id) == ("Not Found", "<html>no</html>", "r2")


def test_an_answer_that_leads_elsewhere_is_a_problem_that_says_where(gateway: Gateway) -> None:
    gateway.tokens.append(Response(status_code=308, headers={"Location": "https://psip.example/oauth2/token"}))
    with gateway.client() as client, pytest.raises(PsipProblem, match=r"308 .* https://psip\.example/oauth2/token"):
        client.get("/v1/series")


def test_a_problem_says_when_to_come_again(gateway: Gateway) -> None:
    gateway.answers.append(busy(429, **{"Retry-After": "7"}))
    with gateway.client(attempts=1) as client, pytest.raises(PsipProblem) as raised:
        client.get("/v1/series")
    assert raised.value.retry_after == 7.0


@pytest.mark.parametrize("what", [{"falls": 3}, pl.DataFrame({"falls": [3]})])
def test_what_is_not_a_list_of_rows_is_said_to_be_none(gateway: Gateway, what: Any) -> None:
    with gateway.client() as client, pytest.raises(TypeError, match="a list of them, even of one; of a data frame"):
        client.submit(what, feed="care-home-weekly")


def test_a_number_that_is_none_is_named_by_its_row(gateway: Gateway) -> None:
    with gateway.client() as client, pytest.raises(ValueError, match=r"row 2: .*; None is what is missing"):
        client.submit([{"falls": 3}, {"falls": float("nan")}], feed="care-home-weekly")


def test_what_is_not_json_is_had_as_it_is(gateway: Gateway) -> None:
    gateway.answers.append(Response(b"<svg/>", media_type="image/svg+xml"))
    with gateway.client() as client:
        assert client.read("/v1/charts/m/RGT", format="svg") == b"<svg/>"
    assert gateway.last[0].query_params["format"] == "svg"


def test_one_token_serves_many_requests(gateway: Gateway) -> None:
    gateway.answers.extend(receipt() for _ in range(3))
    with gateway.client() as client:
        for _ in range(3):
            client.get("/v1/x")
    assert gateway.headers("Authorization") == ["Bearer token-1"] * 3


def test_a_token_is_renewed_before_it_ends(gateway: Gateway) -> None:
    gateway.seconds = 0
    gateway.answers.extend(receipt() for _ in range(2))
    with gateway.client() as client:
        for _ in range(2):
            client.get("/v1/x")
    assert gateway.headers("Authorization") == ["Bearer token-1", "Bearer token-2"]


def test_a_token_that_is_refused_is_renewed_once(gateway: Gateway) -> None:
    gateway.answers.extend([busy(401), receipt(), busy(401), busy(401)])
    with gateway.client() as client:
        client.submit(b"a\n", feed="births")
        with pytest.raises(PsipProblem, match="401"):
            client.submit(b"a\n", feed="births")
    assert gateway.headers("Authorization") == [f"Bearer token-{number}" for number in (1, 2, 2, 3)]


def test_a_client_that_is_not_let_in_hears_why(gateway: Gateway) -> None:
    refusal = {"error": "invalid_client", "error_description": "the secret is not that of this client"}
    gateway.tokens.append(JSONResponse(refusal, 401))
    with gateway.client() as client, pytest.raises(PsipProblem, match="the secret is not that of this client"):
        client.get("/v1/x")
    assert not gateway.seen


def test_waiting_asks_until_the_platform_has_finished(gateway: Gateway) -> None:
    gateway.answers.extend([receipt(status="processing"), receipt(status="processing"), receipt()])
    with gateway.client() as client:
        told = client.wait(client.submit(b"a\n", feed="births"))
    assert (told.status, len(gateway.slept)) == ("accepted", 2)
    assert gateway.last[0].url.path == "/v1/submissions/s1"


def test_waiting_comes_to_an_end(gateway: Gateway) -> None:
    gateway.answers.extend(receipt(status="processing") for _ in range(20))
    with gateway.client() as client, pytest.raises(TimeoutError, match="s1"):
        client.wait(client.submit(b"a\n", feed="births"), seconds=5)


def test_a_series_is_asked_for_by_its_periods_and_becomes_a_frame(gateway: Gateway) -> None:
    missing = ITEM | {"period": "2026-10", "numerator": None, "value": None, "status": "not_submitted", "versions": []}
    gateway.answers.append(JSONResponse({"items": [ITEM, missing], "data_version": 9}))
    with gateway.client() as client:
        series = client.series("m", "RGT", first="2026-09", last="2026-10", org_basis="as_is_now")
    assert dict(gateway.last[0].query_params) == {
        "measure": "m", "organisation": "RGT", "from": "2026-09", "to": "2026-10", "org_basis": "as_is_now",
    }  # fmt: skip
    frame = series.to_polars()
    assert frame["value"].to_list() == [7.5, None]
    assert frame["numerator"].to_list() == [3.0, None]
    assert frame.schema["versions"] == pl.List(pl.String)
    assert series.document["data_version"] == 9


def test_a_series_without_items_is_a_frame_with_the_same_columns(gateway: Gateway) -> None:
    gateway.answers.extend([JSONResponse({"items": []}), JSONResponse({"items": [ITEM]})])
    with gateway.client() as client:
        empty, full = (client.series("m", "RGT").to_polars() for _ in range(2))
    assert (empty.height, empty.schema) == (0, full.schema)


def test_a_chart_is_the_resource_as_it_was_answered(gateway: Gateway) -> None:
    gateway.answers.append(JSONResponse({"variation": "common_cause"}))
    with gateway.client() as client:
        assert client.chart("mn-preterm", "RGT", stratum="imd_quintile=1") == {"variation": "common_cause"}
    assert gateway.last[0].url.path == "/v1/charts/mn-preterm/RGT"

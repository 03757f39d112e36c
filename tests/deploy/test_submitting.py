"""`psip submit` before a server that stands in for the platform: what is printed, and the exit status."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from typer.testing import CliRunner

from deploy.cli import app
from deploy.serving import Server

ROWS = {"received": 3, "accepted": 3, "unchanged": 0, "duplicate": 0, "waiting": 0, "rejected": 0}
FAULT = {
    "code": "not-a-number",
    "severity": "error",
    "column": "numerator",
    "found": "nine",
    "expected": "a number",
    "hint": "write figures",
    "example": "9",
    "count": 12,
    "rows": [3, *range(20, 30)],
}
RECEIPT = {
    "id": "s1", "feed": "births", "status": "accepted", "dry_run": False, "faults": [], "faults_total": 0, "rows": ROWS,
    "returns": [
        {"organisation": "RGT", "period": "2026-01", "version": 2, "status": "final", "kind": "rows", "rows": 3}
    ],
    "links": {"faults": "/v1/submissions/s1/faults"},
}  # fmt: skip


@dataclass
class Platform:
    """What it answers, and what it was sent."""

    url: str = ""
    answers: list[Response] = field(default_factory=list)
    seen: list[tuple[Request, bytes]] = field(default_factory=list)


@pytest.fixture
def platform() -> Iterator[Platform]:
    told = Platform()
    served = FastAPI()

    @served.post("/oauth2/token")
    async def token(request: Request) -> Response:
        return JSONResponse({"access_token": request.headers["authorization"], "expires_in": 600})

    @served.api_route("/v1/{path:path}", methods=["GET", "POST"])
    async def anything(request: Request) -> Response:
        told.seen.append((request, await request.body()))
        return told.answers.pop(0)

    with Server(served) as server:
        told.url = server.url
        yield told


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "births.csv"
    path.write_text("a\n1\n")
    return path


def ran(platform: Platform, *words: str, **environment: str | None) -> Result:
    mine: dict[str, str | None] = {"PSIP_URL": platform.url, "PSIP_CLIENT_ID": "me", "PSIP_CLIENT_SECRET": "s"}
    return CliRunner().invoke(app, ["submit", *words], env={**mine, "COLUMNS": "200", **environment})


def receipt(**changes: Any) -> Response:
    return JSONResponse(RECEIPT | changes, 201)


@pytest.mark.parametrize(
    ("status", "code"), [("accepted", 0), ("partly_accepted", 3), ("rejected", 4), ("failed", 1), ("withdrawn", 1)]
)
def test_the_exit_status_says_what_became_of_it(platform: Platform, file: Path, status: str, code: int) -> None:
    platform.answers.append(receipt(status=status))

    assert ran(platform, str(file), "--feed", "births").exit_code == code


def test_everything_that_may_be_said_of_a_submission_is_sent(platform: Platform, file: Path) -> None:
    platform.answers.append(receipt())

    ran(
        platform, str(file), "--feed", "births", "--organisation", "RGT", "--period", "2026-01", "--mode", "merge",
        "--feed-version", "1.1.0",
        "--dry-run", "--atomic", "--final", "--idempotency-key", "k", "--content-type", "text/x",
    )  # fmt: skip

    ((request, body),) = platform.seen
    assert dict(request.query_params) == {
        "feed": "births", "organisation": "RGT", "period": "2026-01", "mode": "merge", "dry_run": "true",
        "feed_version": "1.1.0",
        "atomic": "true", "final": "true",
    }  # fmt: skip
    assert (request.headers["Idempotency-Key"], request.headers["Content-Type"], body) == ("k", "text/x", b"a\n1\n")


def test_a_receipt_is_read_like_a_sentence(platform: Platform, file: Path) -> None:
    platform.answers.append(receipt())

    told = ran(platform, str(file), "--feed", "births").stdout.splitlines()

    assert told == [
        "accepted",
        "  receipt   s1",
        "  rows      3 received: 3 accepted",
        "  return    RGT 2026-01, version 2: 3 rows, final",
    ]


def test_a_fault_names_its_lines_its_column_and_its_remedy(platform: Platform, file: Path) -> None:
    platform.answers.append(receipt(status="partly_accepted", faults=[FAULT], faults_total=40))

    told = ran(platform, str(file), "--feed", "births").stdout

    assert told.splitlines()[5:] == [
        "error: not-a-number, lines 3, 20, 21, 22, 23, 24, 25, 26 and 4 more, column numerator",
        "  found     nine",
        "  expected  a number",
        "  hint      write figures",
        "  example   9",
        "",
        "28 more faults: /v1/submissions/s1/faults",
    ]


def test_a_fault_of_the_whole_file_has_no_line(platform: Platform, file: Path) -> None:
    whole = FAULT | {"column": None, "found": None, "rows": [], "count": 1}
    platform.answers.append(receipt(status="rejected", faults=[whole], faults_total=1))

    assert "error: not-a-number, the file\n  expected" in ran(platform, str(file), "--feed", "births").stdout


def test_what_takes_longer_is_waited_for(platform: Platform, file: Path) -> None:
    platform.answers.extend([receipt(status="processing"), receipt()])

    assert ran(platform, str(file), "--feed", "births").exit_code == 0
    assert platform.seen[-1][0].url.path == "/v1/submissions/s1"


def test_what_takes_too_long_is_said_with_the_receipt_to_ask_for(platform: Platform, file: Path) -> None:
    platform.answers.append(receipt(status="processing"))

    told = ran(platform, str(file), "--feed", "births", "--wait", "0")

    assert (told.exit_code, "s1 is still being processed" in told.stderr) == (1, True)


def test_nothing_to_report_needs_no_file(platform: Platform) -> None:
    nil = RECEIPT["returns"][0] | {"kind": "nil", "rows": 0}  # type: ignore[index]
    platform.answers.append(receipt(rows=dict.fromkeys(ROWS, 0), returns=[nil]))

    told = ran(platform, "--nil", "--feed", "births", "--organisation", "RGT", "--period", "2026-01")

    assert platform.seen[0][0].query_params["nil"] == "true"
    assert "  rows      0 received\n  return    RGT 2026-01, version 2: nil, 0 rows, final" in told.stdout


@pytest.mark.parametrize("words", [(), ("births.csv", "--nil"), ("births.csv", "--mode", "append")])
def test_a_command_that_makes_no_sense_is_not_sent(platform: Platform, words: tuple[str, ...]) -> None:
    assert ran(platform, *words, "--feed", "births").exit_code == 2
    assert not platform.seen


def test_a_refusal_says_what_is_wrong_and_where(platform: Platform, file: Path) -> None:
    errors = [{"parameter": "feed", "message": "no such feed"}]
    platform.answers.append(JSONResponse({"title": "No feed has this name.", "detail": "x", "errors": errors}, 422))

    told = ran(platform, str(file), "--feed", "x")

    assert told.exit_code == 1
    assert told.stderr == "422 No feed has this name. x\n  feed: no such feed\n"


def test_a_file_that_is_not_there_is_said_so(platform: Platform, tmp_path: Path) -> None:
    told = ran(platform, str(tmp_path / "gone.csv"), "--feed", "births")

    assert (told.exit_code, "gone.csv" in told.stderr) == (1, True)


def test_words_in_square_brackets_are_printed_as_they_are(platform: Platform, file: Path) -> None:
    fault = FAULT | {"found": "[withheld]", "expected": "[/bold]"}
    platform.answers.append(receipt(faults=[fault], faults_total=12))

    told = ran(platform, str(file), "--feed", "births").stdout

    assert "  found     [withheld]\n  expected  [/bold]\n" in told


NOBODY = {"PSIP_URL": None, "PSIP_CLIENT_ID": None, "PSIP_CLIENT_SECRET": None}


def test_without_credentials_the_demonstrations_supplier_sends_or_whom_one_asks_for(
    platform: Platform, file: Path, tmp_path: Path
) -> None:
    clients = {name: {"client_id": name, "client_secret": "s"} for name in ("supplier", "trust")}
    (tmp_path / "demo.json").write_text(json.dumps({"base_url": platform.url, "clients": clients}))
    platform.answers.extend([receipt(), receipt()])
    demonstration = [str(file), "--feed", "births", "--data-dir", str(tmp_path)]

    ran(platform, *demonstration, **NOBODY)
    ran(platform, *demonstration, "--as", "trust")
    unknown = ran(platform, *demonstration, "--as", "nurse")

    first, second = (request.headers["Authorization"] for request, _ in platform.seen)
    assert (first, second) == ("Bearer Basic c3VwcGxpZXI6cw==", "Bearer Basic dHJ1c3Q6cw==")
    assert "it has supplier, trust" in str(unknown.exception)


@pytest.mark.parametrize("environment", [NOBODY, {"PSIP_CLIENT_SECRET": None}])
def test_without_any_credentials_one_is_told_what_to_set(
    platform: Platform, file: Path, tmp_path: Path, environment: dict[str, str | None]
) -> None:
    told = ran(platform, str(file), "--feed", "births", "--data-dir", str(tmp_path), **environment)

    assert told.exit_code == 1
    assert "PSIP_URL, PSIP_CLIENT_ID and PSIP_CLIENT_SECRET" in str(told.exception)

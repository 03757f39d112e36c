"""What is sent wrong is told clearly, once, and leaves nothing behind."""

import socket
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from deploy.databases import service_url
from tests.journeys.journey import Journey

COUNTS = "/v1/submissions?feed=measure-counts"
HEADER = b"organisation,period,measure,numerator,denominator\n"
ROW = b"RTD,2025-05,ss-pu,31,9000\n"
CSV, JSON = "text/csv", "application/json"
TABLES = ("submission", "submission_part", "return", "return_version", "return_part", "waiting_row", "outbox")


class Wrong(NamedTuple):
    """What is sent, and the problem that answers it."""

    body: bytes
    status: int
    slug: str
    says: str
    path: str = COUNTS
    content_type: str = CSV


GARBAGE = bytes(range(256)) * 40_000
WRONG = {
    "an empty file": Wrong(b"", 422, "unreadable-file", "empty"),
    "nothing but line ends": Wrong(b"\r\n\r\n\r\n", 422, "unreadable-file", "empty"),
    "nothing but a header": Wrong(HEADER, 422, "unreadable-file", "nil return"),
    "ten megabytes of garbage": Wrong(GARBAGE, 422, "unreadable-file", ""),
    "ten megabytes without a line end": Wrong(b"A" * 10_000_000, 422, "unreadable-file", ""),
    "garbage that calls itself JSON": Wrong(GARBAGE, 422, "unreadable-file", "", content_type=JSON),
    "JSON that is cut off": Wrong(b'[{"organisation": "RTD"', 422, "unreadable-file", "", content_type=JSON),
    "a picture": Wrong(b"\x89PNG\r\n", 415, "unsupported-format", "image/png", content_type="image/png"),
    "an unknown feed": Wrong(HEADER + ROW, 422, "unknown-feed", "weather", "/v1/submissions?feed=weather"),
    "no feed": Wrong(HEADER + ROW, 422, "invalid-request", "feed", "/v1/submissions"),
    "an organisation that is not": Wrong(
        HEADER + ROW, 422, "unknown-organisation", "ZZZ99", COUNTS + "&organisation=ZZZ99"
    ),
    "a period that is none": Wrong(HEADER + ROW, 422, "invalid-request", "2025-13", COUNTS + "&period=2025-13"),
    "a parameter that is none": Wrong(HEADER + ROW, 422, "invalid-request", "colour", COUNTS + "&colour=blue"),
}


@pytest.fixture
def stored(journey: Journey) -> Iterator[Any]:
    """How many rows the tables of ingest hold."""
    url = service_url(journey.platform.environment.server_url(), "ingest").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:

        def count() -> dict[str, int]:
            found = {}
            for table in TABLES:
                (row,) = connection.execute(f'select count(*) from "{table}"').fetchall()
                found[table] = row[0]
            return found

        yield count


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_taken_is_a_problem_that_says_why(journey: Journey, stored: Any, name: str) -> None:
    wrong, before = WRONG[name], stored()

    answer = journey.http("supplier").post(wrong.path, content=wrong.body, headers={"Content-Type": wrong.content_type})

    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (wrong.status, f"/problems/{wrong.slug}")
    assert wrong.says.lower() in str(problem).lower()
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert len(answer.content) < 4000
    assert stored() == before


def test_every_problem_has_a_page_that_explains_it(journey: Journey) -> None:
    slugs = {wrong.slug for wrong in WRONG.values()}

    with httpx.Client(base_url=journey.url, timeout=60) as anybody:
        pages = {slug: anybody.get(f"/problems/{slug}").status_code for slug in slugs}

    assert pages == dict.fromkeys(slugs, 200)


def test_a_file_in_another_encoding_is_read_or_refused_but_never_garbled(journey: Journey) -> None:
    header = HEADER.rstrip() + b",stratum\n"
    row = "RTD,2025-06,ss-pu,31,9000,ward=Caf\u00e9\n"
    supplier = journey.as_("supplier")

    western = supplier.submit(header + row.encode("cp1252"), feed="measure-counts", dry_run=True)
    utf8 = supplier.submit(header + row.encode("utf-8-sig"), feed="measure-counts", dry_run=True)
    told = {"Content-Type": CSV}
    text = (header + row.encode()).decode()
    wide = journey.http("supplier").post(COUNTS, content=text.encode("utf-32"), headers=told)

    assert [fault["code"] for fault in western.faults] == ["windows-1252"]
    assert (western.rows["accepted"], utf8.faults) == (1, [])
    assert (wide.status_code, wide.json()["type"]) == (422, "/problems/unreadable-file")


def test_rows_of_an_organisation_that_nobody_knows_wait_and_say_so(journey: Journey) -> None:
    rows = HEADER + ROW.replace(b"RTD", b"ZZ8")

    receipt = journey.as_("supplier").submit(rows, feed="measure-counts")

    (fault,) = receipt.faults
    assert (receipt.rows["waiting"], receipt.returns) == (1, [])
    assert (fault["code"], fault["found"], fault["rows"]) == ("unknown-organisation", "ZZ8", [2])
    assert fault["hint"]


@pytest.mark.parametrize("feed", ["measure-counts", "incidents"])
@pytest.mark.parametrize("row", [b"{}", b"[1]", b"7", b"null", b"organisation,period", b'{"colour": "blue"}'])
def test_rows_that_say_nothing_are_refused(journey: Journey, stored: Any, feed: str, row: bytes) -> None:
    before = stored()

    answer = journey.http("supplier").post(
        f"/v1/submissions?feed={feed}&organisation=RTD&period=2025-05",
        content=(row + b"\n") * 3,
        headers={"Content-Type": "application/x-ndjson"},
    )

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unreadable-file")
    assert stored() == before


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_body_that_is_cut_off_half_way_leaves_nothing(journey: Journey, stored: Any, framing: str) -> None:
    before, address = stored(), urlsplit(journey.url)
    token = journey.http("supplier").headers["Authorization"]
    head = f"POST {COUNTS} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: {token}\r\nContent-Type: {CSV}\r\n"
    rows = HEADER + ROW * 1000
    part = b"%x\r\n%b\r\n" % (len(rows), rows) if "chunked" in framing else rows

    with socket.create_connection((address.hostname, address.port), timeout=60) as line:
        line.sendall(f"{head}{framing}\r\n\r\n".encode() + part)
        line.shutdown(socket.SHUT_WR)
        heard = line.recv(4096)

    assert not heard.startswith((b"HTTP/1.1 201", b"HTTP/1.1 202"))
    whole = journey.as_("supplier").submit(HEADER + ROW, feed="measure-counts", dry_run=True)
    assert whole.rows["accepted"] == 1
    assert stored() == before

"""The parts of a page, fetched at once with the caller's own rights and within one deadline."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import orjson
import structlog

from gateway.limits import CELLS, cells_of
from gateway.pages.parts import Part
from gateway.pool import Patience
from gateway.problems import BrokenAnswer
from gateway.proxy import Proxy, problem_of
from gateway.wire import Answer, UpstreamError, checked
from shared import telemetry
from shared.caching import etag
from shared.db import SECONDS_LEFT
from shared.problems import AnswerTooLate, Problem, document

LARGEST_PART = 16_000_000  # bytes
LINES = 9  # of the head of a request
Status = Literal["ok", "forbidden", "failed", "late"]
log = structlog.get_logger()


class Fetched(NamedTuple):
    """What became of one part: its data, or a problem; `told` is the HTTP status behind it, `cells` its figures.

    `wait` is what `Retry-After` is to say, where the service cannot be reached.
    """

    status: Status
    told: int
    etag: str | None
    data: Any
    problem: dict[str, Any] | None
    cells: int = 0
    wait: str | None = None

    @property
    def age(self) -> float | None:
        """Seconds since the data was true (`as_of`); None where it does not say."""
        as_of = self.data.get("as_of") if isinstance(self.data, dict) else None
        if not isinstance(as_of, str):
            return None
        return max(0.0, round((datetime.now(UTC) - datetime.fromisoformat(as_of)).total_seconds(), 3))

    @property
    def missing(self) -> bool:
        """Whether it should be there and is not; what the caller may not see is not missing."""
        return self.status in ("failed", "late")


async def fetch(proxy: Proxy, parts: Sequence[Part], *, name: str, principal: str, seconds: float) -> list[Fetched]:
    """Every part, in their order, those that take longer than all of them may as `late`.

    `name` is the id that the addresses hold, `principal` the signed one the caller came with.
    """
    tasks = [asyncio.create_task(_part(proxy, part, name, principal, seconds)) for part in parts]
    try:
        await asyncio.wait(tasks, timeout=seconds)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    return [one if isinstance(one, Fetched) else _late(one) for one in ended]


def _late(reason: BaseException) -> Fetched:
    if not isinstance(reason, asyncio.CancelledError):
        raise reason
    return _problem(AnswerTooLate(), "late")


async def _part(proxy: Proxy, part: Part, name: str, principal: str, seconds: float) -> Fetched:
    try:
        status, body, headers = await _get(proxy, part, name, principal, seconds)
        data = orjson.loads(body)
    except UpstreamError as error:
        log.warning("a part of a page is missing", part=part.name, service=part.service, error=type(error).__name__)
        return _problem(problem_of(error), "failed")
    except ValueError:
        return _problem(BrokenAnswer(), "failed")
    if status == HTTPStatus.OK:
        return Fetched("ok", status, headers.get("etag") or etag(body), data, None, cells_of(headers.get(CELLS, "")))
    return Fetched("forbidden" if status == HTTPStatus.FORBIDDEN else "failed", status, None, None, data)


async def _get(
    proxy: Proxy, part: Part, name: str, principal: str, seconds: float
) -> tuple[int, bytes, dict[str, str]]:
    service = proxy.services[part.service]
    trail = telemetry.trail()
    assert trail is not None  # noqa: S101 - FollowTrail has been before us
    lines = (
        f"GET {part.address.format(id=quote(name, safe=''))} HTTP/1.1",
        f"host: {service.pool.origin.authority.decode()}",
        "accept: application/json",
        f"x-psip-principal: {principal}",
        f"{SECONDS_LEFT}: {seconds:g}",
        f"x-request-id: {trail.request_id}",
        f"x-correlation-id: {trail.correlation_id}",
        f"traceparent: {trail.traceparent}",
    )
    head = checked("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"), lines=LINES)
    answer = await service.send(head, repeatable=True, patience=Patience())
    try:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        return answer.status, await _whole(answer), headers
    finally:
        answer.close()


async def _whole(answer: Answer) -> bytes:
    body = bytearray()
    while part := await answer.read(None):
        body += part
        if len(body) > LARGEST_PART:
            raise ValueError("a part of a page is larger than a page can be")
    return bytes(body)


def _problem(problem: Problem, status: Status) -> Fetched:
    trail = telemetry.trail()
    told = document(problem, request_id=trail.request_id if trail else None)
    return Fetched(status, problem.status, None, None, told, wait=problem.headers.get("Retry-After"))

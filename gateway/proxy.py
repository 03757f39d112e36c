"""Carries a request to its service and the answer back, both as streams of which only a little is held at a time.

What is between two machines only (RFC 9110, 7.6.1) stops here; so does whatever a caller could use to pass for somebody
else. The framing of each request is made anew, so what a caller sends can never be read as two requests.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import structlog
from starlette.types import Receive, Scope, Send

from gateway.pool import Origin, Patience
from gateway.problems import BrokenAnswer, HeadersTooLarge, ServiceUnreachable
from gateway.routes import Row
from gateway.service import ClientGone, LeftAlone, Service
from gateway.uploads import CHUNKED, Upload, framing
from gateway.wire import (
    Answer,
    Broken,
    CannotConnect,
    ConnectTooSlow,
    Headers,
    PoolTooSlow,
    TooSlow,
    UnsafeHead,
    UpstreamError,
    checked,
)
from shared import telemetry
from shared.db import SECONDS_LEFT
from shared.problems import AnswerTooLate, InvalidRequest, Problem

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
NOT_FORWARDED = HOP_BY_HOP | frozenset(
    b"host expect content-length authorization cookie forwarded x-real-ip x-request-id x-correlation-id "
    b"traceparent x-sandbox-clock x-scenario".split()
)
ONLY_OURS = (b"x-psip-", b"x-forwarded-", b"x_psip_", b"x_forwarded_")
NOT_RETURNED = HOP_BY_HOP | frozenset(b"server date x-request-id x-correlation-id".split())
LARGEST_HEAD = 32 * 1024
SMALL_BODY = 64 * 1024  # sent together with the head
WATCH_AFTER = 0.05  # an answer that comes sooner is not worth watching the caller for
NOSNIFF = (b"x-content-type-options", b"nosniff")
RETRY_SECONDS = 2

AGAIN = "nothing was sent to it: the request can be repeated after the seconds that Retry-After says"
PERHAPS = "it may or may not have been carried out: repeat it, a change with the same Idempotency-Key"
PROBLEMS: tuple[tuple[type[UpstreamError], type[Problem], str], ...] = (
    (LeftAlone, ServiceUnreachable, AGAIN),
    (CannotConnect, ServiceUnreachable, AGAIN),
    (ConnectTooSlow, ServiceUnreachable, AGAIN),
    (PoolTooSlow, ServiceUnreachable, AGAIN),
    (Broken, BrokenAnswer, PERHAPS),
    (TooSlow, AnswerTooLate, PERHAPS),
)
log = structlog.get_logger()

Extra = Headers | Callable[[Answer], Awaitable[Headers]]


def problem_of(error: UpstreamError) -> Problem:
    """What a caller is told of a request that got no answer, and what to do."""
    kind, remedy = next((kind, remedy) for wrong, kind, remedy in PROBLEMS if isinstance(error, wrong))
    wait = error.seconds if isinstance(error, LeftAlone) else RETRY_SECONDS
    headers = {"Retry-After": str(wait)} if kind is ServiceUnreachable else {}
    return kind(f"the service behind this address {_SAID[kind]}; {remedy}", headers=headers)


_SAID: Mapping[type[Problem], str] = {
    ServiceUnreachable: "cannot be reached just now",
    BrokenAnswer: "broke off",
    AnswerTooLate: "did not answer in time",
}


class Proxy:
    """The way to the services. Belongs to one event loop."""

    def __init__(self, upstreams: Mapping[str, str], *, public_url: str) -> None:
        scheme, _, authority = public_url.partition("://")
        outside = f"x-forwarded-proto: {scheme}\r\nx-forwarded-host: {authority.rstrip('/')}\r\n".encode("ascii")
        self._services = {
            name: Service(name, origin, headers=b"host: %b\r\n%b" % (origin.authority, outside))
            for name, origin in ((name, Origin.of_url(url)) for name, url in upstreams.items())
        }

    @property
    def services(self) -> Mapping[str, Service]:
        """The services by name."""
        return self._services

    def close(self) -> None:
        """Close every connection."""
        for service in self._services.values():
            service.pool.close()

    async def forward(
        self, scope: Scope, receive: Receive, send: Send, *, row: Row, principal: bytes, extra: Extra
    ) -> int:
        """Carry the request to the row's service and its answer back with the `extra` headers; the answer's status.

        `extra` may be a function of the answer, asked before anything of it is given back. Raises a Problem when
        there is no answer to give, and nothing has been sent yet; ClientGone when nobody is there to be given one.
        """
        service = self._services[row.service]
        framed = framing(scope["headers"], row)
        head = _request_head(scope, service.headers, principal, framed, row)
        watch = _Watch(receive)
        try:
            body = await _body(receive, framed, row, watch)
            repeatable = scope["method"] == "GET" and not framed
            answer = await _send(service, head, body, chunked=framed == CHUNKED, repeatable=repeatable, row=row)
            try:
                more = extra if isinstance(extra, list) else await extra(answer)
                await _relay(answer, send, watch, more, service, row)
                return answer.status
            finally:
                answer.close()
        except asyncio.CancelledError:
            if not watch.gone:
                raise
            watch.acknowledge()
            raise ClientGone from None
        finally:
            watch.stop()


LINES_OF_OURS = 10  # the request line, host, two x-forwarded, the principal, the time, three ids, the blank line
_SECONDS_LEFT = SECONDS_LEFT.lower().encode()


def _request_head(scope: Scope, fixed: bytes, principal: bytes, framed: bytes, row: Row) -> bytes:
    query = scope["query_string"]
    target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
    trail = telemetry.trail()
    assert trail is not None  # noqa: S101 - FollowTrail has been before us
    ours = b"%b %b HTTP/1.1\r\n%bx-psip-principal: %b\r\n%b: %d\r\n%b" % (
        scope["method"].encode("ascii"), target, fixed, principal, _SECONDS_LEFT, row.seconds, framed,
    )  # fmt: skip
    ids = (
        f"x-request-id: {trail.request_id}\r\nx-correlation-id: {trail.correlation_id}\r\n"
        f"traceparent: {trail.traceparent}\r\n"
    )
    named = _named_by_connection(scope["headers"])
    theirs = [
        b"%b: %b\r\n" % (name, value)
        for name, value in scope["headers"]
        if name not in NOT_FORWARDED and name not in named and not name.startswith(ONLY_OURS)
    ]
    head = b"".join([ours, ids.encode("ascii"), *theirs, b"\r\n"])
    if len(head) > LARGEST_HEAD:
        raise HeadersTooLarge(f"all headers together may hold {LARGEST_HEAD} bytes")
    try:
        return checked(head, lines=LINES_OF_OURS + bool(framed) + len(theirs))
    except UnsafeHead as error:
        raise InvalidRequest("a header or the path holds a line break") from error


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    """Headers that `Connection` says are for this connection only."""
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            return frozenset(one.strip().lower() for n, v in headers if n == b"connection" for one in v.split(b","))
    return frozenset()


async def _send(
    service: Service, head: bytes, body: bytes | AsyncIterator[bytes], *, chunked: bool, repeatable: bool, row: Row
) -> Answer:
    patience = Patience(read=row.seconds, write=row.seconds)
    try:
        return await service.send(head, body, chunked=chunked, repeatable=repeatable, patience=patience)
    except UpstreamError as error:
        if isinstance(error.__cause__, ClientGone | Problem):
            raise error.__cause__ from None
        log.warning("no answer from a service", service=row.service, error=type(error).__name__)
        raise problem_of(error) from error


async def _relay(answer: Answer, send: Send, watch: "_Watch", extra: Headers, service: Service, row: Row) -> None:
    """Give the answer to the caller as it comes. One that breaks off is broken off for the caller too."""
    await send({"type": "http.response.start", "status": answer.status, "headers": _returned(answer.headers, extra)})
    while not answer.complete:
        part = answer.take()
        try:
            if part:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await answer.more(row.seconds)
        except UpstreamError as error:
            log.warning("an answer broke off", service=row.service, error=type(error).__name__)
            service.failed(error)
            return
    watch.stop()
    await send({"type": "http.response.body", "body": answer.take(), "more_body": False})


def _returned(headers: Headers, extra: Headers) -> Headers:
    returned = [one for one in headers if one[0] not in NOT_RETURNED and not one[0].startswith(b"x-psip-")]
    if not any(name == b"cache-control" for name, _ in returned):
        returned.append((b"cache-control", b"private, no-cache"))
    return [*returned, NOSNIFF, *extra]


class _Watch:
    """Cancels the work for a caller that has hung up. Looks only when an answer takes its time."""

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - requests are tasks
        self.gone = False
        self._receive, self._worker = receive, task
        self._timer: asyncio.TimerHandle | None = None
        self._listener: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look from now on, or soon; the body has been read."""
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._listen)

    def _listen(self) -> None:
        self._listener = asyncio.get_running_loop().create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._worker.cancel()

    def acknowledge(self) -> None:
        """The cancellation was ours and has done its work."""
        self._worker.uncancel()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()


async def _body(receive: Receive, framed: bytes, row: Row, watch: "_Watch") -> bytes | AsyncIterator[bytes]:
    """The body: whole if it is small, part by part if not."""
    if not framed:
        watch.begin()
        return b""
    upload = Upload(receive, row, framed)
    first = await upload.part()
    if not upload.done or len(first) > SMALL_BODY:
        return _parts(first, upload, watch)
    watch.begin()
    return first


async def _parts(first: bytes, upload: Upload, watch: "_Watch") -> AsyncIterator[bytes]:
    yield first
    while not upload.done:
        yield await upload.part()
    watch.begin()

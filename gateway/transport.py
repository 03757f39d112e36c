"""httpx's API over our own connections: the same client code, without the stock pool's cost.

    async with httpx.AsyncClient(transport=Transport()) as client:
        answer = await client.get("http://127.0.0.1:8001/health/live")

Time-outs, streaming both ways, TLS and cancellation work as httpx documents them; HTTP/2 and proxies are not there.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from gateway import wire
from gateway.pool import Origin, Patience, Pool

HTTPX_ERRORS: tuple[tuple[type[wire.UpstreamError], type[httpx.TransportError]], ...] = (
    (wire.CannotConnect, httpx.ConnectError),
    (wire.ConnectTooSlow, httpx.ConnectTimeout),
    (wire.PoolTooSlow, httpx.PoolTimeout),
    (wire.Broken, httpx.RemoteProtocolError),
    (wire.TooSlow, httpx.ReadTimeout),
)


class Transport(httpx.AsyncBaseTransport):
    """An httpx transport with a pool for each origin, all of the event loop it is first used in.

    `sockets` maps a host name to the socket file on which that host is reached: `{"ingest": "/run/ingest.sock"}`.
    """

    def __init__(
        self, *, size: int = 100, context: ssl.SSLContext | None = None, sockets: Mapping[str, str] | None = None
    ) -> None:
        self._size, self._context, self._sockets = size, context, dict(sockets or {})
        self._pools: dict[tuple[str, str, int | None], Pool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; the answer's body is read from the connection as it is asked for."""
        pool = self._pool(request.url)
        patience = Patience(**request.extensions.get("timeout", {}))
        head, chunked = _head(request)
        body = await _body(request)
        try:
            answer = await pool.send(
                head, body, chunked=chunked, to_head_request=request.method == "HEAD", patience=patience
            )
        except wire.UpstreamError as error:
            raise _as_httpx(error, request) from error
        stream = _Body(answer, request, patience)
        return httpx.Response(answer.status, headers=answer.headers, stream=stream, extensions=_HTTP_1_1)

    def _pool(self, url: httpx.URL) -> Pool:
        key = (url.scheme, url.host, url.port)
        pool = self._pools.get(key)
        if pool is None:
            tls = url.scheme == "https"
            origin = Origin(url.host, url.port or (443 if tls else 80), tls=tls, socket=self._sockets.get(url.host))
            pool = self._pools[key] = Pool(origin, size=self._size, context=self._context if tls else None)
        return pool

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()


_HTTP_1_1: dict[str, Any] = {"http_version": b"HTTP/1.1"}


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: wire.Answer, request: httpx.Request, patience: Patience) -> None:
        self._answer, self._request, self._patience = answer, request, patience

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while part := await self._answer.read(self._patience.read):
                yield part
        except wire.UpstreamError as error:
            raise _as_httpx(error, self._request) from error

    async def aclose(self) -> None:
        self._answer.close()


def _head(request: httpx.Request) -> tuple[bytes, bool]:
    """The request line and headers, and whether the body goes in chunks."""
    lines = [b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b\r\n" % header for header in request.headers.raw]
    head = wire.checked(b"".join([*lines, b"\r\n"]), lines=len(lines) + 1)
    return head, request.headers.get("Transfer-Encoding", "").lower() == "chunked"


async def _body(request: httpx.Request) -> bytes | httpx.AsyncByteStream:
    if isinstance(request.stream, httpx.ByteStream):
        return await request.aread()
    assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101 - an async client makes no other
    return request.stream


def _as_httpx(error: wire.UpstreamError, request: httpx.Request) -> httpx.TransportError:
    return next(theirs for ours, theirs in HTTPX_ERRORS if isinstance(error, ours))(str(error), request=request)

"""Connections to one service, kept and shared: the one used last is used first, and there are never more than `size`.

A plain double-ended queue and one event loop: nothing is scanned and nothing is locked, which is what keeps the gateway
quick (the pool of stock httpx costs more than everything else the gateway does).
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from gateway.wire import Answer, Broken, CannotConnect, Connection, ConnectTooSlow, PoolTooSlow

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a service listens: a host and port, with or without TLS, or a socket file."""

    host: str
    port: int = 80
    tls: bool = False
    socket: str | None = None

    @classmethod
    def of_url(cls, url: str) -> Self:
        """`http://host:port`, `https://host` or `http+unix://%2Fpath%2Fof%2Fsocket`. Raises ValueError for others."""
        parts = urlsplit(url)
        if parts.path not in ("", "/") or parts.query or not parts.netloc:
            raise ValueError(f"{url} is not the address of a service: scheme and host only")
        if parts.scheme == "http+unix":
            return cls("localhost", socket=unquote(parts.netloc))
        if parts.scheme not in PORTS or parts.hostname is None:
            raise ValueError(f"{url} is not the address of a service: http, https or http+unix")
        return cls(parts.hostname, parts.port or PORTS[parts.scheme], tls=parts.scheme == "https")

    @property
    def authority(self) -> bytes:
        """The `Host` header of requests to it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = self.socket is not None or self.port == PORTS["https" if self.tls else "http"]
        return (host if standard else f"{host}:{self.port}").encode("idna" if not host.isascii() else "ascii")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each step may take, in seconds; None is for ever. `read` is one silence, not the whole answer."""

    connect: float | None = 2
    pool: float | None = 5
    write: float | None = 60
    read: float | None = 60


class Pool:
    """Connections to one origin. Belongs to the event loop it is first used in."""

    def __init__(
        self,
        origin: Origin,
        *,
        size: int = 100,
        idle_seconds: float = 4,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """At most `size` connections. One idle for longer than `idle_seconds` is not used again: servers close theirs
        (uvicorn after 5 s), and a request that meets a closing connection is lost."""
        self.origin = origin
        self.size, self.idle_seconds = size, idle_seconds
        self._context = context or (ssl.create_default_context() if origin.tls else None)
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()

    @property
    def connections(self) -> int:
        """How many there are, idle ones and those being made included."""
        return len(self._all) + self._connecting

    @property
    def idle(self) -> int:
        """How many wait for work."""
        return len(self._idle)

    async def send(
        self,
        head: bytes,
        body: bytes | AsyncIterable[bytes] = b"",
        *,
        chunked: bool = False,
        repeatable: bool = False,
        patience: Patience = Patience(),
    ) -> Answer:
        """Send a request and wait for the head of its answer, which the caller must `close()`.

        `repeatable` sends it a second time on a new connection when the first broke before any answer: only for
        requests that change nothing. Raises an `UpstreamError`.
        """
        try:
            return await self._once(head, body, chunked, patience)
        except Broken:
            if not repeatable:
                raise
        self._forget_idle()  # what broke one connection has probably broken them all
        return await self._once(head, body, chunked, patience)

    async def _once(self, head: bytes, body: bytes | AsyncIterable[bytes], chunked: bool, patience: Patience) -> Answer:
        connection = self._take_idle() or await self._acquire(patience)
        answer = connection.send(head, body, chunked=chunked, write_seconds=patience.write)
        try:
            await answer.arrive(patience.read)
        except BaseException:  # a cancellation too: the connection must not be used again
            answer.close()
            raise
        return answer

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.open and connection.loop.time() - connection.idle_since < self.idle_seconds:
                return connection
            connection.abort()
        return None

    async def _acquire(self, patience: Patience) -> Connection:
        if self.connections < self.size:
            return await self._connect(patience)
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(patience.pool):
                given = await waiter
        except BaseException as error:
            self._withdraw(waiter)
            if isinstance(error, TimeoutError):
                raise PoolTooSlow from error
            raise
        if given is not None and given.open:
            return given
        return await self._acquire(patience)  # there is room for another

    def _withdraw(self, waiter: "asyncio.Future[Connection | None]") -> None:
        """Pass on what was given to somebody who no longer wants it."""
        if not waiter.done() or waiter.cancelled():
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            return
        given = waiter.result()
        if given is None:
            self._wake(None)
        else:
            self._released(given, True)

    async def _connect(self, patience: Patience) -> Connection:
        loop = asyncio.get_running_loop()
        self._connecting += 1
        connection = Connection(loop, released=self._released, lost=self._lost)
        try:
            async with asyncio.timeout(patience.connect):
                await self._open(loop, connection)
        except BaseException as error:
            connection.abort()
            self._connecting -= 1
            self._wake(None)
            if isinstance(error, TimeoutError):
                raise ConnectTooSlow from error
            if isinstance(error, OSError):
                raise CannotConnect(str(error)) from error
            raise
        self._connecting -= 1
        self._all.add(connection)
        return connection

    async def _open(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        origin = self.origin
        if origin.socket is not None:
            await loop.create_unix_connection(lambda: connection, origin.socket)
        elif self._context is not None:
            await loop.create_connection(
                lambda: connection, origin.host, origin.port, ssl=self._context, server_hostname=origin.host
            )
        else:
            await loop.create_connection(lambda: connection, origin.host, origin.port)

    def _released(self, connection: Connection, usable: bool) -> None:
        if usable and not self._wake(connection):
            self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        if connection in self._all:
            self._all.remove(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._wake(None)

    def _wake(self, connection: Connection | None) -> bool:
        """Give the one who waits longest a connection, or room for one; whether there was anybody."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _forget_idle(self) -> None:
        while self._idle:
            self._idle.pop().abort()

    def close(self) -> None:
        """Close every connection, those in use too."""
        for connection in list(self._all):
            connection.abort()

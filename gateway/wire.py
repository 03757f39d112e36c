"""One HTTP/1.1 connection to a service: a request out, an answer in, neither held in memory beyond a high-water mark.

`Connection` carries one exchange at a time. `Answer` is what comes back: status and headers first, then the body as it
arrives. Every wait has an end, and whatever leaves an exchange half-way - a cancellation too - closes the connection,
so that no later request can read an earlier one's answer.

    UpstreamError
    ├── CannotConnect      nobody listens there
    ├── ConnectTooSlow     somebody may, but did not say so in time
    ├── PoolTooSlow        every connection was in use for too long
    ├── Broken             the connection failed, or what came was not HTTP
    └── TooSlow            connected, and then silence
"""

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HIGH_WATER = 256 * 1024  # bytes of an answer held before the service is asked to wait
LARGEST_HEAD = 64 * 1024

Headers = list[tuple[bytes, bytes]]


class UpstreamError(Exception):
    """A request to a service did not get an answer."""


class CannotConnect(UpstreamError):
    """No connection could be made; nothing was sent."""


class ConnectTooSlow(UpstreamError):
    """No connection was made in time; nothing was sent."""


class PoolTooSlow(UpstreamError):
    """Every connection was in use for too long; nothing was sent."""


class Broken(UpstreamError):
    """The connection failed in the middle, or what came back is not HTTP."""


class TooSlow(UpstreamError):
    """The service took too long to read or to answer."""


class Answer:
    """What a service answers. `Connection.send` makes it; `close()` gives the connection back."""

    __slots__ = (
        "_chunks",
        "_connection",
        "_error",
        "_head",
        "_head_bytes",
        "_held",
        "_parser",
        "_reusable",
        "_until_eof",
        "_upload",
        "_waiter",
        "complete",
        "headers",
        "status",
    )

    def __init__(self, connection: "Connection") -> None:
        self.status = 0
        self.headers: Headers = []
        self.complete = False
        self._connection = connection
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self._held = self._head_bytes = 0
        self._head = self._reusable = self._until_eof = False
        self._error: UpstreamError | None = None
        self._upload: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    # Reading, by whoever asked

    async def arrive(self, seconds: float | None) -> None:
        """Wait for status and headers. Raises Broken or TooSlow."""
        while not self._head:
            await self._wait(seconds)

    def take(self) -> bytes:
        """The part of the body that is here, perhaps none."""
        if not self._held:
            return b""
        chunks, self._chunks = self._chunks, []
        if self._held > HIGH_WATER:
            self._connection.resume_reading()
        self._held = 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def more(self, seconds: float | None) -> None:
        """Wait until there is more of the body to take, or it is complete. Raises Broken or TooSlow."""
        while not self._held and not self.complete:
            await self._wait(seconds)

    async def read(self, seconds: float | None) -> bytes:
        """The next part of the body; empty at its end. Raises Broken or TooSlow."""
        await self.more(seconds)
        return self.take()

    def close(self) -> None:
        """Be done with it: the connection is kept for another exchange if this one ended well, and closed if not."""
        if self._upload is not None and not self._upload.done():
            self._upload.cancel()
            self._reusable = False
        parser, self._parser = self._parser, None
        if parser is not None:  # the first call; callbacks and parser no longer keep each other alive
            self._connection.finish(reusable=self.complete and self._reusable and self._error is None)

    async def _wait(self, seconds: float | None) -> None:
        self._raise_error()
        connection = self._connection
        self._waiter = waiter = connection.loop.create_future()
        timer = None if seconds is None else connection.loop.call_later(seconds, self.fail, TooSlow())
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        if not (self.complete or self._held):
            self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the connection reports

    def upload_is(self, task: asyncio.Task[None]) -> None:
        """The task that still sends the request's body."""
        self._upload = task

    def feed(self, data: bytes) -> None:
        """Bytes have come."""
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.fail(Broken("the answer is not HTTP"))
        if self._held > HIGH_WATER:
            self._connection.pause_reading()

    def lost(self, error: Exception | None) -> None:
        """The connection is gone. An answer without a length ends so; any other has been broken off."""
        self._reusable = False
        if self._until_eof and error is None:
            self.complete = True
            self._wake()
        elif not self.complete:
            self.fail(Broken("the service closed the connection"))

    def fail(self, error: UpstreamError) -> None:
        """Nothing more will come, for this reason."""
        if not self.complete and self._error is None:
            self._error = error
        self._wake()

    # What the parser reports

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes <= LARGEST_HEAD and not self._head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._head:  # a second answer; `on_message_begin` has seen to it
            return
        assert self._parser is not None  # noqa: S101 - it is what calls this
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self.headers.clear()
            return
        if self._head_bytes > LARGEST_HEAD:
            self.fail(Broken("the headers of the answer are too large"))
            return
        self._head = True
        self._until_eof = _ends_with_connection(self.status, self.headers)
        self._wake()

    def on_body(self, data: bytes) -> None:
        if self.complete:
            self._reusable = False
            return
        self._chunks.append(data)
        self._held += len(data)
        self._wake()

    def on_message_begin(self) -> None:
        if self.complete:  # more than was asked for: nothing on this connection can be trusted
            self._reusable = False

    def on_message_complete(self) -> None:
        if self._head and not self.complete:
            assert self._parser is not None  # noqa: S101
            self.complete, self._reusable = True, self._parser.should_keep_alive()
            self._wake()


def _ends_with_connection(status: int, headers: Headers) -> bool:
    if status in (204, 304):
        return False
    return not any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


class Connection(asyncio.Protocol):
    """One connection. `send` begins an exchange; the answer's `close` ends it and calls `released`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        released: Callable[["Connection", bool], None],
        lost: Callable[["Connection"], None],
    ) -> None:
        self.loop = loop
        self.idle_since = 0.0
        self._released, self._lost = released, lost
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._reading = True

    @property
    def open(self) -> bool:
        """Whether it can be used."""
        return self._transport is not None and not self._transport.is_closing()

    def send(
        self,
        head: bytes,
        body: bytes | AsyncIterable[bytes] = b"",
        *,
        chunked: bool = False,
        write_seconds: float | None = None,
    ) -> Answer:
        """Send a request: its head (with the blank line) and body; `chunked` frames the parts of the body."""
        assert self._transport is not None  # noqa: S101 - the pool gives out open connections
        assert self._answer is None  # noqa: S101 - one exchange at a time
        answer = self._answer = Answer(self)
        if isinstance(body, bytes):
            self._transport.write(head + (_chunk(body) + _LAST if chunked else body))
        else:
            self._transport.write(head)
            upload = self._upload(answer, body, chunked=chunked, seconds=write_seconds)
            answer.upload_is(self.loop.create_task(upload))
        return answer

    async def _upload(
        self, answer: Answer, body: AsyncIterable[bytes], *, chunked: bool, seconds: float | None
    ) -> None:
        """Send the body's parts as they come, as fast as the service reads them.

        A service may answer and close before it has read everything: then the answer counts, not the failed write.
        """
        try:
            async for part in body:
                if part:
                    await self._write(_chunk(part) if chunked else part, seconds)
            if chunked:
                await self._write(_LAST, seconds)
        except TimeoutError:
            answer.fail(TooSlow())
        except ConnectionError:
            return
        except Exception as error:  # whatever the body's source raises is the asker's to know
            broken = Broken("the request's body broke off")
            broken.__cause__ = error
            answer.fail(broken)

    async def _write(self, data: bytes, seconds: float | None) -> None:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(data)
        if not self._may_write.is_set():
            async with asyncio.timeout(seconds):
                await self._may_write.wait()

    def finish(self, *, reusable: bool) -> None:
        """The exchange is over."""
        self._answer = None
        if reusable and self.open:
            self.resume_reading()
            self.idle_since = self.loop.time()
            self._released(self, True)
        else:
            self.abort()
            self._released(self, False)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Ask the service to wait."""
        if self._reading and self.open:
            self._reading = False
            cast("asyncio.Transport", self._transport).pause_reading()

    def resume_reading(self) -> None:
        """Let the service go on."""
        if not self._reading and self.open:
            self._reading = True
            cast("asyncio.Transport", self._transport).resume_reading()

    # What the event loop reports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked: never use this connection again
            self.abort()
        else:
            self._answer.feed(data)

    def eof_received(self) -> None:
        return None

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._may_write.set()
        if self._answer is not None:
            self._answer.lost(error)
        self._lost(self)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()


_LAST = b"0\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class UnsafeHead(ValueError):
    """A header or path holds a line break, which would let its sender write headers, or a request, of its own."""


def checked(head: bytes, *, lines: int) -> bytes:
    """The head of a request, if it has just so many lines. Raises UnsafeHead."""
    if head.count(b"\n") != lines or head.count(b"\r") != lines:
        raise UnsafeHead
    return head

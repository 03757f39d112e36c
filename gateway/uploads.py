"""The body of a request as its caller sends it: as long as it says, no longer than its address takes, not for ever."""

import asyncio

from starlette.types import Message, Receive

from gateway.problems import BodyTooLarge, RequestTooSlow
from gateway.routes import Row
from gateway.service import ClientGone
from gateway.wire import Headers
from shared.problems import InvalidRequest

CHUNKED = b"transfer-encoding: chunked\r\n"
PATIENCE = 60.0  # seconds a caller may take to send the next part
SLOWEST = 2000.0  # bytes a second, on average after the first minute


def framing(headers: Headers, row: Row) -> bytes:
    """The header line that frames the body; empty where there is none. Raises BodyTooLarge or InvalidRequest."""
    length = b""
    for name, value in headers:
        if name == b"transfer-encoding":
            return CHUNKED
        if name == b"content-length":
            length = value
    if not length or length == b"0":
        return b""
    if not length.isdigit():
        raise InvalidRequest("Content-Length is not a number")
    if int(length) > row.largest_body:
        raise _too_large(row)
    return b"content-length: %b\r\n" % length


class Upload:
    """A body, part by part; `done` once the last is here. `framed` is the line of `framing`.

    What is sent in another length than was said is refused: the rest would be taken from the request after it. A parser
    that believes the connection to be upgraded says of any body that it is over before it begins.
    """

    def __init__(self, receive: Receive, row: Row, framed: bytes) -> None:
        self.done = False
        self._receive, self._row = receive, row
        self._said = None if framed == CHUNKED else int(framed.split()[1])
        self._total, self._waited = 0, 0.0

    async def part(self) -> bytes:
        """The next part. Raises ClientGone, BodyTooLarge, RequestTooSlow or InvalidRequest."""
        message = await self._next()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        self._total += len(part)
        self.done = not message.get("more_body")
        if self._total > self._row.largest_body:
            raise _too_large(self._row)
        if drips(self._waited, self._total):
            raise RequestTooSlow
        if self.done and self._said not in (None, self._total):
            raise InvalidRequest("the body is not as long as Content-Length says; a connection is never upgraded here")
        return part

    async def whole(self) -> bytes:
        """All that is still to come, in memory."""
        body = bytearray()
        while not self.done:
            body += await self.part()
        return bytes(body)

    async def _next(self) -> Message:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._receive()
        except TimeoutError as error:
            raise RequestTooSlow from error
        finally:
            self._waited += clock() - began


def drips(seconds: float, received: int) -> bool:
    """Whether a body of which so many bytes came in so many seconds is dripped, to keep a connection for nothing."""
    return seconds > PATIENCE + received / SLOWEST


def _too_large(row: Row) -> BodyTooLarge:
    return BodyTooLarge(f"this address takes at most {row.largest_body} bytes")

"""The gateway's side of a caller's connection: uvicorn's HTTP/1.1, with an end to patience and to generosity.

uvicorn alone waits for ever for a request that begins and does not go on, and for a caller that does not take its
answer, and keeps headers of any size. Serve the gateway with `uvicorn.Config(app, http=Doorway)`.
"""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.problems import HeadersTooLarge, RequestTooSlow
from shared.problems import MEDIA_TYPE, Problem, document


class Doorway(HttpToolsProtocol):
    """Refuses a head that takes longer than `HEAD_SECONDS` or more than `LARGEST_HEAD` bytes to come.

    A connection whose caller takes nothing of what waits for it is broken off after `TAKE_SECONDS`, and so is one on
    which a request that has been answered still goes on after `BODY_SECONDS`.
    """

    HEAD_SECONDS = 15.0
    TAKE_SECONDS = 60.0
    BODY_SECONDS = 600.0
    LINGER_SECONDS = 5.0
    LARGEST_HEAD = 64 * 1024

    _expecting = True
    _head_bytes = 0
    _patience: asyncio.TimerHandle | None = None
    _untaken: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle()
        self._taken()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self._expecting:
            self._head_bytes += len(data)
            if self._head_bytes > self.LARGEST_HEAD:
                self._refuse(HeadersTooLarge(f"all headers together may hold {self.LARGEST_HEAD} bytes"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect()

    def on_headers_complete(self) -> None:
        self._settle()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._settle()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._patience = self.loop.call_later(self.BODY_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._untaken = self.loop.call_later(self.TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken()

    def _expect(self) -> None:
        self._settle()
        self._expecting, self._head_bytes = True, 0
        self._patience = self.loop.call_later(self.HEAD_SECONDS, self._refuse, RequestTooSlow())

    def _settle(self) -> None:
        self._expecting = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _refuse(self, problem: Problem) -> None:
        """Say why, where nothing has been said on this connection that it could be mistaken for, and close it."""
        self._settle()
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()
            return
        body = orjson.dumps(document(problem, request_id=None))
        head = f"HTTP/1.1 {problem.status} Refused\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n".encode("ascii") + body)
        self._linger()

    def _linger(self) -> None:
        """Say that nothing more will come, and pass over what still does: to close at once, with bytes unread, would
        take the answer away from who is still sending."""
        self._refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._patience = self.loop.call_later(self.LINGER_SECONDS, self.transport.abort)

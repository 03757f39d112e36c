"""Callers who never finish their sentence."""

import asyncio
import socket
import threading
from contextlib import closing, suppress

import pytest
import uvicorn

from gateway.doorway import Doorway


class App:
    """Answers at the end of a body; at `/early` before it, and at `/endless` on and on, until nobody is there."""

    def __init__(self):
        self.left = threading.Event()

    async def __call__(self, scope, receive, send):
        await getattr(self, scope["path"].strip("/"), self.answer)(receive, send)

    async def answer(self, receive, send):
        while (await receive()).get("more_body"):
            pass
        await self.early(receive, send)

    async def early(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def endless(self, receive, send):
        await receive()
        gone = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
        self.left.set()


class Patient(Doorway):
    HEAD_SECONDS = LINGER_SECONDS = 60.0


class Hasty(Doorway):
    """Waits a moment, except for heads."""

    BODY_SECONDS = TAKE_SECONDS = 0.05


class Impatient(Doorway):
    """Waits until a request begins, and not a moment for the rest of its head."""

    @property
    def HEAD_SECONDS(self):  # noqa: N802
        return 60.0 if self.scope is None else 0.0


class Serving(uvicorn.Server):
    def __init__(self, protocol):
        self.app = App()
        super().__init__(uvicorn.Config(self.app, port=0, http=protocol, lifespan="off", log_level="critical"))
        self.up = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.up.set()

    @property
    def address(self):
        return self.servers[0].sockets[0].getsockname()

    def __enter__(self):
        self.thread.start()
        assert self.up.wait(20)
        return self

    def __exit__(self, *_):
        self.should_exit = True
        self.thread.join(20)


@pytest.fixture(scope="module")
def patient():
    with Serving(Patient) as server:
        yield server.address


@pytest.fixture(scope="module")
def hasty():
    with Serving(Hasty) as server:
        yield server


@pytest.fixture(scope="module")
def impatient():
    with Serving(Impatient) as server:
        yield server.address


def said(address, *parts):
    """All that is answered to these bytes, up to the end of the connection."""
    with closing(socket.create_connection(address, 20)) as wire:
        for part in parts:
            wire.sendall(part)
        return heard(wire)


def heard(wire, *, until=None):
    """What comes, to the end of the connection or to these bytes."""
    answer = b""
    while (until is None or not answer.endswith(until)) and (more := wire.recv(65536)):
        answer += more
    return answer


def test_who_says_nothing_is_shown_out():
    class Hurried(Doorway):
        HEAD_SECONDS = 0.05

    with Serving(Hurried) as server:
        assert said(server.address).startswith(b"HTTP/1.1 408 ")


def test_who_begins_and_does_not_go_on_is_shown_out(impatient):
    assert said(impatient, b"GET / HTTP/1.1\r\nX-A: ").startswith(b"HTTP/1.1 408 ")


def test_who_begins_a_second_request_and_does_not_go_on_is_shown_out(impatient):
    with closing(socket.create_connection(impatient, 20)) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert heard(wire, until=b"ok").startswith(b"HTTP/1.1 200 ")
        wire.sendall(b"GET / HT")
        assert heard(wire).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("endless", [b"X-A: " + b"x" * 70_000, b"X-A: 1\r\n" * 10_000], ids=["one", "many"])
def test_who_sends_headers_without_end_is_shown_out(patient, endless):
    answer = said(patient, b"GET / HTTP/1.1\r\n", endless)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"/problems/headers-too-large" in answer


def test_who_sends_on_after_being_shown_out_still_hears_why(patient):
    answer = said(patient, b"GET / HTTP/1.1\r\n", b"X-A: " + b"x" * 70_000, *[b"x" * 70_000] * 20)
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_large_body_right_behind_its_head_is_no_large_head(patient):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 500000\r\n\r\n"
    assert said(patient, head + b"x" * 500_000).startswith(b"HTTP/1.1 200 ")


def test_a_body_may_take_longer_than_a_head(impatient):
    """The proxy has its own patience for bodies."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
    with closing(socket.create_connection(impatient, 20)) as wire:
        wire.sendall(head + b"a")
        wire.settimeout(0.1)
        with pytest.raises(TimeoutError):
            wire.recv(1)
        wire.settimeout(20)
        wire.sendall(b"b")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_who_never_ends_a_request_that_has_been_answered_is_shown_out(hasty):
    """A byte now and then is enough to keep uvicorn from taking the connection for idle."""
    with closing(socket.create_connection(hasty.address, 20)) as wire:
        wire.sendall(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na")
        assert heard(wire, until=b"ok").startswith(b"HTTP/1.1 200 ")
        with suppress(ConnectionError):
            wire.sendall(b"b")
            assert heard(wire) == b""


def test_who_takes_nothing_of_an_answer_is_broken_off(hasty):
    with closing(socket.create_connection(hasty.address, 20)) as wire:
        wire.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert hasty.app.left.wait(20)

"""Callers who never finish their sentence."""

import socket
import threading
from contextlib import closing

import pytest
import uvicorn

from gateway.doorway import Doorway


async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Impatient(Doorway):
    HEAD_SECONDS = 0.05


class Serving(uvicorn.Server):
    def __init__(self, protocol):
        super().__init__(uvicorn.Config(app, port=0, http=protocol, lifespan="off", log_level="critical"))
        self.up = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.up.set()

    def __enter__(self):
        self.thread.start()
        assert self.up.wait(20)
        return self.servers[0].sockets[0].getsockname()

    def __exit__(self, *_):
        self.should_exit = True
        self.thread.join(20)


@pytest.fixture(scope="module")
def patient():
    with Serving(Doorway) as address:
        yield address


@pytest.fixture(scope="module")
def impatient():
    with Serving(Impatient) as address:
        yield address


def said(address, *parts):
    """All that is answered to these bytes, up to the end of the connection."""
    with closing(socket.create_connection(address, 10)) as wire:
        for part in parts:
            wire.sendall(part)
        answer = b""
        while more := wire.recv(65536):
            answer += more
        return answer


def test_who_says_nothing_is_shown_out(impatient):
    assert said(impatient).startswith(b"HTTP/1.1 408 ")


def test_who_begins_and_does_not_go_on_is_shown_out(impatient):
    assert said(impatient, b"GET / HTTP/1.1\r\nX-A: ").startswith(b"HTTP/1.1 408 ")


def test_who_begins_a_second_request_and_does_not_go_on_is_shown_out(impatient):
    answer = said(impatient, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HT")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 408 ") == 1


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
    with closing(socket.create_connection(impatient, 10)) as wire:
        wire.sendall(head + b"a")
        wire.settimeout(3 * Impatient.HEAD_SECONDS)
        with pytest.raises(TimeoutError):
            wire.recv(1)
        wire.settimeout(10)
        wire.sendall(b"b")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")

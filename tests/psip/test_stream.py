"""The client's live updates: an iterator that goes on, whatever becomes of its connections."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from deploy.serving import Server
from gateway.app import create_app
from gateway.doorway import Doorway
from gateway.live import log
from psip import Client, PsipProblem
from psip.live import blocks
from shared.db import Database, now
from tests.gateway.conftest import Gateway, listening
from tests.gateway.live.conftest import cells_changed, happen, settle_places, signalled


@pytest.fixture(scope="module")
def gateway(new_database: Any) -> Iterator[Gateway]:
    url = new_database("gateway")
    with closing(Database(url)) as database:
        settle_places(database)
    with listening(url) as gateway:
        yield gateway


class Waiting:
    """What stands in for sleep: does what the test wants done while the client waits."""

    def __init__(self) -> None:
        self.meanwhile: list[Any] = []
        self.waited: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()


def client_of(gateway: Gateway, *, url: str = "", **others: Any) -> Client:
    known = gateway.client()
    return Client(url or gateway.url, known.client_id, known.secret, **others)


def test_what_happens_is_told_with_a_place_to_go_on_from(gateway):
    with client_of(gateway) as client, client.stream(events=["signal.detected"], organisations=["QUE"]) as stream:
        first = client.stream(after="0")
        happen(gateway.database, cells_changed())
        assert next(first).name == "cells.changed"  # the gateway has read it
        first.close()
        (place,) = happen(gateway.database, signalled())
        with client.stream(after=str(place - 1)) as again:
            told = next(again)
        assert (told.name, told.id, told.data["measure"]) == ("signal.detected", str(place), "mn-preterm")
        assert stream.place is None  # it connects when it is first asked


def test_a_gateway_that_restarts_costs_its_clients_nothing(gateway):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    waiting = Waiting()
    with ExitStack() as stack:
        servers = [Server(create_app(gateway.settings), port=port, protocol=Doorway).start()]
        stack.callback(lambda: servers[-1].stop())
        client = stack.enter_context(client_of(gateway, url=servers[0].url, sleep=waiting))
        before = happen(gateway.database, cells_changed(data_version=1))[0] - 1
        stream = stack.enter_context(client.stream(after=str(before)))
        assert next(stream).data["data_version"] == 1

        def back_again() -> None:
            servers.append(Server(create_app(gateway.settings), port=port, protocol=Doorway).start())

        waiting.meanwhile = [lambda: None, back_again]
        servers[0].stop()
        happen(gateway.database, cells_changed(data_version=2))
        assert next(stream).data["data_version"] == 2
    assert len(waiting.waited) >= 2


def test_what_is_no_longer_kept_is_told_as_a_reset(new_database):
    with listening(new_database("gateway")) as gateway, client_of(gateway) as client:
        happen(gateway.database, cells_changed(), cells_changed())
        with gateway.database.session() as session:
            log.forget(session, before=now())
        with client.stream(after="1") as stream:
            told = next(stream)
    assert (told.name, told.data["missed"]) == ("reset", True)


def test_a_refusal_is_a_problem_and_is_not_asked_again(gateway):
    waiting = Waiting()
    with client_of(gateway, sleep=waiting) as client:
        for wrong in ({"organisations": ["XXX"]}, {"events": ["cells.moved"]}):
            with pytest.raises(PsipProblem):
                next(client.stream(**wrong))
    assert waiting.waited == []


def test_a_platform_that_is_away_for_good_is_said_to_be_in_the_end(gateway):
    waiting = Waiting()
    with client_of(gateway, attempts=4, sleep=waiting) as client:
        token = client._bearer()
        assert token
        client._http.base_url = httpx.URL("http://127.0.0.1:9")
        with pytest.raises(httpx.ConnectError):
            next(client.stream())
    assert len(waiting.waited) == 3
    assert waiting.waited == sorted(waiting.waited)


def test_a_platform_that_is_too_busy_for_long_says_so_in_the_end():
    busy = {"title": "Too many.", "status": 503, "detail": "all streams are open"}
    app, waiting = FastAPI(), Waiting()
    app.post("/oauth2/token")(lambda: {"access_token": "t", "expires_in": 600})
    app.get("/v1/stream")(lambda: JSONResponse(busy, 503, headers={"Retry-After": "3"}))
    with (
        Server(app) as server,
        Client(server.url, "me", "s", attempts=3, sleep=waiting) as client,
        pytest.raises(PsipProblem) as raised,
    ):
        next(client.stream())
    assert (raised.value.detail, raised.value.retry_after, waiting.waited) == ("all streams are open", 3.0, [3.0, 3.0])


def test_a_token_that_was_ended_is_renewed(gateway):
    with client_of(gateway) as client:
        client._token, client._token_ends = "e30.e30.e30", float("inf")
        place = happen(gateway.database, cells_changed(data_version=77))[0] - 1
        with client.stream(after=str(place)) as stream:
            assert next(stream).data["data_version"] == 77


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_blocks_are_read_whatever_parts_they_come_in(size):
    text = b": comment\nretry: 10\n\nid: 1\nevent: a\ndata: {\ndata: }\n\ndata:x\r\nid\r\n\r\nid: 9\ndata: cut off"
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    assert list(blocks(parts)) == [
        {"retry": "10"},
        {"id": "1", "event": "a", "data": "{\n}"},
        {"data": "x", "id": ""},
    ]

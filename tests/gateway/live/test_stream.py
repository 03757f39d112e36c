"""The stream: what is told, to whom, and from where on."""

import asyncio
import socket
import threading
from contextlib import closing

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from deploy.serving import Server
from gateway.app import create_app
from gateway.doorway import Doorway
from gateway.live import log
from gateway.live.hub import Hub
from gateway.live.sight import Wanted
from gateway.live.stream import EventStream
from gateway.visitors import Visitor
from shared.db import Database, now
from shared.principal import Principal
from tests.gateway.live.conftest import cells_changed, happen, hearing, signalled, submitted


def test_a_client_without_a_scope_for_any_event_is_refused(placed):
    with hearing(placed, placed.client(scopes=["programmes:read"]).bearer) as heard:
        assert heard.response.status_code == 403


def test_asking_for_an_event_needs_its_scope_which_the_refusal_names(placed):
    with hearing(placed, placed.client(scopes=["measures:read"]).bearer, event="submission.completed") as heard:
        assert heard.response.status_code == 403
        assert "submissions:read" in heard.response.json()["detail"]


@pytest.mark.parametrize("wrong", [{"organisaton": "RGT"}, {"event": "cells.moved"}, {"measure": "a b"}])
def test_a_misspelt_filter_is_refused(placed, wrong):
    with hearing(placed, placed.client().bearer, **wrong) as heard:
        assert heard.response.status_code == 422


def test_an_organisation_there_is_not_is_refused(placed):
    with hearing(placed, placed.client().bearer, organisation="XXX") as heard:
        assert heard.response.status_code == 404
        assert heard.response.json()["type"] == "/problems/unknown-organisation"


def test_what_happens_is_told_with_its_name_its_place_and_keys_but_no_figures(placed):
    with hearing(placed, placed.client().bearer) as heard:
        places = happen(placed.database, cells_changed(), submitted(), signalled())
        told = heard.events(3)

    assert heard.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert [one["event"] for one in told] == ["cells.changed", "submission.completed", "signal.detected"]
    assert [int(one["id"]) for one in told] == places
    cells, submission, signal = (one["data"] for one in told)
    assert cells.keys() == {"organisation", "measures", "periods", "data_version", "changed_at", "links", "submissions"}
    assert submission["links"] == {"submission": "/v1/submissions/s-1"}
    assert "rows" not in submission
    assert "faults_total" not in submission
    assert signal["links"] == {"chart": "/v1/charts/mn-preterm/RGT"}


def test_a_new_stream_begins_with_the_present_and_says_where_that_is(placed):
    (before,) = happen(placed.database, cells_changed(data_version=1))
    bearer = placed.client().bearer
    with hearing(placed, bearer, after=before) as heard:
        happen(placed.database, cells_changed(data_version=2))
        assert heard.event()["data"]["data_version"] == 2  # the gateway has read it
    with hearing(placed, bearer) as heard:
        assert int(heard.block()["id"]) > before
        happen(placed.database, cells_changed(data_version=3))
        assert heard.event()["data"]["data_version"] == 3


def test_who_comes_back_hears_what_came_in_between(placed):
    bearer = placed.client().bearer
    with hearing(placed, bearer) as heard:
        happen(placed.database, cells_changed(data_version=1))
        left = heard.event()["id"]
    happen(placed.database, cells_changed(data_version=2), cells_changed(data_version=3))
    with hearing(placed, bearer, after=left) as heard:
        assert [one["data"]["data_version"] for one in heard.events(2)] == [2, 3]


def test_another_replica_and_one_started_later_go_on_where_the_first_left_off(placed):
    known = placed.client()
    with hearing(placed, known.bearer) as heard:
        happen(placed.database, cells_changed(data_version=1))
        left = heard.event()["id"]
    happen(placed.database, cells_changed(data_version=2))
    with Server(create_app(placed.settings), protocol=Doorway) as other:
        elsewhere = type(placed)(**{**vars(placed), "url": other.url})
        with hearing(elsewhere, known.bearer, after=left) as heard:
            assert heard.event()["data"]["data_version"] == 2


def test_a_place_that_only_another_replica_has_read_yet_is_no_gap(placed):
    """This replica reads five times a second; the other may be a moment ahead."""
    bearer = placed.client().bearer
    for version in range(5):
        (newest,) = happen(placed.database, cells_changed(data_version=version))
        with hearing(placed, bearer, after=newest) as heard:
            assert heard.block()["comment"] == "resumed"


@pytest.mark.parametrize("place", ["999999999999", "-1", "abc", "1e3", "²"])
def test_a_place_that_was_never_given_is_told_as_missed(placed, place):
    headers = {name: value.encode() for name, value in placed.client().bearer.items()}
    with hearing(placed, headers | {"Last-Event-ID": place.encode("latin-1")}) as heard:
        told = heard.event()
    assert told["event"] == "reset"
    assert told["data"]["missed"] is True
    assert int(told["id"]) == told["data"]["newest"]


def test_who_asks_for_what_is_no_longer_kept_is_told_so_and_hears_what_comes_next(listen):
    with listen() as gateway:
        first, *_ = happen(gateway.database, cells_changed(), cells_changed(), cells_changed())
        with gateway.database.session() as session:
            log.forget(session, before=now())
        (kept,) = happen(gateway.database, cells_changed(data_version=8))
        bearer = gateway.client().bearer
        with hearing(gateway, bearer, after=first) as heard:
            assert heard.event()["event"] == "reset"
            happen(gateway.database, cells_changed(data_version=9))
            assert heard.event()["data"]["data_version"] == 9
        with hearing(gateway, bearer, after=first + 2) as heard:  # the last that was forgotten: nothing is missing
            assert int(heard.event()["id"]) == kept


def test_only_what_was_asked_for_is_told(placed):
    wanted = {
        "event": ["cells.changed", "signal.detected"],
        "organisation": "que",
        "measure": ["mn-preterm", "ch-falls"],
    }
    with hearing(placed, placed.client().bearer, **wanted) as heard:
        happen(
            placed.database,
            cells_changed("RM1"),  # not within QUE
            submitted(),  # not asked for
            cells_changed("RGT", ["mn-other"]),  # another measure
            cells_changed("RGT01", ["mn-other", "ch-falls"]),
            signalled("RGT"),
        )
        told = heard.events(2)
    assert [(one["event"], one["data"]["organisation"]) for one in told] == [
        ("cells.changed", "RGT01"),
        ("signal.detected", "RGT"),
    ]


def test_a_member_hears_of_receipts_and_small_signals_only_for_its_own(placed):
    member = placed.client(organisations=["QUE"], audience="member")
    with hearing(placed, member.bearer) as heard:
        happen(
            placed.database,
            submitted("others", organisations=["RM1"]),
            submitted("partly", organisations=["RGT", "RM1"]),
            submitted("mine", by=member.client_id, organisations=["RM1"]),
            submitted("within", organisations=["RGT01"]),
            signalled("RM1", small=True),
            signalled("RGT", small=True),
            cells_changed("RM1"),
            cells_changed("RGT"),
        )
        told = [one["data"] for one in heard.events(5)]
    assert [one["id"] for one in told[:2]] == ["mine", "within"]
    assert told[2]["organisation"] == "RGT"
    assert [one.get("submissions") for one in told[3:]] == [None, ["s-1"]]


def test_the_public_hears_of_no_receipt_no_submission_and_no_signal_with_small_numbers(placed):
    public = placed.client(organisations=[], audience="public", scopes=["measures:read", "submissions:read"])
    with hearing(placed, public.bearer) as heard:
        happen(
            placed.database,
            submitted(),
            submitted(organisations=[]),
            signalled(small=True),
            signalled(),
            cells_changed(),
        )
        told = heard.events(2)
    assert [one["event"] for one in told] == ["signal.detected", "cells.changed"]
    assert "submissions" not in told[1]["data"]


def test_a_signal_that_does_not_say_whether_its_numbers_are_small_is_not_told_to_the_public(placed):
    public = placed.client(organisations=[], audience="public", scopes=["measures:read"])
    with hearing(placed, public.bearer) as heard:
        early = {name: getattr(signalled(), name) for name in ("period", "variation", "data_version", "detected_at")}
        happen(placed.database, type(signalled())(organisation="RGT", measure="mn-preterm", **early), cells_changed())
        assert heard.event()["event"] == "cells.changed"


def test_the_streams_of_a_client_that_is_revoked_end(placed):
    known, other = placed.client(), placed.client()
    with hearing(placed, known.bearer) as heard, hearing(placed, other.bearer) as staying:
        revoked = placed.http.post(f"/v1/clients/{known.client_id}/revoke", headers=placed.client().bearer)
        assert revoked.status_code == 200
        assert heard.event() is None
        happen(placed.database, cells_changed(data_version=41))
        assert staying.event()["data"]["data_version"] == 41


def test_closing_the_server_ends_the_streams(listen):
    with listen() as gateway, closing(httpx.Client(base_url=gateway.url, timeout=60)) as http:
        app = create_app(gateway.settings)
        server = Server(app, protocol=Doorway).start()
        elsewhere = type(gateway)(**{**vars(gateway), "url": server.url})
        with hearing(elsewhere, gateway.client().bearer) as heard:
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            assert heard.event() is None
        stopping.join(timeout=60)
        assert not stopping.is_alive()
        assert http.get("/health/live").status_code == 200


# Without a network


class Wire:
    """The server's side of a connection: what was sent, until the reader is gone."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.gone = asyncio.Event()
        self.stuck = False

    async def send(self, message) -> None:
        if self.stuck:
            await self.gone.wait()
        if message["type"] == "http.response.body" and not self.gone.is_set():
            self.sent.append(message["body"])

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}


def visitor(expires: float = float("inf")) -> Visitor:
    return Visitor(Principal("c", frozenset({"measures:read"}), frozenset("*"), "national"), 1, expires)


async def open_one(hub: Hub, wire: Wire, **how) -> "asyncio.Task[None]":
    stream = EventStream(hub, how.pop("visitor", visitor()), Wanted(), last_event_id=how.pop("after", None), **how)
    task = asyncio.create_task(stream({}, wire.receive, wire.send))
    while not hub.streams or (len(wire.sent) < 2 and not task.done()):
        await asyncio.sleep(0)
    return task


def test_a_reader_that_was_broken_off_for_taking_nothing_holds_nothing(database: Database):
    async def story():
        hub, wire = Hub(database, lambda *_: True), Wire()
        await hub.try_to_turn()
        task = await open_one(hub, wire)
        wire.stuck = True
        happen(database, *(cells_changed() for _ in range(10)))
        await hub.try_to_turn()
        wire.gone.set()
        await task
        return hub, wire

    hub, wire = asyncio.run(story())
    assert hub.streams == 0
    assert len(wire.sent) == 2


def test_a_reader_far_behind_reads_the_log_page_by_page_and_misses_nothing(database: Database):
    events = [cells_changed(data_version=number) for number in range(1200)]
    first, *_ = happen(database, *events)

    async def story():
        hub, wire = Hub(database, lambda *_: True, remembered=50), Wire()
        await hub.try_to_turn()
        task = await open_one(hub, wire, after=str(first - 1))
        while b"".join(wire.sent).count(b"event: cells") < len(events):
            await asyncio.sleep(0)
        hub.close()
        await task
        return b"".join(wire.sent)

    told = asyncio.run(story())
    assert [told.index(b'"data_version":%d,' % number) for number in range(1200)] == sorted(
        told.index(b'"data_version":%d,' % number) for number in range(1200)
    )
    assert told.count(b"event: cells") == 1200


def test_a_reader_from_under_whom_the_log_is_forgotten_is_told_that_it_missed_something(
    database: Database, monkeypatch
):
    first, *_ = happen(database, *(cells_changed() for _ in range(20)))

    async def story():
        hub, wire = Hub(database, lambda *_: True, remembered=5), Wire()
        await hub.try_to_turn()
        happen(database, cells_changed())
        await hub.try_to_turn()
        read = hub._page

        def forgotten_first(position):
            with database.session() as session:
                log.forget(session, before=now())
            return read(position)

        monkeypatch.setattr(hub, "_page", forgotten_first)
        task = await open_one(hub, wire, after=str(first))
        while len(wire.sent) < 3:
            await asyncio.sleep(0)
        hub.close()
        await task
        return b"".join(wire.sent)

    told = asyncio.run(asyncio.wait_for(story(), 60))
    assert b"event: reset" in told
    assert b"event: cells" not in told


def test_the_hub_remembers_a_bounded_number_of_events(database: Database):
    async def story():
        hub = Hub(database, lambda *_: True, remembered=20)
        for _ in range(10):
            happen(database, *(cells_changed() for _ in range(9)))
            await hub.try_to_turn()
        return hub

    hub = asyncio.run(story())
    assert len(hub._events) <= 40
    assert len(hub._events) == len(hub._positions)


def test_a_quiet_stream_says_how_far_the_log_was_read(database: Database):
    async def story():
        hub, wire = Hub(database, lambda *_: True), Wire()
        nothing = Visitor(Principal("c", frozenset({"submissions:read"})), 1, float("inf"))
        await hub.try_to_turn()
        task = await open_one(hub, wire, visitor=nothing, heartbeat=0.001)
        (newest,) = happen(database, cells_changed())
        await hub.try_to_turn()
        while wire.sent[-1] != b": %d\nid: %d\n\n" % (newest, newest):
            await asyncio.sleep(0)
        hub.close()
        await task
        return b"".join(wire.sent)

    assert b"event:" not in asyncio.run(story())


def test_a_stream_beats_also_while_much_happens_of_which_its_caller_is_told_nothing(database: Database):
    async def story():
        hub, wire = Hub(database, lambda *_: True), Wire()
        await hub.try_to_turn()
        task = await open_one(hub, wire, heartbeat=0.05)
        said = len(wire.sent)
        for _ in range(100_000):
            for stream in hub._streams:
                stream.wake()
            await asyncio.sleep(0)
            if len(wire.sent) > said:
                break
        hub.close()
        await task
        return wire.sent[said]

    assert asyncio.run(story()) == b": 0\nid: 0\n\n"


def test_a_stream_of_somebody_from_outside_ends_when_the_token_is_to_be_looked_at_anew(database: Database):
    """The key that signed it may have been taken away since: who comes back is let in again, or not."""

    async def story():
        hub, wire = Hub(database, lambda *_: True, clock=lambda: 1000), Wire()
        outside = Visitor(Principal("nhs:ann", frozenset({"measures:read"})), -1, 9999, read_again=1000)
        task = await open_one(hub, wire, visitor=outside)
        await hub.try_to_turn()
        await asyncio.wait_for(task, 60)

    asyncio.run(story())


def test_a_stream_ends_with_its_token(database: Database):
    async def story(at: float):
        hub, wire = Hub(database, lambda *_: True, clock=lambda: at), Wire()
        task = await open_one(hub, wire, visitor=visitor(expires=1000))
        await hub.try_to_turn()
        await asyncio.sleep(0)
        done = not hub.streams or task.done() or next(iter(hub._streams))._over
        hub.close()
        await task
        return done

    assert asyncio.run(story(at=1000)) is True
    assert asyncio.run(story(at=999)) is False


def test_streams_end_when_nobody_can_tell_whether_their_clients_are_let_in(database: Database):
    from gateway.problems import AccessUncertain

    def uncertain(*_):
        raise AccessUncertain

    async def story():
        hub, wire = Hub(database, uncertain), Wire()
        task = await open_one(hub, wire)
        await hub.try_to_turn()
        await asyncio.wait_for(task, 60)

    asyncio.run(story())


def test_a_stream_that_cannot_read_the_log_ends_in_order(database: Database, monkeypatch):
    first, *_ = happen(database, *(cells_changed() for _ in range(60)))

    def away(*_):
        raise OperationalError("select", {}, Exception("away"))

    async def story():
        hub, wire = Hub(database, lambda *_: True, remembered=5), Wire()
        await hub.try_to_turn()
        happen(database, cells_changed())
        await hub.try_to_turn()
        monkeypatch.setattr(hub, "_page", away)
        await (await open_one(hub, wire, after=str(first)))
        return hub, wire

    hub, wire = asyncio.run(story())
    assert wire.sent[-1] == b""
    assert hub.streams == 0


def test_a_gateway_that_is_full_says_when_to_come_back(placed, monkeypatch):
    monkeypatch.setattr("gateway.live.api.MOST_OF_ONE", 0)
    with hearing(placed, placed.client().bearer) as heard:
        assert heard.response.status_code == 503
        assert heard.response.headers["Retry-After"] == "5"


def test_a_connection_that_takes_nothing_is_broken_off_for_good(listen, monkeypatch):
    """Over a real socket: what its reader does not take fills the buffers, and then the connection is gone."""
    monkeypatch.setattr(Doorway, "TAKE_SECONDS", 0.2)
    with listen() as gateway, Server(create_app(gateway.settings), protocol=Doorway) as server:
        bearer = gateway.client().bearer["Authorization"]
        with socket.create_connection(("127.0.0.1", server.port)) as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n\r\n".encode())
            assert stuck.recv(1).startswith(b"H")
            many = [f"measure-{number:05}" for number in range(3000)]
            happen(gateway.database, *(cells_changed(measures=many) for _ in range(120)))
            while server._server.server_state.connections:
                httpx.get(f"{server.url}/health/live", headers={"Connection": "close"}, timeout=60)
            assert stuck.fileno() > 0  # it was not the reader that hung up

"""Which addresses are called, and that no others are: not by name, not by redirect, not a moment later."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from gateway.live.webhooks.calling import call
from gateway.live.webhooks.planning import Planner
from gateway.live.webhooks.sending import Sender
from gateway.live.webhooks.signatures import Signatures
from gateway.outward.addresses import NotCallable, callable_addresses, is_public, look_up, target
from tests.gateway.conftest import listening
from tests.gateway.live.conftest import cells_changed, happen

PUBLIC = "93.184.215.14"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
        "2001:db8::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::",
        "2001:0:1::1", "fec0::1", "100::1", "not one",
    ],
)  # fmt: skip
def test_what_is_not_in_the_public_is_not(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "172.32.0.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_what_is_in_the_public_is(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/", "ftp://a.example/", "//a.example", "a.example", "https://", "https://:443/",
        "https://u@a.example/", "https://u:p@a.example/", "https://a.example/#x", "https://a.example:port/",
        "https://a.example:99999/", "https://a.example/\n", "https://a.example/a b", "https://exämple.org/",
        "https://[::1", "https://a.example/" + "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_webhook_is_refused(url):
    with pytest.raises(NotCallable):
        target(url, sandbox=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_has_no_name_by_which_it_is_called(host):
    with pytest.raises(NotCallable):
        callable_addresses(target(f"https://{host}/", sandbox=False), resolve=look_up, sandbox=False)


def test_a_name_with_one_private_address_among_public_ones_is_refused():
    one = target("https://a.example/", sandbox=False)
    with pytest.raises(NotCallable):
        callable_addresses(one, resolve=lambda *_: [PUBLIC, "10.0.0.1"], sandbox=False)
    assert callable_addresses(one, resolve=lambda *_: [PUBLIC, PUBLIC], sandbox=False) == [PUBLIC]


def test_even_a_sandbox_calls_nothing_private_but_itself():
    one = target("http://a.example/", sandbox=True)
    assert callable_addresses(one, resolve=lambda *_: ["127.0.0.1"], sandbox=True) == ["127.0.0.1"]
    with pytest.raises(NotCallable):
        callable_addresses(one, resolve=lambda *_: ["169.254.169.254"], sandbox=True)


def test_a_private_address_is_refused_when_it_is_registered(gateway):
    bearer = gateway.client().bearer
    for url in ("https://127.0.0.1/hook", "https://169.254.169.254/latest/meta-data", "http://a.example/"):
        answer = gateway.http.post("/v1/webhooks", headers=bearer, json={"url": url})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-webhook")
        assert answer.json()["errors"][0]["pointer"] == "/url"
    assert gateway.http.get("/v1/webhooks", headers=bearer).json()["items"] == []


@pytest.mark.parametrize("host", ["nobody.invalid", "a..b", "x" * 64, "[::1", "\ud800"])
def test_a_host_that_cannot_be_found_is_refused_and_breaks_nothing(gateway, host):
    answer = gateway.http.post(
        "/v1/webhooks",
        headers=gateway.client().bearer | {"Content-Type": "application/json"},
        content=json.dumps({"url": f"https://{host}/"}),
    )
    assert answer.status_code == 422


def test_a_name_that_turns_private_after_it_was_registered_is_not_called(new_database):
    with listening(new_database("gateway")) as gateway, listener() as (port, visits):
        gateway.app.state.resolve = lambda host, _: [PUBLIC] if host == "rebound.example" else [host]
        bearer = gateway.client().bearer
        url = f"https://rebound.example:{port}/"
        webhook = gateway.http.post("/v1/webhooks", headers=bearer, json={"url": url}).json()
        moved = gateway.http.patch(f"/v1/webhooks/{webhook['id']}", headers=bearer, json={"url": "https://10.0.0.1/"})
        assert moved.status_code == 422
        happen(gateway.database, cells_changed())
        Planner(gateway.database).step()
        sender = Sender(gateway.database, Signatures("k"), resolve=lambda *_: ["127.0.0.1"])
        sender.finish()
        sender.close()
        (told,) = gateway.http.get(f"/v1/webhooks/{webhook['id']}/deliveries", headers=bearer).json()["items"]
    assert "private" in told["reason"]
    assert visits == []


def test_the_call_goes_to_the_address_that_was_checked_and_names_the_host(monkeypatch):
    """The name is looked up once: what it would answer a moment later does not matter."""
    with listener(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (port, visits):
        answers = iter([["127.0.0.1"]])
        one = target(f"http://rebound.example:{port}/x", sandbox=True)
        outcome = call(one, {}, b"{}", resolve=lambda *_: next(answers), sandbox=True)
    assert outcome.delivered
    assert visits[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert b"host: rebound.example:%d\r\n" % port in visits[0].lower()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "the answer was not HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "the answer was not HTTP"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "redirects are not followed"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_said_without_quoting_the_answer(answer, reason):
    with listener(answer) as (port, _):
        assert here(port).reason == reason


def test_an_answer_without_end_is_not_read():
    with listener(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\nxxxxx\r\n" * 1000, stays=True) as (
        port,
        _,
    ):
        assert here(port).delivered


def test_nobody_there_and_nothing_said_are_failures_with_an_end():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert here(taken.getsockname()[1]).reason == "no connection: refused, or the certificate is not good"
    with listener(b"H", stays=True) as (port, _):
        assert here(port, seconds=0.2).reason == "no answer within 0.2 seconds"


def here(port, seconds=60.0):
    one = target(f"http://127.0.0.1:{port}/", sandbox=True)
    return call(one, {}, b"{}", resolve=look_up, sandbox=True, seconds=seconds)


@contextmanager
def listener(answer: bytes = b"", *, stays: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """Something that listens, keeps the head of what it is sent, and says one thing."""
    visits: list[bytes] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, suppress(OSError):  # who calls may have gone by now
                visits.append(connection.recv(65536))
                connection.sendall(answer)
                if stays:
                    over.wait(60)
                else:
                    connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], visits
        over.set()
        server.shutdown(socket.SHUT_RDWR)
    thread.join(60)

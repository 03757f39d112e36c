"""What passes through the door, what is stopped there, and what happens when the other side fails."""

import os
import socket
import threading
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from gateway import uploads
from gateway.routes import SERVICES
from shared.principal import Verifier

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def known(gateway):
    return gateway.client()


@pytest.fixture(scope="module")
def bearer(known):
    return known.bearer


def test_the_path_and_the_query_arrive_as_they_were_sent(gateway, bearer):
    answer = gateway.http.get("/v1/charts/a%20b/%C3%A9?from=2026-01&x=%26", headers=bearer)
    assert answer.json() == {"path": "/v1/charts/a%20b/%C3%A9", "query": "from=2026-01&x=%26", "size": 0}


def test_the_service_is_told_who_asks_by_the_gateway_and_by_nobody_else(gateway, known, bearer):
    forged = {"X-PSIP-Principal": "forged", "X-PSIP-Anything": "forged", "X_PSIP_Principal": "forged"}
    gateway.http.get("/v1/series", headers=bearer | forged)
    names = [name for name, _ in gateway.upstream.seen[-1]["headers"]]
    assert names.count("x-psip-principal") == 1
    assert "forged" not in gateway.upstream.last.values()
    principal = Verifier(gateway.settings.principal_key).verify(gateway.upstream.last["x-psip-principal"])
    assert principal.client_id == known.client_id


def test_credentials_and_headers_of_the_connection_stop_at_the_door(gateway, bearer):
    sent = {
        "Cookie": "a=b",
        "TE": "trailers",
        "Connection": "keep-alive, X-Private",
        "X-Private": "1",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=203.0.113.9",
        "Proxy-Authorization": "Basic x",
        "X-Kept": "yes",
    }
    gateway.http.get("/v1/series", headers=bearer | sent)
    told = gateway.upstream.last
    assert told["x-kept"] == "yes"
    assert not told.keys() & {"authorization", "cookie", "te", "x-private", "forwarded", "proxy-authorization"}
    assert "x-forwarded-for" not in told
    assert told["x-forwarded-host"] == urlsplit(gateway.settings.public_url).netloc


def test_ids_travel_to_the_service_and_back(gateway, bearer):
    trace = "0af7651916cd43dd8448eb211c80319c"
    ids = {"X-Request-ID": "r-1", "X-Correlation-ID": "c-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = gateway.http.get("/v1/series", headers=bearer | ids)
    assert (answer.headers["X-Request-ID"], answer.headers["X-Correlation-ID"]) == ("r-1", "c-1")
    told = gateway.upstream.last
    assert (told["x-request-id"], told["x-correlation-id"]) == ("r-1", "c-1")
    assert told["traceparent"].split("-")[1] == trace


def test_an_answer_keeps_its_headers_but_not_those_of_its_connection(gateway, bearer):
    answer = gateway.http.get("/v1/series", headers=bearer)
    assert answer.headers["ETag"] == '"7"'
    assert "secret" not in answer.headers.get("Server", "")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.headers.get_list("X-Request-ID")) == 1


def test_head_is_answered_like_get_without_the_body(gateway, bearer):
    asked, headed = (ask("/v1/series", headers=bearer) for ask in (gateway.http.get, gateway.http.head))
    told = ("ETag", "Content-Type", "Content-Length", "Cache-Control")
    assert (headed.status_code, headed.content) == (200, b"")
    assert [headed.headers[name] for name in told] == [asked.headers[name] for name in told]
    assert gateway.http.head("/docs").status_code == 200
    assert gateway.http.get("/v1/series", headers=bearer).content  # the connection goes on


def test_what_never_ends_has_no_head(gateway, bearer):
    assert gateway.http.head("/v1/stream", headers=bearer).status_code == 405


def test_an_upload_of_50_mb_streams_through_little_memory(gateway, bearer):
    def body():
        for _ in range(800):
            yield b"x" * 65536

    before, peak = rss(), Peak()
    with peak:
        answer = gateway.http.post("/v1/submissions", content=body(), headers=bearer)
    assert answer.json()["size"] == 800 * 65536
    assert peak.highest - before < 30 * MEGABYTE


def test_an_upload_with_a_length_arrives_whole(gateway, bearer):
    content = os.urandom(3 * MEGABYTE)
    answer = gateway.http.post("/v1/submissions", content=content, headers=bearer)
    assert answer.json()["size"] == len(content)
    assert gateway.upstream.last["content-length"] == str(len(content))
    assert "transfer-encoding" not in gateway.upstream.last


def test_a_download_of_50_mb_streams_through_little_memory(gateway, bearer):
    before, size, peak = rss(), 0, Peak()
    with peak, gateway.http.stream("GET", "/v1/exports/big", headers=bearer) as answer:
        for part in answer.iter_raw():
            size += len(part)
    assert size == 800 * 65536
    assert peak.highest - before < 30 * MEGABYTE


def test_a_service_waits_for_a_slow_reader(gateway, bearer):
    """Nothing is read of 50 MB: the service must be held back, not the bytes kept."""
    before = rss()
    with gateway.http.stream("GET", "/v1/exports/big", headers=bearer) as answer:
        first = next(answer.iter_raw())
        assert first
        for _ in range(20):  # whatever the gateway still does, it does before it answers these
            gateway.http.get("/v1/series", headers=bearer)
        assert rss() - before < 30 * MEGABYTE


def test_a_body_larger_than_the_address_takes_is_refused_by_its_length(gateway, bearer):
    answer = gateway.http.post("/v1/statistics/spc", content=b"x" * 33 * MEGABYTE, headers=bearer)
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/body-too-large"


def test_a_body_larger_than_the_address_takes_is_refused_while_it_comes(gateway, bearer):
    def body():
        for _ in range(34):
            yield b"x" * MEGABYTE

    answer = gateway.http.post("/v1/statistics/spc", content=body(), headers=bearer)
    assert answer.status_code == 413


def test_a_service_may_answer_before_it_has_read_the_body(gateway, bearer):
    def body():
        for _ in range(100):
            yield b"x" * 65536

    answer = gateway.http.request("PUT", "/v1/targets/early", content=body(), headers=bearer)
    assert (answer.status_code, answer.text) == (415, "no")
    assert gateway.http.get("/v1/series", headers=bearer).status_code == 200


def test_a_service_that_is_not_there_is_a_503_that_says_when_to_come_back(listen):
    with nobody() as url, listen(upstreams=dict.fromkeys(SERVICES, url)) as gateway:
        answer = gateway.http.get("/v1/series", headers=gateway.client().bearer)
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Retry-After"].isdigit()
        assert answer.json()["type"] == "/problems/service-unreachable"
        assert "RateLimit" in answer.headers


def test_a_service_that_hangs_up_on_a_question_is_asked_once_more(listen):
    with Rude(times=1) as rude, listen(upstreams=dict.fromkeys(SERVICES, rude.url)) as gateway:
        assert gateway.http.get("/v1/series", headers=gateway.client().bearer).text == "sorry"
        assert rude.asked == 2


def test_a_service_that_hangs_up_on_a_change_is_not_asked_again(listen):
    with Rude(times=1) as rude, listen(upstreams=dict.fromkeys(SERVICES, rude.url)) as gateway:
        answer = gateway.http.post("/v1/submissions", content=b"a,b", headers=gateway.client().bearer)
        assert answer.status_code == 502
        assert answer.json()["type"] == "/problems/broken-answer"
        assert rude.asked == 1


def test_a_service_that_does_not_speak_http_is_a_502(listen):
    with Rude(says=b"SSH-2.0-OpenSSH_9\r\n") as rude, listen(upstreams=dict.fromkeys(SERVICES, rude.url)) as gateway:
        answer = gateway.http.get("/v1/series", headers=gateway.client().bearer)
        assert answer.status_code == 502


def test_a_service_that_always_hangs_up_is_soon_left_alone_and_the_others_are_not(listen):
    with Rude(times=10**6) as rude, listen() as good:
        one_is_rude = good.settings.upstreams | {"ingest": rude.url}
        with listen(upstreams=one_is_rude) as gateway:
            gateway.app.state.proxy.services["ingest"]._clock = lambda: 0.0  # however long the requests take
            bearer = gateway.client().bearer
            answers = [gateway.http.post("/v1/submissions", content=b"a,b", headers=bearer) for _ in range(7)]
            other = gateway.http.get("/v1/series", headers=bearer)
            circuits = gateway.http.get("/metrics").text
    assert [one.status_code for one in answers] == [502] * 5 + [503] * 2
    assert rude.asked == 5
    assert (other.status_code, answers[-1].headers["Retry-After"]) == (200, "1")
    assert 'psip_service_left_alone{service="ingest"} 1.0' in circuits
    assert 'psip_service_left_alone{service="measures"} 0.0' in circuits


def test_a_service_is_told_how_long_its_answer_will_be_waited_for(gateway, bearer):
    gateway.http.get("/v1/series", headers=bearer | {"X-PSIP-Seconds-Left": "9999"})
    assert gateway.upstream.last["x-psip-seconds-left"] == "60"
    gateway.http.post("/v1/submissions", headers=bearer)
    assert gateway.upstream.last["x-psip-seconds-left"] == "600"


def test_what_is_under_way_when_the_gateway_is_stopped_is_finished_and_nobody_else_is_let_in(listen):
    answers = []

    def ask(bearer):
        answers.append(httpx.get(f"{gateway.url}/v1/exports/wait", headers=bearer, timeout=60).status_code)

    def release_when_closed():
        place = urlsplit(gateway.url)
        while True:
            try:
                socket.create_connection((place.hostname, place.port), 60).close()
            except OSError:
                break
        gateway.upstream.released.set()

    with listen() as gateway:
        asking = threading.Thread(target=ask, args=(gateway.client().bearer,))
        asking.start()
        assert gateway.upstream.began.wait(60)
        releasing = threading.Thread(target=release_when_closed)
        releasing.start()
    asking.join(60)
    releasing.join(60)
    assert answers == [200]


def test_a_body_that_stops_coming_is_a_408_and_the_service_learns_of_it(gateway, bearer, monkeypatch):
    monkeypatch.setattr(uploads, "PATIENCE", 0.05)
    gateway.upstream.dropped.clear()
    head = "Content-Length: 1000000\r\n"
    with closing(connect(gateway, "PUT /v1/targets/silent", bearer, head, b"half")) as wire:
        answer = wire.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert gateway.upstream.dropped.wait(60)


@pytest.mark.parametrize("line", ["POST /v1/submissions", "POST /v1/webhooks", "POST /oauth2/token"])
@pytest.mark.parametrize("body", [b"", b"half"])
def test_nobody_waits_for_ever_for_a_body(gateway, bearer, monkeypatch, line, body):
    """Not for its first part either, and not at the addresses of the gateway itself."""
    monkeypatch.setattr(uploads, "PATIENCE", 0.05)
    with closing(connect(gateway, line, bearer, "Content-Length: 1000\r\n", body)) as wire:
        assert wire.recv(65536).startswith(b"HTTP/1.1 408")


def test_a_body_larger_than_an_address_of_the_gateway_itself_takes_is_refused(gateway, bearer):
    def body():
        for _ in range(20):
            yield b"x" * 65536

    answers = [gateway.http.post("/v1/webhooks", content=one, headers=bearer) for one in (b"x" * 2 * MEGABYTE, body())]
    assert [answer.json()["type"] for answer in answers] == ["/problems/body-too-large"] * 2


@pytest.mark.parametrize(
    ("seconds", "received", "dripped"),
    [(59, 0, False), (61, 0, True), (61, 100_000, False), (600, 1_000_000, True), (600, 200 * MEGABYTE, False)],
)
def test_a_body_may_be_slow_and_may_not_be_dripped(seconds, received, dripped):
    assert uploads.drips(seconds, received) == dripped


def test_an_answer_that_breaks_off_is_broken_off_for_the_caller_too(gateway, bearer):
    with pytest.raises(httpx.RemoteProtocolError):
        gateway.http.get("/v1/exports/cut", headers=bearer)


def test_a_service_learns_that_the_caller_has_hung_up_while_it_thinks(gateway, bearer):
    gateway.upstream.dropped.clear()
    gateway.upstream.began.clear()
    with closing(connect(gateway, "GET /v1/exports/silent", bearer)):
        assert gateway.upstream.began.wait(60)
    assert gateway.upstream.dropped.wait(60)


def test_a_service_learns_that_the_caller_has_hung_up_while_it_answers(gateway, bearer):
    gateway.upstream.dropped.clear()
    with gateway.http.stream("GET", "/v1/exports/endless", headers=bearer) as answer:
        assert next(answer.iter_raw()) == b"begin\n"
    assert gateway.upstream.dropped.wait(60)


def test_a_service_learns_that_a_body_broke_off(gateway, bearer):
    """Half a file must never look like a file."""
    gateway.upstream.dropped.clear()
    gateway.upstream.began.clear()
    head = "Content-Length: 1000000\r\n"
    with closing(connect(gateway, "PUT /v1/targets/silent", bearer, head, b"half")):
        assert gateway.upstream.began.wait(60)
    assert gateway.upstream.dropped.wait(60)
    assert gateway.http.get("/v1/series", headers=bearer).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 4, 4\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X-A: 1\r\n X-Psip-Principal: folded\r\n",
        "X-A: 1\nX-Psip-Principal: bare\r\n",
        "X-A: a\x00b\r\n",
    ],
)
def test_a_request_that_could_be_read_as_two_is_refused(gateway, bearer, head):
    asked = len(gateway.upstream.seen)
    hidden = b"GET /v1/clients HTTP/1.1\r\nHost: x\r\n\r\n"
    with closing(connect(gateway, "POST /v1/submissions", bearer, head, b"0\r\n\r\n" + hidden)) as wire:
        answer = wire.recv(65536)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 422")), answer
    assert len(gateway.upstream.seen) == asked


def test_a_body_that_is_not_as_long_as_it_was_said_to_be_takes_nothing_from_the_request_after_it(gateway, bearer):
    """The parser believes the connection to be upgraded, and says that the body is over before it begins."""
    asked = len(gateway.upstream.seen)
    head = "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 40\r\n"
    with closing(connect(gateway, "GET /v1/exports/cells", bearer, head, b"x" * 40)) as wire:
        assert wire.recv(65536).startswith(b"HTTP/1.1 422")
    assert len(gateway.upstream.seen) == asked
    assert gateway.http.get("/v1/exports/cells", headers=bearer).status_code == 200


def test_who_offers_to_upgrade_is_answered_as_if_not(gateway, bearer):
    head = "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    with closing(connect(gateway, "GET /v1/exports/cells", bearer, head)) as wire:
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
    assert "upgrade" not in gateway.upstream.last


def test_headers_too_large_are_refused(gateway, bearer):
    answer = gateway.http.get("/v1/series", headers=bearer | {"X-Large": "x" * 40_000})
    assert answer.status_code == 431


def test_requests_sent_one_behind_the_other_are_answered_in_order(gateway, bearer):
    asked = "".join(
        f"GET /v1/charts/a/{n} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer['Authorization']}\r\n\r\n" for n in "123"
    )
    address = urlsplit(gateway.url)
    with socket.create_connection((address.hostname, address.port), 60) as wire:
        wire.sendall(asked.encode())
        got = b""
        while got.count(b'"path"') < 3 and (more := wire.recv(65536)):
            got += more
    places = [got.index(b"/v1/charts/a/%d" % n) for n in (1, 2, 3)]
    assert places == sorted(places)


def test_a_service_behind_a_socket_file_is_reached(listen, tmp_path):
    with Rude(times=0, path=str(tmp_path / "s")) as service:
        url = "http+unix://" + service.path.replace("/", "%2F")
        with listen(upstreams=dict.fromkeys(SERVICES, url)) as gateway:
            assert gateway.http.get("/v1/series", headers=gateway.client().bearer).text == "sorry"


def connect(gateway, line, bearer, head="", body=b""):
    """A caller who writes HTTP by hand."""
    address = urlsplit(gateway.url)
    wire = socket.create_connection((address.hostname, address.port), 60)
    request = f"{line} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer['Authorization']}\r\n{head}\r\n"
    wire.sendall(request.encode() + body)
    return wire


@contextmanager
def nobody():
    """An address at which nobody listens, and nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class Rude:
    """A service that hangs up on the first requests (or on all, saying something else than HTTP)."""

    def __init__(self, *, times=0, says=None, path=None):
        self.times, self.says, self.asked, self.path = times, says, 0, path
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(path or ("127.0.0.1", 0))
        self.listener.listen()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self):
        while True:
            try:
                wire, _ = self.listener.accept()
            except OSError:
                return
            with wire, suppress(OSError):  # who asks may have gone by now
                self.asked += bool(wire.recv(65536))
                if self.says:
                    wire.sendall(self.says)
                elif self.asked > self.times:
                    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry")


def rss():
    return psutil.Process().memory_info().rss


class Peak:
    """The most memory this process had within the block, looked at whenever another thread gives way."""

    def __enter__(self):
        self.highest, self._over = rss(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self):
        while not self._over.wait(0.005):
            self.highest = max(self.highest, rss())

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

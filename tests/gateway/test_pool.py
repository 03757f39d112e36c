"""Our connections to services, against servers that are written byte by byte."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.pool import Origin, Patience, Pool
from gateway.wire import Broken, CannotConnect, PoolTooSlow, TooSlow, UnsafeHead, checked

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(*answers: bytes) -> Script:
    """Gives these answers, one for each request that comes on a connection, and hangs up."""

    async def script(reader, writer):
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return script


@asynccontextmanager
async def server(script: Script, **options) -> AsyncIterator[str]:
    """A server that plays the script on every connection; its address."""
    made: list[asyncio.StreamWriter] = []

    async def play(reader, writer):
        made.append(writer)
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(play, "127.0.0.1", 0, **options)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for writer in made:
            writer.close()
        await listening.wait_closed()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded():
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())


async def asked(url: str, **how) -> tuple[dict[bytes, bytes], bytes]:
    """The headers and the whole body that one request is answered with."""
    pool = Pool(Origin.of_url(url), **how)
    try:
        answer = await pool.send(GET)
        body = b""
        while part := await answer.read(60):
            body += part
        answer.close()
        return dict(answer.headers), body
    finally:
        pool.close()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", b"old"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
def test_every_framing_of_an_answer_is_understood(answer, body):
    async def work():
        async with server(says(answer)) as url:
            headers, content = await asked(url)
            assert content == body
            assert b"link" not in headers

    run(work)


def test_an_answer_in_single_bytes_is_understood():
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async def work():
        async with server(drip) as url:
            assert (await asked(url))[1] == b"ok"

    run(work)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_whole_answer_is_an_error(answer):
    async def work():
        async with server(says(answer)) as url:
            with pytest.raises(Broken):
                await asked(url)

    run(work)


def test_a_connection_is_kept_and_used_again():
    async def work():
        async with server(says(OK, OK, OK)) as url:
            pool = Pool(Origin.of_url(url))
            for _ in range(3):
                answer = await pool.send(GET)
                assert await answer.read(5) == b"ok"
                answer.close()
            assert (pool.connections, pool.idle) == (1, 1)
            pool.close()

    run(work)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        OK + b"junk",
    ],
)
def test_a_connection_that_cannot_be_trusted_is_not_kept(answer):
    """Bytes that nobody asked for would be the next caller's answer."""

    async def work():
        async with server(says(answer, OK)) as url:
            pool = Pool(Origin.of_url(url))
            first = await pool.send(GET)
            assert await first.read(5) == b"ok"
            first.close()
            assert pool.idle == 0
            pool.close()

    run(work)


def test_bytes_that_come_on_an_idle_connection_close_it():
    more = asyncio.Event

    async def work():
        talk = more()

        async def talkative(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await talk.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            await reader.read()

        async with server(talkative) as url:
            pool = Pool(Origin.of_url(url))
            answer = await pool.send(GET)
            await answer.read(5)
            answer.close()
            assert pool.idle == 1
            talk.set()
            while pool.idle:
                await asyncio.sleep(0)

    run(work)


def test_a_cancelled_request_closes_its_connection():
    async def work():
        asked, gone = asyncio.Event(), asyncio.Event()

        async def silent(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            await reader.read()
            gone.set()

        async with server(silent) as url:
            pool = Pool(Origin.of_url(url))
            task = asyncio.create_task(pool.send(GET))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await gone.wait()
            assert pool.idle == 0

    run(work)


def test_an_answer_left_half_read_closes_its_connection():
    async def work():
        async with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")) as url:
            pool = Pool(Origin.of_url(url))
            answer = await pool.send(GET)
            assert answer.status == 200
            answer.close()
            assert pool.idle == 0

    run(work)


def test_each_step_has_its_own_time_out():
    async def silent(reader, writer):
        await reader.read()

    async def work():
        async with server(silent) as url:
            with pytest.raises(TooSlow):
                await Pool(Origin.of_url(url)).send(GET, patience=Patience(read=0.01))
            pool = Pool(Origin.of_url(url), size=1)
            waiting = asyncio.create_task(pool.send(GET))
            await asyncio.sleep(0)
            with pytest.raises(PoolTooSlow):
                await pool.send(GET, patience=Patience(pool=0.01))
            waiting.cancel()

    run(work)


def test_a_body_nobody_reads_is_a_time_out_and_not_a_hoard():
    async def deaf(reader, writer):
        await asyncio.Event().wait()

    sent = 0

    async def body():
        nonlocal sent
        while True:
            sent += 65536
            yield b"x" * 65536

    async def work():
        async with server(deaf, limit=1024) as url:
            with pytest.raises(TooSlow):
                await Pool(Origin.of_url(url)).send(GET, body(), chunked=True, patience=Patience(write=0.05))
        assert sent < 20_000_000  # what the kernel's buffers hold, and no more

    run(work)


def test_nobody_there_is_an_error_that_says_nothing_was_sent():
    async def work():
        async with server(says(OK)) as url:
            pass
        with pytest.raises(CannotConnect):
            await Pool(Origin.of_url(url)).send(GET)

    run(work)


def test_a_question_is_repeated_only_when_that_is_safe():
    asked = 0

    async def rude_once(reader, writer):
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        if asked > 1:
            writer.write(OK)
            await writer.drain()

    async def work():
        nonlocal asked
        async with server(rude_once) as url:
            with pytest.raises(Broken):
                await Pool(Origin.of_url(url)).send(GET)
            assert asked == 1
            asked = 0
            answer = await Pool(Origin.of_url(url)).send(GET, repeatable=True)
            assert (answer.status, asked) == (200, 2)
            answer.close()

    run(work)


def test_there_are_never_more_connections_than_allowed_and_everybody_gets_one():
    most = now = 0

    async def counted(reader, writer):
        nonlocal most, now
        now += 1
        most = max(most, now)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(0)
                writer.write(OK)
        finally:
            now -= 1

    async def work():
        async with server(counted) as url:
            pool = Pool(Origin.of_url(url), size=3)

            async def ask():
                answer = await pool.send(GET)
                body = await answer.read(5)
                answer.close()
                return body

            assert set(await asyncio.gather(*(ask() for _ in range(50)))) == {b"ok"}
            assert pool.connections <= 3
            pool.close()
        assert most <= 3

    run(work)


def test_who_stops_waiting_for_a_connection_does_not_keep_it_from_the_next():
    async def slow(reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await release.wait()
            writer.write(OK)

    async def work():
        global release
        release = asyncio.Event()
        async with server(slow) as url:
            pool = Pool(Origin.of_url(url), size=1)
            first, second, third = (asyncio.create_task(pool.send(GET)) for _ in range(3))
            await asyncio.sleep(0)
            second.cancel()
            release.set()
            (await first).close()
            answer = await third
            assert answer.status == 200
            answer.close()
            pool.close()

    run(work)


def test_a_body_arrives_as_it_is_or_in_chunks():
    got = []

    async def listen(reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            got.append(await (reader.readexactly(7) if b"Length" in head else reader.readuntil(b"0\r\n\r\n")))
            writer.write(OK)

    async def parts():
        yield b"ab"
        yield b""
        yield b"c"

    async def work():
        put = b"PUT / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n"
        async with server(listen) as url:
            pool = Pool(Origin.of_url(url))
            (await pool.send(put % b"Content-Length: 7", b"1234567")).close()
            (await pool.send(put % b"Transfer-Encoding: chunked", parts(), chunked=True)).close()
            pool.close()

    run(work)
    assert got == [b"1234567", b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"]


@pytest.mark.parametrize("wrong", [b"X-A: 1\r\nX-B: 2", b"X-A: 1\nX-B: 2", b"X-A: 1\rX-B: 2"])
def test_a_head_with_a_line_break_too_many_is_not_sent(wrong):
    with pytest.raises(UnsafeHead):
        checked(b"GET / HTTP/1.1\r\n%b\r\n\r\n" % wrong, lines=3)


def test_a_body_that_breaks_off_is_the_askers_error_and_closes_the_connection():
    async def work():
        gone = asyncio.Event()

        async def listen(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            await reader.read()
            gone.set()

        async def body():
            yield b"half"
            raise ValueError("the disk is gone")

        async with server(listen) as url:
            with pytest.raises(Broken) as broken:
                await Pool(Origin.of_url(url)).send(GET, body(), chunked=True)
            assert isinstance(broken.value.__cause__, ValueError)
            await gone.wait()

    run(work)


def test_tls_is_checked(tmp_path):
    key, certificate = self_signed()
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    trusting = ssl.create_default_context(cadata=certificate.decode())

    async def work():
        async with server(says(OK), ssl=theirs) as url:
            address = url.replace("http://127.0.0.1", "https://localhost")
            assert (await asked(address, context=trusting))[1] == b"ok"
            with pytest.raises(CannotConnect):
                await asked(address)

    run(work)


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x/path", "http://x?q", "x:80", "127.0.0.1"])
def test_an_address_that_is_no_services_is_refused(url):
    with pytest.raises(ValueError, match="not the address"):
        Origin.of_url(url)


def test_the_host_header_names_a_port_that_is_not_the_usual_one():
    assert Origin.of_url("http://ingest:8001").authority == b"ingest:8001"
    assert Origin.of_url("https://ingest").authority == b"ingest"
    assert Origin.of_url("http://[::1]:81").authority == b"[::1]:81"


def self_signed():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)

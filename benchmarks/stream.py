"""What 2,000 open streams cost and whether they miss anything: nothing, is the claim.

`python -m benchmarks.stream [streams] [submissions]` runs the one-process platform and, beside it, a second gateway on
the same database. All streams open at the second gateway; then submissions arrive at the first, from four threads. In
their midst a third of the streams are cut and come back at the first gateway with their `Last-Event-ID`; later the
second gateway is killed (`kill -9`) and the rest come back too. Afterwards every stream must have told every event of
the log once and in order.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import httptools
import httpx
import psutil
import uvloop

from benchmarks.failures import OneProcess, Storm, one_process
from deploy import migrate
from deploy.postgres import running_server_url
from deploy.running import running_database
from gateway.live import log
from shared.db import Database, now

FIRST, SECOND = 8971, 8972
PATIENCE = 120.0
PAUSE = 0.2
OPENING_AT_ONCE = 100


@dataclass
class Reader:
    """One stream as its client sees it: what it was told, and where it goes on."""

    head: Callable[["Reader"], bytes]
    seen: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    place: str | None = None
    resets: int = 0
    connections: int = 0
    connection: "Connection | None" = None

    async def open(self, port: int) -> None:
        """Connect, and return when the stream has begun."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
        self.connection = connection
        self.connections += 1
        await connection.begun

    def told(self, block: bytes) -> None:
        """One block of the stream."""
        fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n"))
        self.place = fields[b"id"].decode() if b"id" in fields else self.place
        if fields.get(b"event") == b"reset":
            self.resets += 1
        elif b"data" in fields:
            self.seen.append(int(fields[b"id"]))
            data = json.loads(fields[b"data"])
            at = next(data[name] for name in ("completed_at", "changed_at", "detected_at") if name in data)
            self.delays.append((now() - datetime.fromisoformat(at)).total_seconds())


class Connection(asyncio.Protocol):
    """The bytes of a stream."""

    def __init__(self, reader: Reader) -> None:
        loop = asyncio.get_running_loop()
        self.reader, self.rest = reader, b""
        self.begun: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)
        transport.write(self.reader.head(self.reader))

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        status = self.parser.get_status_code()
        if status != 200:
            raise RuntimeError(f"a stream was answered {status}: {body[:200]!r}")
        *blocks, self.rest = (self.rest + body).split(b"\n\n")
        for block in blocks:
            self.reader.told(block)
        if self.reader.place is not None and not self.begun.done():
            self.begun.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.begun.done():
            self.begun.set_exception(error or ConnectionError("the stream did not begin"))
        self.lost.set_result(None)


def head_of(base_url: str, token: str) -> Callable[[Reader], bytes]:
    """The request that opens a stream where its reader left off."""
    host = urlsplit(base_url).netloc

    def head(reader: Reader) -> bytes:
        place = "" if reader.place is None else f"Last-Event-ID: {reader.place}\r\n"
        return f"GET /v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{place}\r\n".encode()

    return head


async def open_all(readers: list[Reader], port: int) -> None:
    """Open streams, some at a time."""
    for at in range(0, len(readers), OPENING_AT_ONCE):
        await asyncio.gather(*(one.open(port) for one in readers[at : at + OPENING_AT_ONCE]))


@contextmanager
def second_gateway(platform: OneProcess) -> Iterator[psutil.Process]:
    """Another gateway before the same database, in a process of its own."""
    environment = os.environ | {
        "PSIP_DATABASE_URL": running_server_url(platform.data_dir / "postgres") or "",
        "PSIP_SECRETS_DIR": str(platform.data_dir / "secrets"),
        "PSIP_PUBLIC_URL": f"http://127.0.0.1:{FIRST}",
        "PSIP_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(migrate.ROOT),
    }
    command = [sys.executable, "-m", "deploy.cli", "api", "gateway", "--port", str(SECOND)]
    process = subprocess.Popen(command, env=environment)
    try:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{SECOND}/health/live").is_success:
                    break
            time.sleep(PAUSE)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def token_of(platform: OneProcess) -> str:
    mine = platform.credentials["supplier"]
    answer = httpx.post(
        f"http://127.0.0.1:{FIRST}/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(mine["client_id"], mine["client_secret"]),
    )
    return str(answer.json()["access_token"])


def newest(database: Database) -> int:
    with database.session() as session:
        return log.bounds(session).newest


def positions(database: Database, after: int) -> tuple[list[int], int]:
    """The log after a position, and how many submissions are in it."""
    with database.session() as session:
        rows = log.after(session, after, limit=100_000)
        return [one.position for one in rows], sum(one.name == "submission.completed" for one in rows)


async def settled(database: Database, after: int, submissions: int) -> list[int]:
    """The log, once every submission is in it and nothing more comes."""
    before: list[int] = []
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        await asyncio.sleep(2)
        found, completed = await asyncio.to_thread(positions, database, after)
        if completed >= submissions and found == before:
            return found
        before = found
    raise TimeoutError("the log does not come to rest")


async def story(
    platform: OneProcess, gateway: psutil.Process, database: Database, streams: int, submissions: int
) -> int:
    head = head_of(f"http://127.0.0.1:{FIRST}", token_of(platform))
    readers = [Reader(head) for _ in range(streams)]
    idle = gateway.memory_info().rss
    began = time.monotonic()
    await open_all(readers, SECOND)
    held = gateway.memory_info().rss
    print(
        f"{streams} streams opened in {time.monotonic() - began:.1f} s; the gateway holds {held / 1e6:.0f} MB, "
        f"{(held - idle) / streams / 1e3:.1f} kB a stream, {gateway.num_fds()} descriptors, "
        f"{gateway.num_threads()} threads",
        flush=True,
    )
    first = newest(database)
    storm = Storm(platform.client, 2019, submissions)
    struck = threading.Event()
    sending = asyncio.create_task(asyncio.to_thread(storm.break_over, struck.set))
    await asyncio.to_thread(struck.wait, PATIENCE)  # a third has been sent
    cut, others = readers[::3], [one for number, one in enumerate(readers) if number % 3]
    for one in cut:
        assert one.connection is not None
        one.connection.transport.abort()
    await asyncio.sleep(1)
    await open_all(cut, FIRST)
    gateway.kill()
    await asyncio.gather(*(one.connection.lost for one in others if one.connection is not None))
    await open_all(others, FIRST)
    await sending
    wanted = await settled(database, first, submissions)
    ends = time.monotonic() + PATIENCE
    while any(len(one.seen) < len(wanted) for one in readers) and time.monotonic() < ends:
        await asyncio.sleep(PAUSE)
    return judged(readers, wanted, submissions)


def judged(readers: list[Reader], wanted: list[int], submissions: int) -> int:
    """Print what was told; how many streams were told something else than the log."""
    wrong = [one for one in readers if one.seen != wanted]
    missing = sum(len(set(wanted) - set(one.seen)) for one in readers)
    twice = sum(len(one.seen) - len(set(one.seen)) for one in readers)
    delays = quantiles([delay for one in readers for delay in one.delays], n=100)
    print(
        f"{submissions} submissions gave {len(wanted)} events: {sum(len(one.seen) for one in readers)} told on "
        f"{len(readers)} streams over {sum(one.connections for one in readers)} connections\n"
        f"missed {missing}, told twice {twice}, resets {sum(one.resets for one in readers)}, "
        f"streams that differ from the log {len(wrong)}\n"
        f"from what happened to its telling: median {delays[49]:.2f} s, p95 {delays[94]:.2f} s, reconnections included",
        flush=True,
    )
    return len(wrong)


def main(streams: int, submissions: int) -> int:
    with tempfile.TemporaryDirectory() as folder, one_process(Path(folder), FIRST) as platform:
        database = running_database("gateway", platform.data_dir)
        with second_gateway(platform) as gateway:
            wrong = uvloop.run(story(platform, gateway, database, streams, submissions))
        database.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    sys.exit(main(*(given + [2000, 200][len(given) :])))

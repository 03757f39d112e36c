"""P4: requests a second and upload speed through the gateway, as a share of the same service called directly.

Three processes besides this one: a service built as ours are, the gateway before it (token, scope, limit, principal,
log), and whoever asks. Direct and through the gateway take turns, and the medians are compared: the machine is noisy.

Run: python -m benchmarks.gateway [seconds for each turn]
"""

import asyncio
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httptools
import httpx
import orjson
import uvicorn
import uvloop
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from joserfc.jwk import ECKey
from pydantic import SecretStr

from deploy.databases import ensure_databases
from deploy.migrate import migrate
from deploy.ports import free_ports
from deploy.postgres import Postgres
from gateway.access.commands import register_client
from gateway.app import create_app
from gateway.settings import GatewaySettings
from shared.db import Database
from shared.principal import HEADER, Principal, Requires, Signer, new_key
from shared.service import create_service
from shared.settings import ServiceSettings
from shared.telemetry import configure_logging

CLIENTS = (1, 16, 64)
TURNS = 3
UPLOAD_BYTES = 74_000_000
UPLOADS = 2
GOALS = {1: None, 16: 0.40, 64: 0.30}
UPLOAD_GOAL = 0.80
BODY = orjson.dumps({"points": [{"period": f"2026-{month:02d}", "value": month / 7} for month in range(1, 61)]})
CELLS = {"X-PSIP-Cells": "60"}

Ways = dict[str, tuple[str, Callable[[], str]]]


def main(seconds: float) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(Postgres(folder / "postgres"))
        ensure_databases(postgres.server_url)
        url = postgres.url("gateway")
        migrate("gateway", SecretStr(url))
        private, public = new_key()
        service, door = free_ports(2)
        stack.enter_context(process("service", service, {"database_url": url, "principal_key": public}))
        settings = gateway_settings(url, private, service, door)
        stack.enter_context(process("gateway", door, settings))
        compare(seconds, service, door, url, private)


def gateway_settings(url: str, private: str, service: int, door: int) -> dict[str, Any]:
    token_key = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)
    return {
        "database_url": url,
        "principal_private_key": private,
        "token_key": json.dumps(token_key),
        "webhook_key": "bench",
        "upstreams": dict.fromkeys(("ingest", "programmes", "measures"), f"http://127.0.0.1:{service}"),
        "public_url": f"http://127.0.0.1:{door}",
        "requests_per_minute": 10_000_000,
        "anonymous_per_minute": 10_000_000,
        "cells_per_minute": 1_000_000_000,
    }


def compare(seconds: float, service: int, door: int, url: str, private: str) -> None:
    scopes = ["measures:read", "submissions:write"]
    with closing(Database(SecretStr(url))) as database, database.session() as session:
        secret = register_client(session, client_id="bench", name="Benchmark", scopes=scopes)
    form = {"grant_type": "client_credentials"}
    token = httpx.post(f"http://127.0.0.1:{door}/oauth2/token", data=form, auth=("bench", secret)).json()[
        "access_token"
    ]
    signer, bench = Signer(private), Principal("bench", frozenset(scopes))
    ways: Ways = {  # a principal lives a minute: a new one for each turn
        "direct": (f"http://127.0.0.1:{service}", lambda: f"{HEADER}: {signer.sign(bench)}"),
        "gateway": (f"http://127.0.0.1:{door}", lambda: f"Authorization: Bearer {token}"),
    }
    print(f"{'':28}{'direct':>12}{'gateway':>12}{'share':>8}{'goal':>8}   p99 direct, gateway")
    for kind, path in (("ready bytes", "/v1/charts/a/b"), ("a `def` route", "/v1/funnels/a")):
        for clients in CLIENTS:
            report(f"{kind}, {clients} clients", ways, f"GET {path} {clients} {seconds}", GOALS[clients], "req/s")
    for clients in (1, 16):
        report(
            f"74 MB, kept, {clients} clients", ways, f"POST /v1/submissions {clients} {UPLOADS}", UPLOAD_GOAL, "MB/s"
        )
        report(
            f"74 MB, dropped, {clients} clients", ways, f"POST /v1/submissions?keep=0 {clients} {UPLOADS}", None, "MB/s"
        )


def report(name: str, ways: Ways, work: str, goal: float | None, unit: str) -> None:
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(TURNS):
        for way, (base, header) in ways.items():
            asked = subprocess.run(
                [sys.executable, "-m", "benchmarks.gateway", "ask", base, header(), *work.split()],
                check=True, stdout=subprocess.PIPE,
            )  # fmt: skip
            found[way].append(json.loads(asked.stdout))
    rate = {way: statistics.median(one["rate"] for one in ones) for way, ones in found.items()}
    slow = {way: statistics.median(one["p99"] for one in ones) * 1000 for way, ones in found.items()}
    share = rate["gateway"] / rate["direct"]
    wanted = f"{goal:8.0%}" if goal else " " * 8
    print(
        f"{name:28}{rate['direct']:12.0f}{rate['gateway']:12.0f}{share:8.0%}{wanted}"
        f"   {slow['direct']:.1f} ms, {slow['gateway']:.1f} ms  ({unit})",
        flush=True,
    )


class process:  # noqa: N801 - used as a function
    """One of the servers, in a process of its own, for the length of a block."""

    def __init__(self, role: str, port: int, settings: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "benchmarks.gateway", "serve", role, str(port)]
        environment = os.environ | {"BENCH_SETTINGS": json.dumps(settings)}
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        self._url = f"http://127.0.0.1:{port}/health/live"

    def __enter__(self) -> None:
        while True:
            try:
                httpx.get(self._url)
            except httpx.TransportError:
                assert self._process.poll() is None, "a server ended"
                time.sleep(0.05)
            else:
                return

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def serve(role: str, port: int) -> None:
    configure_logging()
    settings = json.loads(os.environ["BENCH_SETTINGS"])
    if role == "gateway":
        app = create_app(GatewaySettings(**settings))
    else:
        app = service(ServiceSettings(service="service", **settings))
    uvicorn.run(app, port=port, log_level="error", access_log=False, loop="uvloop", http="httptools", ws="none")


def service(settings: ServiceSettings) -> FastAPI:
    """A service as ours are, with nothing behind its routes."""
    router = APIRouter()
    may_read = Annotated[Principal, Depends(Requires("measures:read"))]
    may_write = Annotated[Principal, Depends(Requires("submissions:write"))]

    @router.get("/v1/charts/{measure}/{organisation}")
    async def ready(measure: str, organisation: str, caller: may_read) -> Response:
        return Response(BODY, media_type="application/json", headers=CELLS)

    @router.get("/v1/funnels/{measure}")
    def plain(measure: str, caller: may_read) -> Response:
        return Response(BODY, media_type="application/json", headers=CELLS)

    @router.post("/v1/submissions")
    async def submit(request: Request, caller: may_write, keep: bool = True) -> dict[str, str]:
        """Hash and spool, the least that ingest does with a body before it looks at a row; or drop it."""
        digest = hashlib.sha256()
        with tempfile.TemporaryFile() as spool:
            async for part in request.stream():
                if keep:
                    digest.update(part)
                    spool.write(part)
        return {"sha256": digest.hexdigest()}

    return create_service(settings, database=Database(settings.database_url), routers=[router])


async def ask(base: str, header: str, method: str, path: str, clients: int, amount: float) -> dict[str, float]:
    """`amount` is seconds of GETs, or how many uploads."""
    address = urlsplit(base)
    loop = asyncio.get_running_loop()
    head = f"{method} {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{header}\r\nAccept: */*\r\n"
    askers = [Asker(loop) for _ in range(clients)]
    for one in askers:
        await loop.create_connection(lambda one=one: one, address.hostname, address.port)
    if method == "POST":
        return await upload(askers, head, int(amount))
    request = f"{head}\r\n".encode()
    end = loop.time() + amount
    await asyncio.gather(*(one.repeat(request, end) for one in askers))
    times = sorted(t for one in askers for t in one.times)
    return {"rate": len(times) / amount, "p99": times[int(len(times) * 0.99)]}


async def upload(askers: list["Asker"], head: str, times: int) -> dict[str, float]:
    request = f"{head}Content-Type: text/csv\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n".encode()
    block = b"x" * 262_144
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await asyncio.gather(*(one.upload(request, block, UPLOAD_BYTES) for one in askers))
        taken.append(time.perf_counter() - began)
    return {"rate": len(askers) * UPLOAD_BYTES / 1e6 / min(taken), "p99": max(taken)}


class Asker(asyncio.Protocol):
    """One keep-alive connection that asks, waits for the whole answer, and asks again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.times = loop, []
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        assert self.parser.get_status_code() == 200, self.parser.get_status_code()
        self.answered()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the connection was closed"))

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def repeat(self, request: bytes, end: float) -> None:
        """Ask until the end; from callback to callback, because a task would cost more than the request."""
        done = self.done = self.loop.create_future()

        def next_one() -> None:
            now = self.loop.time()
            if now >= end:
                done.set_result(None)
                return
            self.began = now
            self.transport.write(request)

        def answered() -> None:
            self.times.append(self.loop.time() - self.began)
            next_one()

        self.answered = answered
        next_one()
        await done

    async def upload(self, request: bytes, block: bytes, size: int) -> None:
        done = self.done = self.loop.create_future()
        self.answered = lambda: done.set_result(None)
        self.transport.write(request)
        while size:
            part = block[:size]
            self.transport.write(part)
            size -= len(part)
            await self.writable.wait()
        await done


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", role, port]:
            serve(role, int(port))
        case ["ask", base, header, method, path, clients, amount]:
            print(json.dumps(uvloop.run(ask(base, header, method, path, int(clients), float(amount)))))
        case [seconds]:
            main(float(seconds))
        case _:
            main(3)

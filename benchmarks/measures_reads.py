"""P7: reading figures at 16 clients, against a bare read of 60 rows and against ready bytes, in the same run.

The platform runs with 20 trusts, every measure of the catalogue and 60 months. Charts are read directly from measures:
each time another one (worked out anew), and one again and again (kept). The limits are an app with nothing but a
pooled psycopg read of 60 rows, and one with ready bytes.

Run: python -m benchmarks.measures_reads [seconds for each turn]
"""

import asyncio
import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
from fastapi import FastAPI, Response

from benchmarks.failures import TRUSTS
from deploy.databases import service_url
from deploy.demo.roles import ROLES
from deploy.platform import Platform
from deploy.serving import Server
from gateway.access import commands
from psip import Client
from shared.db import Database
from shared.principal import HEADER, Principal, Signer
from shared.telemetry import configure_logging

CLIENTS, CONNECTIONS = 16, 8
MONTHS = [f"{year}-{month:02}" for year in range(2021, 2026) for month in range(1, 13)]
BODY = b"x" * 24_000
ICBS = ("QE1", "QOP", "QM7", "QH8", "QUE", "QJG", "QT1", "QWO", "QMM", "QKK", "QWE", "QMF", "QRV", "QU9", "QRL", "QOX")
REPEATS = 20


def main(seconds: float) -> None:
    """Measure and print."""
    configure_logging("ERROR")
    with tempfile.TemporaryDirectory() as folder, Platform(Path(folder)) as platform:
        measures = filled(platform)
        direct = platform.environment.measures_url
        signer = Signer(platform.environment.gateway().principal_private_key.get_secret_value())
        who = Principal("bench", frozenset({"measures:read"}), frozenset(), "national")
        header = f"{HEADER}: {signer.sign(who)}"
        with limits(service_url(platform.environment.url("measures").get_secret_value(), "measures")) as bare:
            rows = rate(bare, "/rows", header, seconds)
            ready = rate(bare, "/ready", header, seconds)
        fresh = worked_out(direct, {HEADER: signer.sign(who)}, measures, seconds)
        kept = rate(direct, f"/v1/charts/{measures[0]}/{TRUSTS[0]}", header, seconds)
        print(f"bare psycopg read of 60 rows {rows:,.0f}/s, ready bytes {ready:,.0f}/s, {CLIENTS} clients")
        print(f"P7 chart worked out anew {fresh:,.0f}/s, {fresh / rows:.2f} x the bare read")
        print(f"P7 chart read at {CLIENTS} clients, kept {kept:,.0f}/s, {kept / rows:.2f} x the bare read (goal 0.5)")
        print(f"P7 chart read again, {kept / ready:.2f} x ready bytes (goal 0.9)")
        with httpx.Client(base_url=direct, headers={HEADER: signer.sign(who)}, timeout=60) as client:
            cells = p95(client, [(f"/v1/exports/{measure}", {"format": "parquet"}) for measure in measures[:REPEATS]])
            grid = p95(client, [("/v1/matrix", {"within": icb}) for icb in ICBS])
        print(f"P7 one measure, {len(TRUSTS)} organisations, {len(MONTHS)} months, p95 {cells:.0f} ms (goal 100)")
        print(f"P7 matrix of {len(measures)} measures in one ICB, p95 {grid:.0f} ms (goal 200)")


def filled(platform: Platform) -> list[str]:
    """Figures of every measure for each trust and month, sent as a supplier would; the measures' ids."""
    role, chance = ROLES["supplier"], np.random.default_rng(1)
    database = Database(platform.environment.url("gateway"), pool_size=1)
    with database.session() as session:
        secret = commands.register_client(session, **role.registration)
    database.close()
    time.sleep(1.5)  # the gateway reads its clients every second
    with Client(platform.base_url, role.client_id, secret) as client:
        given = client.get("/v1/measures", limit=100)["items"]
        plain = {one["id"] for one in given if not one.get("denominator")}
        ids = sorted(one["id"] for one in given)
        text = io.StringIO()
        table = csv.writer(text)
        table.writerow(["organisation", "period", "measure", "numerator", "denominator"])
        for measure in ids:
            events = chance.poisson(60, (len(TRUSTS), len(MONTHS)))
            table.writerows(
                [trust, month, measure, events[n, m], "" if measure in plain else 900]
                for n, trust in enumerate(TRUSTS)
                for m, month in enumerate(MONTHS)
            )
        receipt = client.submit(text.getvalue().encode(), feed="measure-counts", content_type="text/csv")
        assert receipt.status == "accepted", receipt.faults[:1]
    while not platform.settled():
        time.sleep(0.2)
    return ids


@contextmanager
def limits(url: str) -> Iterator[str]:
    """The address of an app with the two limits."""
    free: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()
    query = (
        "select period, numerator[1], denominator[1] from cell where measure = 'ss-pu' and organisation = %s "
        "and known_to is null"
    )

    @asynccontextmanager
    async def connected(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for _ in range(CONNECTIONS):
                connection = await psycopg.AsyncConnection.connect(url.replace("+psycopg", ""), autocommit=True)
                free.put_nowait(await stack.enter_async_context(connection))
            yield

    async def rows() -> Response:
        connection = await free.get()
        found = await (await connection.execute(query, (TRUSTS[0],))).fetchall()
        free.put_nowait(connection)
        assert len(found) == len(MONTHS)
        return Response(BODY)

    async def ready() -> Response:
        return Response(BODY)

    app = FastAPI(lifespan=connected)
    app.add_api_route("/rows", rows)
    app.add_api_route("/ready", ready)
    with Server(app) as server:
        yield server.url


def rate(base: str, path: str, header: str, seconds: float) -> float:
    """Answers a second to that many clients, each asking as soon as it is answered."""
    asked = subprocess.run(
        [sys.executable, "-m", "benchmarks.gateway", "ask", base, header, "GET", path, str(CLIENTS), str(seconds)],
        check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    return float(json.loads(asked.stdout)["rate"])


def worked_out(base: str, headers: dict[str, str], measures: Sequence[str], seconds: float) -> float:
    """Charts a second, every one for the first time, one after another."""
    paths = [f"/v1/charts/{measure}/{trust}" for measure in measures for trust in TRUSTS]
    done, began = 0, time.perf_counter()
    with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
        for path in paths:
            if time.perf_counter() - began > seconds:
                break
            assert client.get(path).status_code == 200
            done += 1
    return done / (time.perf_counter() - began)


def p95(client: httpx.Client, asked: Sequence[tuple[str, dict[str, Any]]]) -> float:
    """The 95th percentile of the answers' times, in ms; the first, which warms up, left out."""
    times = []
    for path, params in asked:
        began = time.perf_counter()
        answer = client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        times.append((time.perf_counter() - began) * 1000)
    return float(np.percentile(times[1:], 95))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3)

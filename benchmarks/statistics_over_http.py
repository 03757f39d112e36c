"""P5: limits, rules and icons of 10,000 series of 60 points, asked over HTTP, against the engine alone.

Goal: at most 1 s from the first byte sent to the last received. The reference tools answer 23 to 402 series a second.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import orjson

from deploy.platform import Platform
from gateway.access.commands import register_client
from services.measures.rules import spc
from shared.db import Database
from shared.telemetry import configure_logging

SERIES, POINTS = 10_000, 60


def main() -> None:
    """Measure and print."""
    configure_logging("ERROR")
    body = _request()
    with tempfile.TemporaryDirectory() as folder, Platform(Path(folder)) as platform:
        database = Database(platform.environment.url("gateway"), pool_size=1)
        with database.session() as session:
            secret = register_client(session, client_id="bench", name="bench", scopes=["measures:read"])
        database.close()
        time.sleep(1.5)  # the gateway reads its clients every second
        token = httpx.post(
            f"{platform.base_url}/oauth2/token", data={"grant_type": "client_credentials"}, auth=("bench", secret)
        ).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with httpx.Client(base_url=platform.base_url, headers=headers, timeout=60) as client:
            asked = min(_timed(lambda: _ask(client, body)) for _ in range(3))
    alone = min(_timed(lambda: sum(map(len, spc.evaluate_json(spc.read(body).series)))) for _ in range(3))
    print(f"P5 {SERIES:,} series x {POINTS} points over HTTP {asked:.2f} s (goal 1), {asked / alone:.1f} x the engine")
    print(f"P5 {SERIES / asked:,.0f} series/s over HTTP; NHSRplotthedots, measured apart, 402 at most")


def _request() -> bytes:
    chance = np.random.default_rng(1)
    labels = [f"{2020 + n // 12}-{n % 12 + 1:02}" for n in range(POINTS)]
    series = [
        {"id": str(n), "chart": "xmr", "labels": labels, "values": row.round(2).tolist(), "improvement": "decrease"}
        for n, row in enumerate(chance.normal(50, 5, (SERIES, POINTS)))
    ]
    return orjson.dumps({"series": series})


def _ask(client: httpx.Client, body: bytes) -> None:
    with client.stream("POST", "/v1/statistics/spc", content=body) as answer:
        assert answer.status_code == 200, answer.read()
        assert sum(len(piece) for piece in answer.iter_raw()) > len(body)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

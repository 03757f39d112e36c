"""P1 and P2: a million births of one trust through the gateway, against psql's `\\copy` of the same file.

The platform runs as processes of its own over Kafka. Prints seconds and ratios: receipt against `\\copy` (goal 1.5),
every chart right (goal 3), the same with 1% and 100% bad rows, each of a trust that has sent nothing yet, against the
clean file (goals 1.2 and 2), and the peak memory of each process once the clean file is on the charts (goal 300 MB).

`python -m benchmarks.one_million_births [rows]`: of five million in one file no process may hold more than 400 MB.
"""

import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil
import psycopg
from pydantic import SecretStr

from benchmarks.ingest_rules import births
from deploy.cluster import Cluster
from gateway.access.commands import register_client
from shared.db import Database

COLUMNS = 12
MILLION = 1_000_000


def main(rows: int = MILLION) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder)) as cluster:
        client = sender(cluster)
        clean = births(rows)
        limit = min(copied(cluster.url("ingest"), clean) for _ in range(2))
        print(f"\\copy of {rows:,} rows, {len(clean) / 1e6:.0f} MB: {limit:.2f} s")
        took, charts = _sent(client, clean)
        print(f"P1 receipt {took:.2f} s, {took / limit:.2f} x \\copy (goal 1.5)")
        print(f"P1 charts right after {charts:.2f} s, {charts / limit:.2f} x \\copy (goal 3)")
        goal = 300 if rows <= MILLION else 400
        for name, process in cluster.processes.items():
            most = peak(process.pid)
            print(f"P1 peak of {name}: {most:.0f} MB, {most / goal:.2f} of {goal}")
        if rows <= MILLION:
            for trust, share, goal_of_bad in (("RGN", 0.01, 1.2), ("RM1", 1.0, 2.0)):
                bad, _ = _sent(client, births(rows, bad=share, trust=trust), wait_for_charts=False)
                print(f"P2 {share:.0%} bad {bad:.2f} s, {bad / took:.2f} x clean (goal {goal_of_bad})")


def sender(cluster: Cluster, name: str = "bench") -> httpx.Client:
    """A client of the gateway that may send for every organisation and read every figure."""
    database = Database(cluster.url("gateway"), pool_size=1)
    with database.session() as session:
        scopes = ["submissions:write", "submissions:read", "measures:read"]
        secret = register_client(
            session, client_id=name, name=name, scopes=scopes, organisations=["*"], audience="national"
        )
    database.close()
    time.sleep(1.5)  # the gateway reads its clients every second
    answer = httpx.post(
        f"{cluster.base_url}/oauth2/token", data={"grant_type": "client_credentials"}, auth=(name, secret)
    )
    token = answer.raise_for_status().json()["access_token"]
    return httpx.Client(base_url=cluster.base_url, timeout=600, headers={"Authorization": f"Bearer {token}"})


def copied(database: SecretStr, body: bytes) -> float:
    """Seconds that `\\copy` of the file takes, into a table of texts."""
    columns = ", ".join(f"c{number} text" for number in range(COLUMNS))
    address = database.get_secret_value().replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"drop table if exists copied; create table copied ({columns})")
        began = time.perf_counter()
        with connection.cursor().copy("COPY copied FROM STDIN (FORMAT CSV, HEADER)") as copy:
            for at in range(0, len(body), 1 << 20):
                copy.write(body[at : at + (1 << 20)])
        took = time.perf_counter() - began
        connection.execute("drop table copied")
    return took


def _sent(client: httpx.Client, body: bytes, *, wait_for_charts: bool = True) -> tuple[float, float]:
    began = time.perf_counter()
    answer = client.post(
        "/v1/submissions",
        params={"feed": "births"},
        content=body,
        headers={"Content-Type": "text/csv", "Prefer": "wait=300"},
    )
    took = time.perf_counter() - began
    receipt = answer.raise_for_status().json()
    if not wait_for_charts:
        return took, 0.0
    wanted = {one["period"] for one in receipt["returns"]}
    while not wanted <= _charted(client):
        time.sleep(0.05)
    return took, time.perf_counter() - began


def _charted(client: httpx.Client) -> set[str]:
    """The periods with a figure on the chart; none while a fresh cluster has not yet heard of the measure (404)."""
    answer = client.get("/v1/series", params={"measure": "mn-preterm", "organisation": "RGT"})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return set()
    found = answer.raise_for_status().json()["items"]
    return {one["period"] for one in found if one["status"] in ("value", "zero")}


def peak(pid: int) -> float:
    """Megabytes at most resident in a process so far."""
    text = Path(f"/proc/{pid}/status").read_text()
    high = next(line for line in text.splitlines() if line.startswith("VmHWM"))
    return int(high.split()[1]) / 1024 if psutil.pid_exists(pid) else 0.0


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))

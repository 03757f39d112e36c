"""P8: what growth costs. Ten times the history, ten times the rows, and two workers of measures instead of one.

The platform runs as processes of its own over Kafka. A probe sends one month of one trust again and again, each time
with other figures, and waits until the chart shows them: once with a short history of twenty trusts beneath it, once
with ten times as much. Then a file of one trust and one ten times as large, until every chart is right. At last the
workers of measures are held at the door (a lock on the table they write to) while a file of every trust is published,
and let in together: first one of them, then two.

Run: python -m benchmarks.growth [rows of the larger file]
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import polars as pl
import psycopg

from benchmarks.failures import TRUSTS
from benchmarks.ingest_rules import births
from benchmarks.one_million_births import sender
from deploy.cluster import Cluster
from shared.contracts.periods import Period

MEASURE, PROBED = "mn-preterm", "RGT"
NEW = ("RA2", "RTK")
"""Trusts that have sent nothing before."""
MONTHS = [Period.of(date(2026, 9, 1), "month")]
while len(MONTHS) < 60:
    MONTHS.insert(0, MONTHS[0].previous())
PROBES = 15
BIRTHS_A_MONTH = 50
SECOND = "measures-worker-2"
_numbers = count()


def main(rows: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder)) as cluster:
        client = sender(cluster)
        history(client, rows)
        workers(cluster, client, rows // 2)


def history(client: httpx.Client, rows: int) -> None:
    """The probe over a short and a long history; the small file and the large one."""
    sent(client, births_of(TRUSTS, MONTHS[-6:], BIRTHS_A_MONTH))
    probe(client)
    short = median(probe(client) for _ in range(PROBES))
    sent(client, births_of(TRUSTS, MONTHS[:-6], BIRTHS_A_MONTH))
    probe(client)
    long = median(probe(client) for _ in range(PROBES))
    print(f"P8 POST to chart over 6 months {short * 1000:.0f} ms, over 60 months {long * 1000:.0f} ms: "
          f"{long / short:.2f} x (goal 1.2)")  # fmt: skip
    sizes = zip((rows // 10, rows), NEW, strict=True)
    few, many = (charted(client, births(size, trust=trust), trust) for size, trust in sizes)
    print(f"P8 {rows // 10:,} rows {few:.2f} s, {rows:,} rows {many:.2f} s: {many / few:.1f} x (goal 11)")


def workers(cluster: Cluster, client: httpx.Client, rows: int) -> None:
    """The same file of every trust, taken in by one worker of measures and by two."""
    each = rows // (len(TRUSTS) * len(MONTHS))
    one = taken_in(cluster, client, each)
    cluster.run(SECOND, "worker", "measures")
    two = taken_in(cluster, client, each)
    size = each * len(TRUSTS) * len(MONTHS)
    print(f"P8 {size:,} rows of {len(TRUSTS)} trusts: one worker of measures {one:.2f} s, two {two:.2f} s: "
          f"{one / two:.2f} x as fast (goal 1.7 where cores allow)")  # fmt: skip


def taken_in(cluster: Cluster, client: httpx.Client, each: int) -> float:
    """Seconds in which what waits on the bus becomes figures."""
    with held(cluster) as waiting:
        returns = sent(client, births_of(TRUSTS, MONTHS, each), wait_for_chart=False)
        time.sleep(10)  # until all is on the bus, and every worker stands at the door with its first batch
    began = time.perf_counter()
    while waiting() < returns:
        time.sleep(0.05)
    return time.perf_counter() - began


@contextmanager
def held(cluster: Cluster) -> Iterator["Waiting"]:
    """No worker of measures writes while this lasts; what it gives counts the returns taken in since."""
    address = cluster.url("measures").get_secret_value().replace("+psycopg", "")
    waiting = Waiting(address)
    with psycopg.connect(address) as connection:
        connection.execute("lock table inbox in share mode")
        yield waiting


class Waiting:
    """Counts the returns that became current since it was made."""

    def __init__(self, address: str) -> None:
        self._connection = psycopg.connect(address, autocommit=True)
        self._before = self._count()

    def __call__(self) -> int:
        return self._count() - self._before

    def _count(self) -> int:
        row = self._connection.execute("select count(*) from return_version where applied_at is not null").fetchone()
        return int(row[0]) if row else 0


def probe(client: httpx.Client) -> float:
    """Seconds from POST until the chart shows what was sent."""
    early = 1 + next(_numbers) % 200
    body = births_of([PROBED], MONTHS[-1:], 400, early=early)
    began = time.perf_counter()
    sent(client, body, wait_for_chart=False)
    while True:
        points = client.get(f"/v1/charts/{MEASURE}/{PROBED}").raise_for_status().json()["points"]
        if points[-1]["numerator"] == early:
            return time.perf_counter() - began
        time.sleep(0.005)


def charted(client: httpx.Client, body: bytes, trust: str) -> float:
    """Seconds from POST until the chart of a trust that had none shows every month that was sent."""
    began = time.perf_counter()
    returns = sent(client, body, wait_for_chart=False)
    asked = {"measure": MEASURE, "organisation": trust}
    while sum(one["value"] is not None for one in client.get("/v1/series", params=asked).json()["items"]) < returns:
        time.sleep(0.05)
    return time.perf_counter() - began


def sent(client: httpx.Client, body: bytes, *, wait_for_chart: bool = True) -> int:
    """Send a file; how many returns it made. Waits until the chart of the last trust has its last month."""
    answer = client.post(
        "/v1/submissions",
        params={"feed": "births"},
        content=body,
        headers={"Content-Type": "text/csv", "Prefer": "wait=300"},
    )
    assert answer.status_code < 400, answer.text
    receipt = answer.json()
    assert receipt["status"] == "accepted", receipt["faults"][:1]
    last = receipt["returns"][-1]
    asked = {"measure": MEASURE, "organisation": last["organisation"], "from": last["period"], "to": last["period"]}
    while wait_for_chart and client.get("/v1/series", params=asked).json()["items"][0]["value"] is None:
        time.sleep(0.05)
    return len(receipt["returns"])


def births_of(trusts: list[str], months: list[Period], each: int, *, early: int | None = None) -> bytes:
    """A CSV of that many births of each trust and month, of which `early` before 37 weeks."""
    chance = np.random.default_rng(next(_numbers))
    places = pl.DataFrame({"provider_org_code": trusts}).join(
        pl.DataFrame({"first": [one.start for one in months]}), how="cross"
    )
    rows = places.join(pl.DataFrame({"number": range(each)}), how="cross")
    number = pl.int_range(pl.len()).cast(pl.String).str.zfill(8)
    term = pl.col("number") >= (each // 12 if early is None else early)
    minutes = pl.Series(chance.integers(0, 27 * 1440, rows.height))
    return rows.select(
        "provider_org_code",
        ("B" + number).alias("baby_local_id"),
        ("P" + number).alias("pregnancy_id"),
        (pl.col("first").cast(pl.Datetime("us")) + pl.duration(minutes=minutes)).dt.to_string("%Y-%m-%dT%H:%M")
        .alias("baby_birth_datetime"),
        pl.lit("01").alias("pregnancy_outcome"),
        pl.when(term).then(280).otherwise(230).alias("gestation_length_at_birth"),
        pl.lit("A").alias("ethnic_category"),
        pl.lit(1).alias("births_per_labour"),
        pl.lit("0").alias("delivery_method"),
    ).write_csv().encode()  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

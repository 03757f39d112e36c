"""P3: many small returns. A national file of care homes, and single rows that come a hundred a second.

The platform runs as processes of its own over Kafka, with 15,000 invented care homes in the registry. First a CSV of
one week of every home: seconds to the receipt, and until every home has its figures (goal 10). Then single rows, a
home each, sent at a steady rate whatever becomes of those before (goal 100 a second for a minute): the time from when
a row was due to be sent to when its figure can be read (goal: p99 of half a second). Figures are watched for in the
database that charts are read from, fifty times a second, which disturbs less than asking for each chart. What a row
costs each process in processor time tells where the rate goes.

`python -m benchmarks.small_returns [homes [rows a second [seconds]]]`
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import httpx
import psutil
import psycopg

from benchmarks import registry
from benchmarks.one_million_births import peak, sender
from deploy.cluster import Cluster
from services.programmes.commands import load_organisations
from services.programmes.rules.organisation_files import read_file
from shared.db import Database, now

WEEKS = ("2026-05-10", "2026-05-17")
MEASURE = "ch-falls"
SUPPLIERS, AT_ONCE = 4, 32
PATIENCE = 60.0
LOOK_EVERY = 0.02
HEADER = (
    "cqc_location_id,week_ending,beds_registered,beds_occupied,resident_days,falls,falls_with_injury,med_errors,"
    "safety_huddles_planned,safety_huddles_held,emergency_admissions,new_pressure_ulcers\n"
)


def main(homes: int = 15_000, rate: int = 100, seconds: int = 60) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder)) as cluster:
        tell_of_homes(cluster, homes)
        suppliers = [sender(cluster, f"supplier-{number}") for number in range(SUPPLIERS)]
        with Charts(cluster, WEEKS[0], look_every=0.2) as charts, processor_time(cluster, homes):
            receipt, charted = national(suppliers[0], charts, homes)
            print(f"P3 national file of {homes:,} homes: receipt {receipt:.2f} s, charts {charted:.2f} s (goal 10)")
        rows = min(homes, rate * seconds)
        with Charts(cluster, WEEKS[1], look_every=LOOK_EVERY) as charts, processor_time(cluster, rows):
            trickle(suppliers, charts, rows, rate)
        for name, process in cluster.processes.items():
            print(f"peak of {name}: {peak(process.pid):.0f} MB")


def tell_of_homes(cluster: Cluster, homes: int) -> None:
    """Put the homes into the registry, and wait until those who listen to it know of them."""
    programmes = Database(cluster.url("programmes"), pool_size=1)
    with programmes.session() as session:
        file = read_file("locations.csv", registry.homes(homes))
        load_organisations(session, file, on=date(2026, 9, 1), now=now(), apply=True)
    programmes.close()
    for name in ("ingest", "measures"):
        with psycopg.connect(_address(cluster, name), autocommit=True) as connection:
            began = time.monotonic()
            while _one(connection, "select count(*) from organisation where kind = 'care_home'") < homes:
                if time.monotonic() - began > PATIENCE:
                    raise TimeoutError(f"{name} did not hear of the homes")
                time.sleep(0.2)


def cqc(home: int) -> str:
    """The CQC location that `registry.homes` gives it."""
    return f"1-1{home:07}"


def row(home: int, week: str) -> str:
    """One week of one home."""
    return f"{cqc(home)},{week},40,36,252,{1 + home % 7},{home % 2},{home % 3},7,6,{home % 2},0\n"


class Charts:
    """Watches for the figures of one week of the homes that are `awaited`: `at` holds when each could first be read."""

    def __init__(self, cluster: Cluster, week: str, *, look_every: float) -> None:
        self._connection = psycopg.connect(_address(cluster, "measures"), autocommit=True)
        query = "select identifiers->>'cqc', code from organisation where kind = 'care_home' and superseded_at is null"
        self._codes: dict[str, str] = dict(self._connection.execute(query).fetchall())
        self._homes = {code: cqc for cqc, code in self._codes.items()}
        self._period, self._look_every = f"{date.fromisoformat(week):%G-W%V}", look_every
        self._awaited: set[str] = set()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.at: dict[str, float] = {}

    def __enter__(self) -> "Charts":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self._connection.close()

    def expect(self, home: str) -> None:
        """Watch for the figure of this home (a CQC location) from now on."""
        self._awaited.add(self._codes[home])

    def _watch(self) -> None:
        query = (
            "select organisation from cell where known_to is null and organisation = any(%s)"
            " and measure = %s and period = %s"
        )
        while not self._ends.wait(self._look_every):
            found = self._connection.execute(query, (list(self._awaited), MEASURE, self._period)).fetchall()
            instant = time.perf_counter()
            for (code,) in found:
                self.at[self._homes[code]] = instant
                self._awaited.discard(code)

    def wait(self, count: int) -> bool:
        """Wait until so many homes have their figure; whether they came to have it in time."""
        ends = time.monotonic() + PATIENCE
        while len(self.at) < count and time.monotonic() < ends:
            time.sleep(LOOK_EVERY)
        return len(self.at) >= count


def national(client: httpx.Client, charts: Charts, homes: int) -> tuple[float, float]:
    """Seconds to the receipt of one week of every home, and to the last figure."""
    for home in range(homes):
        charts.expect(cqc(home))
    body = HEADER + "".join(row(home, WEEKS[0]) for home in range(homes))
    began = time.perf_counter()
    receipt = post(client, body)
    took = time.perf_counter() - began
    if receipt["rows"]["accepted"] != homes or not charts.wait(homes):
        raise RuntimeError(f"{receipt['rows']}, {len(charts.at):,} homes have figures: {receipt['faults'][:2]}")
    return took, max(charts.at.values()) - began


def trickle(suppliers: list[httpx.Client], charts: Charts, rows: int, rate: int) -> None:
    """Send single rows at a steady rate, and print how long they took."""
    due, receipts = {}, []
    began = time.perf_counter() + 0.1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for home in range(rows):
            due[cqc(home)] = at = began + home / rate
            charts.expect(cqc(home))
            time.sleep(max(0.0, at - time.perf_counter()))
            receipts.append(pool.submit(_sent_at, suppliers[home % len(suppliers)], home, at))
    took = sorted(one.result() for one in receipts)
    sent = rows / (time.perf_counter() - began)
    whole = charts.wait(rows)
    shown = sorted(charts.at[home] - at for home, at in due.items() if home in charts.at)
    print(f"P3 {rows:,} rows, one a POST, {rate} a second wanted, {sent:.0f} a second answered")
    print(f"P3 POST to receipt: p50 {took[len(took) // 2]:.3f} s, p99 {took[len(took) * 99 // 100]:.3f} s")
    p50, p99 = shown[len(shown) // 2], shown[len(shown) * 99 // 100]
    lost = "" if whole else f"; {rows - len(shown):,} not within {PATIENCE:.0f} s"
    print(f"P3 POST to chart: p50 {p50:.3f} s, p99 {p99:.3f} s, {p99 / 0.5:.2f} x the goal of 0.5 s{lost}")


@contextmanager
def processor_time(cluster: Cluster, rows: int) -> Iterator[None]:
    """Print how much processor time of each part what is done here takes, for each of so many rows."""
    before = _spent(cluster)
    yield
    each = {name: 1000 * (after - before.get(name, 0.0)) / rows for name, after in _spent(cluster).items()}
    listed = ", ".join(f"{name} {took:.2f}" for name, took in sorted(each.items(), key=lambda one: -one[1]))
    print(f"processor time of a row: {sum(each.values()):.1f} ms ({listed})")


def _spent(cluster: Cluster) -> dict[str, float]:
    """Seconds of processor that each part has had so far; that of the load itself is not among them."""
    times = {name: _seconds(psutil.Process(process.pid)) for name, process in cluster.processes.items()}
    of_us = psutil.Process().children(recursive=True)
    times["PostgreSQL"] = sum(_seconds(one) for one in of_us if one.name().startswith("postgres"))
    times["Kafka"] = sum(_seconds(psutil.Process(broker.pid)) for broker in cluster.kafka.brokers if broker.pid)
    return times


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _sent_at(client: httpx.Client, home: int, due: float) -> float:
    post(client, HEADER + row(home, WEEKS[1]))
    return time.perf_counter() - due


def post(client: httpx.Client, body: str):  # type: ignore[no-untyped-def]
    """Send rows of care homes; the receipt."""
    headers = {"Content-Type": "text/csv", "Prefer": "wait=60"}
    answer = client.post("/v1/submissions", params={"feed": "care-home-weekly"}, content=body, headers=headers)
    return answer.raise_for_status().json()


def _address(cluster: Cluster, name: str) -> str:
    return cluster.url(name).get_secret_value().replace("+psycopg", "")


def _one(connection: psycopg.Connection, query: str) -> int:
    found = connection.execute(query).fetchone()
    return int(found[0]) if found else 0


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

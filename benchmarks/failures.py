"""What is lost and what is counted twice when something dies: nothing, is the claim.

`python -m benchmarks.failures [submissions]` posts 200 submissions from four threads and kills the one-process
platform, the workers, the API of ingest, or the broker with `kill -9` in their midst. The threads send again what had
no answer, with the same Idempotency-Key, as a supplier's system would. Afterwards every receipt that was given must be
on its chart, once: the figures of each trust and of England, one version of each return, one submission of each key.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from deploy import migrate
from deploy.cluster import Cluster
from deploy.demo.roles import ROLES
from gateway.access import commands
from psip import Client, PsipProblem, Receipt
from shared.db import Database

TRUSTS = (
    "RGT", "RM1", "RAJ", "RC9", "RCX", "RD8", "RDE", "RGN", "RGP", "RGR", "RQW", "RWG", "RWH", "RTG", "RR8", "RTD",
    "RJ1",
)  # fmt: skip
MEASURE = "ss-pu"
MONTHS = 12
AT_ONCE = 4
PAUSE = 0.1
PATIENCE = 120.0
ClientFor = Callable[[], Client]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one submission says; no two say the same."""

    organisation: str
    period: str
    numerator: int
    denominator: int


@dataclass
class Storm:
    """A year of submissions, a figure each, sent side by side; `given` holds the receipts."""

    client_for: ClientFor
    year: int
    submissions: int
    given: dict[Figure, Receipt] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """What is to be sent."""
        months = [f"{self.year}-{month:02}" for month in range(1, MONTHS + 1)]
        places = [(trust, month) for trust in TRUSTS for month in months][: self.submissions]
        return [Figure(*place, 40 + n, 9000 + 3 * n) for n, place in enumerate(places)]

    def break_over(self, strike: Callable[[], None]) -> None:
        """Send everything, and strike when a third has its receipt."""
        third = threading.Event()
        with self.client_for() as client, ThreadPoolExecutor(AT_ONCE) as pool:
            sending = [pool.submit(self._send, client, figure, third) for figure in self.figures]
            if not third.wait(PATIENCE):
                raise TimeoutError("a third of the submissions did not come through before anything was killed")
            strike()
            for one in sending:
                one.result(PATIENCE)

    def _send(self, client: Client, figure: Figure, third: threading.Event) -> None:
        row = {"organisation": figure.organisation, "period": figure.period, "measure": MEASURE,
               "numerator": figure.numerator, "denominator": figure.denominator}  # fmt: skip
        key = f"{self.year}-{figure.organisation}-{figure.period}"
        self.given[figure] = client.submit([row], feed="measure-counts", idempotency_key=key)
        if 3 * len(self.given) >= self.submissions:
            third.set()

    def wrongs(self, client: Client) -> list[str]:
        """Everything that is not as the receipts say; empty when all is well."""
        return [*self._receipts_not_kept(client), *self._returns_not_once(client), *self._charts_not_so(client)]

    def settled_wrongs(self) -> list[str]:
        """The wrongs that are left when the platform has had its time."""
        ends = time.monotonic() + PATIENCE
        with self.client_for() as client:
            while (found := self.wrongs(client)) and time.monotonic() < ends:
                time.sleep(PAUSE)
        return found

    def _receipts_not_kept(self, client: Client) -> Iterator[str]:
        if len(self.given) != self.submissions:
            yield f"{len(self.given)} receipts for {self.submissions} submissions"
        ids = {receipt.id for receipt in self.given.values()}
        year = str(self.year)
        every = client.each("/v1/submissions", limit=100)
        kept = [one for one in every if one["returns"][0]["period"].startswith(year)]
        if sorted(one["id"] for one in kept) != sorted(ids):
            yield f"{len(kept)} submissions are kept for {len(ids)} receipts"

    def _returns_not_once(self, client: Client) -> Iterator[str]:
        returns = client.each("/v1/returns", limit=100, feed="measure-counts")
        found = [(one["organisation"], one["period"]) for one in returns]
        here = sorted(place for place in found if place[1].startswith(str(self.year)))
        if here != sorted((figure.organisation, figure.period) for figure in self.given):
            yield f"{len(here)} versions of returns for {len(self.given)} receipts"

    def _charts_not_so(self, client: Client) -> Iterator[str]:
        wanted: dict[str, dict[str, tuple[int, int]]] = {"ENGLAND": {}}
        for one in self.given:
            wanted.setdefault(one.organisation, {})[one.period] = (one.numerator, one.denominator)
            events, days = wanted["ENGLAND"].get(one.period, (0, 0))
            wanted["ENGLAND"][one.period] = (events + one.numerator, days + one.denominator)
        for organisation, figures in wanted.items():
            shown = self._shown(client, organisation)
            if shown != figures:
                yield f"the chart of {organisation} shows {len(shown)} of {len(figures)} figures, or shows others"

    def _shown(self, client: Client, organisation: str) -> Mapping[str, tuple[int, int]]:
        """What a chart says of this year; nothing while the measure has not reached the service yet."""
        span = {"first": f"{self.year}-01", "last": f"{self.year}-12"}
        try:
            points = client.chart(MEASURE, organisation, **span)["points"]
        except PsipProblem as problem:
            if problem.status == 404:
                return {}
            raise
        return {one["period"]: (one["numerator"], one["denominator"]) for one in points if one["numerator"]}


def stubborn(base_url: str, client_id: str, client_secret: str) -> Client:
    """A client that asks again, ten times a second, for as long as the platform may take to come back."""
    again = int(PATIENCE / PAUSE)
    return Client(base_url, client_id, client_secret, attempts=again, sleep=lambda asked: time.sleep(min(asked, PAUSE)))


class OneProcess:
    """`psip demo --empty` in a process of its own, on one folder and port."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir, self.port = data_dir, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again; returns when it answers."""
        command = [sys.executable, "-m", "deploy.cli", "demo", "--empty", "--port", str(self.port)]
        environment = os.environ | {"PYTHONPATH": str(migrate.ROOT)}
        with (self.data_dir.parent / "one-process.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(self.data_dir)], env=environment, stdout=log, stderr=log
            )
        self._await()

    def _await(self) -> None:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            with suppress(httpx.TransportError, FileNotFoundError):
                if httpx.get(f"http://127.0.0.1:{self.port}/health/live").is_success and self.credentials:
                    return
            time.sleep(PAUSE)
        raise TimeoutError("the platform does not answer")

    @property
    def credentials(self) -> Mapping[str, Mapping[str, str]]:
        """The clients in its handle. Raises FileNotFoundError before there is one."""
        told: Mapping[str, Mapping[str, str]] = json.loads((self.data_dir / "demo.json").read_text())["clients"]
        return told

    def client(self) -> Client:
        """The client of a supplier who does not give up."""
        mine = self.credentials["supplier"]
        return stubborn(f"http://127.0.0.1:{self.port}", mine["client_id"], mine["client_secret"])

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)


def supplier_of(cluster: Cluster) -> ClientFor:
    """A supplier registered with a cluster's gateway: makes clients that do not give up."""
    role = ROLES["supplier"]
    database = Database(cluster.url("gateway"), pool_size=1)
    with database.session() as session:
        secret = commands.register_client(session, **role.registration)
    database.close()
    return lambda: stubborn(cluster.base_url, role.client_id, secret)


def kill_and_restart(cluster: Cluster, *names: str) -> None:
    """`kill -9` of processes of a cluster, and they come back."""
    for name in names:
        cluster.kill(name)
    for name in names:
        cluster.restart(name)


def kill_and_restart_broker(cluster: Cluster) -> None:
    """`kill -9` of the broker, and it comes back."""
    for broker in cluster.kafka.brokers:
        process = psutil.Process(broker.pid)
        process.kill()
        process.wait(PATIENCE)
    cluster.kafka.start()


VICTIMS: Mapping[str, Callable[[Cluster], None]] = {
    "the workers": lambda cluster: kill_and_restart(cluster, "ingest-worker", "measures-worker"),
    "the API of ingest": lambda cluster: kill_and_restart(cluster, "ingest"),
    "the broker": kill_and_restart_broker,
}
"""What can die in a cluster, and how it dies and comes back."""


@contextmanager
def one_process(folder: Path, port: int) -> Iterator[OneProcess]:
    """The one-process platform, started."""
    platform = OneProcess(folder / "platform", port)
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()


def main(submissions: int) -> int:
    """Kill each in turn; the exit status says whether anything was wrong."""
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        with one_process(Path(folder), 8977) as platform:

            def strike() -> None:
                platform.kill()
                platform.start()

            lost += _told("the one-process platform", Storm(platform.client, 2019, submissions), strike)
        with Cluster(Path(folder) / "cluster") as cluster:
            client_for = supplier_of(cluster)
            for year, (name, dies) in enumerate(VICTIMS.items(), start=2020):
                lost += _told(name, Storm(client_for, year, submissions), lambda dies=dies: dies(cluster))  # type: ignore[misc]
    return 1 if lost else 0


def _told(name: str, storm: Storm, strike: Callable[[], None]) -> int:
    began = time.monotonic()
    storm.break_over(strike)
    sent = time.monotonic()
    found = storm.settled_wrongs()
    print(
        f"kill -9 of {name:<26} {len(storm.given)} receipts in {sent - began:5.1f} s, all on their charts, once, "
        f"{time.monotonic() - sent:4.1f} s later" if not found else f"kill -9 of {name}: {'; '.join(found)}",
        flush=True,
    )  # fmt: skip
    return len(found)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))

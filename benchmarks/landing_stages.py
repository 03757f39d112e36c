"""Where the time of one large submission goes: a million births accepted in this process, stage by stage.

`python -m benchmarks.landing_stages [rows [share of bad rows]]`. The file rests where a body rests when it has arrived,
and the database is a real one; HTTP is left out. A stage's seconds are those of its thread (wall) and those of the
processors while it ran (which counts what polars does beside it); stages that are indented are part of the one
above. The limit of the same run is `\\copy` of the same file.
"""

import hashlib
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.ingest_rules import births
from benchmarks.one_million_births import copied
from deploy.databases import ensure_databases, service_url
from deploy.migrate import migrate
from deploy.postgres import Postgres
from services.ingest.commands import accept, checking, closing, landing, sorting
from services.ingest.commands.asked import Arrival, Options
from services.ingest.commands.body import Body
from services.ingest.events import HANDLERS
from services.ingest.queries.receipts import receipt
from services.ingest.queries.reference import load
from services.ingest.rules import columns, crosschecks, delimited, merging, places, rows, validation
from services.ingest.settings import IngestSettings
from services.programmes.rules import catalogue
from shared.contracts.programmes import FeedPublished, OrganisationChanged
from shared.db import Database, driver, now
from shared.principal import Principal

STAGES: tuple[tuple[Any, str, str], ...] = (
    (checking, "check", "check the file"),
    (Body, "chunks", "  read the spool"),
    (delimited._Reader, "_block", "  parse"),
    (validation.Checker, "check", "  judge"),
    (columns.Columns, "read", "    columns"),
    (columns, "fast", "      typed"),
    (columns.Columns, "_suspect_texts", "      identifiers"),
    (columns.Columns, "_brought_back", "      brought back"),
    (columns.Columns, "_judge_strangers", "      strangers"),
    (columns.Columns, "_rows", "      rows"),
    (crosschecks.CrossChecks, "judge", "    cross-checks"),
    (places.Places, "judge", "    places"),
    (validation.Checker, "_judge_repeats", "    duplicates"),
    (validation, "verdict", "    verdict"),
    (checking, "_put_by", "  beside it"),
    (checking, "pseudonymise", "    pseudonyms"),
    (sorting.Sorter, "add", "    sort into returns"),
    (sorting.Sorter, "_pack", "      pack"),
    (checking, "redact", "    redact"),
    (checking, "parquet_of", "    put aside what is kept"),
    (accept, "land", "land"),
    (landing, "_locked", "  lock"),
    (sorting.Sorter, "_together", "  fetch a bucket"),
    (merging, "merge", "  merge"),
    (rows, "packed_by_return", "  pack"),
    (landing, "_write", "  write versions"),
    (landing, "publish", "    outbox"),
    (accept, "close", "close"),
    (closing, "copy_rows", "  keep the original"),
)


class Stopwatch:
    """Adds up what is spent in each stage."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
        self._lock = threading.Lock()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Time a stage."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            with self._lock:
                one = self.spent[name]
                one[0] += time.perf_counter() - wall
                one[1] += time.process_time() - cpu
                one[2] += 1

    def timed(self, work: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The same work, timed; of a generator each piece."""

        def run(*given: Any, **more: Any) -> Any:
            with self.of(name):
                answer = work(*given, **more)
            return self._pieces(answer, name) if isinstance(answer, Iterator) else answer

        return run

    def _pieces(self, pieces: Iterator[Any], name: str) -> Iterator[Any]:
        while True:
            with self.of(name):
                piece = next(pieces, self)
            if piece is self:
                return
            yield piece


def main(rows_sent: int = 1_000_000, bad: float = 0.0) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, Postgres(Path(folder, "postgres")) as server:
        file = Path(folder, "births.csv")
        with get_context("spawn").Pool(1) as apart:  # what making it took of memory is not ours
            apart.apply(_write, (file, rows_sent, bad))
        ensure_databases(server.server_url, ("ingest",))
        url = SecretStr(service_url(server.server_url, "ingest"))
        migrate("ingest", url)
        limit = min(copied(url, file.read_bytes()) for _ in range(2))
        database = Database(url, pool_size=2)
        _tell(database)
        with file.open("rb") as spool:
            body = Body(spool, hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size)
            _accept(database, url, body, Stopwatch())  # what is loaded and compiled once
            resting = _memory("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # the highest of memory is counted from here
            watch = Stopwatch()
            for place, name, label in STAGES:
                setattr(place, name, watch.timed(getattr(place, name), label))
            told = _accept(database, url, body, watch)
        database.close()
    print(f"{rows_sent:,} births, {body.size / 1e6:.0f} MB, {bad:.0%} bad; \\copy {limit:.2f} s; {told}")
    for label in ("whole", *(label for *_, label in STAGES), "commit"):
        wall, cpu, times = watch.spent[label]
        print(f"{label:32} {wall:6.2f} s wall {cpu:6.2f} s cpu {wall / limit:6.2f} x \\copy {times:6,} times")
    print(f"memory {resting} MB before, {_memory('VmHWM')} MB at most")


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) // 1024


def _write(file: Path, rows_sent: int, bad: float) -> None:
    file.write_bytes(births(rows_sent, bad=bad))


def _tell(database: Database) -> None:
    spec, at = catalogue.load().feeds["births"], now()
    feed = FeedPublished(feed="births", version=spec["version"], spec=spec, published_at=at)
    trust = OrganisationChanged(code="RGT", name="RGT", kind="trust", edges=[], recorded_at=at)
    with database.session() as session:
        for event in (feed, trust):
            HANDLERS[type(event)](session, [event])


def _accept(database: Database, url: SecretStr, body: Body, watch: Stopwatch) -> str:
    """Accept the file as if for the first time; what its receipt says."""
    with database.session() as session:
        driver(session).execute(f"truncate {_FILLED} cascade")
    settings = IngestSettings(database_url=url, principal_key="", pseudonym_key=SecretStr("k" * 64))
    caller = Principal("bench", frozenset({"submissions:write"}), frozenset({"*"}), "member")
    with watch.of("whole"), ExitStack() as until_committed, database.session() as session:
        answered = accept.accept_submission(
            session, body, Options("births"), Arrival("text/csv", None, None),
            caller=caller, known=load(session, 0), settings=settings,
        )  # fmt: skip
        said = receipt(session, answered.submission)
        until_committed.enter_context(watch.of("commit"))
    return f"{said['status']} {said['rows']}"


_FILLED = 'submission, "return", return_version, return_part, outbox, submission_part, receipt_entry'

if __name__ == "__main__":
    main(*(kind(argument) for kind, argument in zip((int, float), sys.argv[1:], strict=False)))

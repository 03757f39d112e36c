"""P6: a published definition changes, and everything that depends on it is computed again from the stored returns.

Five million rows of births lie in a PostgreSQL of their own as ingest publishes them: a return for each of 120 trusts
and 36 months, as Parquet. Then a measure that counts rows and one that counts pregnancies are published anew, and the
feed, on which every measure of births depends. The limit beside them is one polars group_by of the same rows, decoded
and in memory, that only counts.

Run: python -m benchmarks.recomputation [rows]
"""

import io
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import SecretStr
from sqlalchemy import text

from benchmarks.figures import births, births_measures, made_up
from deploy.databases import ensure_databases
from deploy.migrate import migrate
from deploy.postgres import Postgres
from services.measures.events import HANDLERS
from services.measures.rules.feeds import Feed
from services.measures.rules.rows import PARQUET
from shared.contracts.event import Event
from shared.contracts.ingest import ReturnPublished
from shared.contracts.programmes import FeedPublished, MeasurePublished
from shared.db import Database
from shared.messaging.outbox import new_id
from shared.telemetry import configure_logging

GOAL = 10.0
NOW = datetime(2026, 11, 1, tzinfo=UTC)
CHANGED = {"mn-preterm": "rows counted", "mn-cqimpreterm": "pregnancies counted"}


def main(rows: int) -> None:
    """Measure and print."""
    configure_logging("ERROR")
    spec = births()
    frame = made_up(rows, Feed.of(spec))
    limit = grouped(frame)
    definitions = {one.measure: one.source for one in births_measures(spec)}
    with ExitStack() as stack:
        database = own_database(stack)
        published_returns = returns(frame)
        while some := list(islice(published_returns, 500)):
            told(database, some)
        del frame
        told(database, [FeedPublished(feed="births", version="1.0.0", spec=spec, published_at=NOW)])
        told(database, [published(one) for one in definitions.values()])
        print(f"{rows:,} stored rows of births, {standing(database)}; one group_by of the rows {limit:.2f} s")
        for measure, kind in CHANGED.items():
            took = told(database, [published(definitions[measure], version="2.0.0")])
            print(f"P6 {measure} ({kind}) changes: {took:.1f} s, {took / limit:.0f} x one group_by (goal {GOAL:.0f} s)")
        took = told(database, [FeedPublished(feed="births", version="1.0.1", spec=spec, published_at=NOW)])
        print(f"P6 the feed changes, {len(definitions)} measures: {took:.1f} s, {took / limit:.0f} x one group_by")


def grouped(frame: pl.DataFrame) -> float:
    """Seconds that one group_by takes, the best of three."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        frame.lazy().group_by("_organisation", "_period", "imd_decile", "ethnic_category").len().collect()
        times.append(time.perf_counter() - began)
    return min(times)


def own_database(stack: ExitStack) -> Database:
    """The database of measures on a PostgreSQL of its own."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    postgres = stack.enter_context(Postgres(folder / "postgres"))
    ensure_databases(postgres.server_url, ("measures",))
    url = SecretStr(postgres.url("measures"))
    migrate("measures", url)
    return stack.enter_context(closing(Database(url, pool_size=1)))


def returns(frame: pl.DataFrame) -> Iterator[ReturnPublished]:
    """The rows as ingest publishes them: Parquet (zstd), a return for each organisation and period."""
    for (organisation, period), rows in frame.partition_by("_organisation", "_period", as_dict=True).items():
        body = io.BytesIO()
        rows.drop("_organisation", "_period").write_parquet(body, compression="zstd", statistics=False)
        yield ReturnPublished(
            feed="births", feed_version="1.0.0", organisation=organisation, period=period, sequence=1, version=1,
            version_id=new_id(), submission_id=new_id(), row_count=rows.height, received_at=NOW, content_type=PARQUET,
            rows=body.getvalue(),
        )  # fmt: skip


def published(definition: Mapping[str, Any], *, version: str = "1.0.0") -> MeasurePublished:
    """A version of a measure, as the registry tells of it."""
    given = {**definition, "version": version}
    return MeasurePublished(measure=given["id"], version=version, definition=given, published_at=NOW)


def told(database: Database, events: Sequence[Event]) -> float:
    """Seconds until what these tell has been taken in and committed."""
    began = time.perf_counter()
    with database.session() as session:
        HANDLERS[type(events[0])](session, events)
    return time.perf_counter() - began


def standing(database: Database) -> str:
    """How many cells and signals stand, in words."""
    with database.session() as session:
        cells = session.execute(text("select count(*) from cell where known_to is null")).scalar_one()
        signals = session.execute(text("select count(*) from signal where resolved_at is null")).scalar_one()
    return f"{cells:,} cells, {signals:,} signals"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000)

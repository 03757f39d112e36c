"""How fast rows become figures: 5 million birth rows, every births measure of the catalogue with its strata.

The limit beside it is one polars group_by of the same rows, by organisation, period, decile and ethnic category, that
only counts. Run: python -m benchmarks.figures [rows]
"""

import csv
import sys
import time
import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from services.measures.rules.definitions import Definition
from services.measures.rules.feeds import Feed
from services.measures.rules.figures import figures

CATALOGUE = Path(__file__).parents[1] / "services" / "programmes" / "catalogue"
MEASURES = 20
ORGANISATIONS, MONTHS = 120, 36


def main(rows: int) -> None:
    spec = births()
    definitions = births_measures(spec)[:MEASURES]
    frame = made_up(rows, Feed.of(spec))
    keys = ["_organisation", "_period", "imd_decile", "ethnic_category"]
    limit, _ = timed(lambda: frame.lazy().group_by(keys).len().collect())
    taken, table = timed(lambda: figures(frame, definitions, feed="births"))
    print(f"{rows:,} rows, {len(definitions)} measures, {table.height:,} figures")
    print(f"one group_by {limit:.2f} s; figures {taken:.2f} s; ratio {taken / limit:.1f}")


def births() -> dict[str, Any]:
    spec = tomllib.loads((CATALOGUE / "feeds" / "births.toml").read_text("utf-8"))
    lists: dict[str, dict[str, str]] = {}
    with (CATALOGUE / "codelists.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            lists.setdefault(row["list"], {})[row["code"]] = row["label"]
    return {**spec, "code_lists": lists}


def births_measures(spec: dict[str, Any]) -> list[Definition]:
    found = []
    for path in sorted((CATALOGUE / "measures").glob("*.toml")):
        for definition in tomllib.loads(path.read_text("utf-8"))["measure"]:
            halves = [definition[half] for half in ("numerator", "denominator") if definition.get(half)]
            if definition["period"] == "month" and {half["feed"] for half in halves} == {"births"}:
                found.append(Definition.compile(definition, {"births": spec}))
    return found


def made_up(rows: int, feed: Feed) -> pl.DataFrame:
    """Rows in which every field of the feed has some plausible value; codes from their lists, the rest by type."""
    chance = np.random.default_rng(7)
    months = [f"{2023 + month // 12}-{month % 12 + 1:02d}" for month in range(MONTHS)]
    columns = {
        "_organisation": picked([f"R{number:02d}" for number in range(ORGANISATIONS)], rows, chance),
        "_period": picked(months, rows, chance),
    }
    for name, field in feed.fields.items():
        if field.codes:
            columns[name] = picked(list(field.codes), rows, chance)
        elif name in RANGES:
            columns[name] = pl.Series(chance.integers(*RANGES[name], rows))
        elif name in ("pregnancy_id", "baby_local_id"):
            columns[name] = pl.Series(chance.integers(0, rows * 20, rows)).cast(pl.String)
        else:
            columns[name] = by_type(field.dtype, rows, chance)
    return pl.DataFrame(columns)


RANGES = {
    "gestation_length_at_birth": (150, 310),
    "imd_decile": (1, 11),
    "apgar_5": (0, 11),
    "blood_loss_ml": (0, 3000),
}


def by_type(dtype: pl.DataType, rows: int, chance: np.random.Generator) -> pl.Series:
    if dtype == pl.Boolean:
        return pl.Series(chance.random(rows) < 0.1)
    if dtype.is_numeric():
        return pl.Series(chance.integers(0, 100, rows)).cast(dtype)
    if dtype.is_temporal():
        first = datetime.fromisoformat("2023-01-01")
        seconds = pl.Series(chance.integers(0, MONTHS * 30 * 86400, rows))
        moments = pl.select(first + pl.duration(seconds=seconds)).to_series()
        return moments.set(pl.Series(chance.random(rows) < 0.5), None).cast(dtype)
    return picked(["01", "02"], rows, chance)


def picked(values: list[str], rows: int, chance: np.random.Generator) -> pl.Series:
    return pl.Series(values, dtype=pl.String).gather(chance.integers(0, len(values), rows))


def timed(work: Callable[[], pl.DataFrame]) -> tuple[float, pl.DataFrame]:
    """The best of three, in seconds, and what it gave."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - start)
    return best, answer


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000)

"""How fast rows are read and judged: a CSV of 1,000,000 births against polars reading the same file with types.

Run `python benchmarks/ingest_rules.py [rows]`. The file is made in memory; the feed is the shape of `births` with
twelve columns sent. Prints seconds, the ratio to polars (best of three each, side by side) and the peak memory.
"""

import io
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from services.ingest.rules.faults import Tally
from services.ingest.rules.feeds import Feed
from services.ingest.rules.formats import read_blocks
from services.ingest.rules.reference import Organisation, Reference
from services.ingest.rules.validation import Checker

SPEC = {
    "id": "births",
    "version": "1.0.0",
    "period": "month",
    "key": ["baby_local_id"],
    "organisation": ["provider_org_code"],
    "period_columns": ["baby_birth_datetime"],
    "field": [
        {"name": "provider_org_code", "type": "organisation", "required": True},
        {"name": "baby_local_id", "type": "text", "max": 20, "required": True, "identifier": "local"},
        {"name": "pregnancy_id", "type": "text", "max": 20, "required": True, "identifier": "local"},
        {"name": "baby_birth_datetime", "type": "datetime", "required": True},
        {"name": "steroid_course_complete_datetime", "type": "datetime"},
        {"name": "pregnancy_outcome", "type": "code", "values": ["01", "02", "03", "04"], "required": True},
        {"name": "gestation_length_at_birth", "type": "integer", "min": 100, "max": 315, "required": True},
        {"name": "birth_weight_grams", "type": "integer", "min": 100, "max": 9000},
        {"name": "ethnic_category", "type": "code", "values": [*"ABCDEFGHJKLMNPRSZ", "99"]},
        {"name": "delivery_method", "type": "code", "values": [*"0123456789"]},
        {"name": "births_per_labour", "type": "integer", "min": 1, "max": 9},
        {"name": "ward_code", "type": "text", "max": 12},
    ],
    "rule": [
        {
            "code": "steroids-after-birth",
            "columns": ["steroid_course_complete_datetime", "baby_birth_datetime"],
            "check": {"field": "steroid_course_complete_datetime", "before": "baby_birth_datetime"},
        },
        {
            "code": "stillbirth-before-24-weeks",
            "columns": ["pregnancy_outcome", "gestation_length_at_birth"],
            "where": {"field": "pregnancy_outcome", "in": ["02", "03", "04"]},
            "check": {"field": "gestation_length_at_birth", "at_least": 168},
        },
    ],
}


def births(rows: int, *, bad: float = 0.0, trust: str = "RGT") -> bytes:
    """A CSV of that many births of one trust in 24 months; `bad` is the share of rows with faults."""
    chance = np.random.default_rng(20261101)
    minutes = np.sort(chance.integers(0, 730 * 1440, rows)).astype("timedelta64[m]").astype("timedelta64[us]")
    born = pl.Series(np.datetime64("2024-10-01T00:00", "us") + minutes)
    number = pl.int_range(rows, eager=True).cast(pl.String).str.zfill(8)
    wrong = pl.Series(chance.random(rows) < bad)
    gestation = pl.Series(chance.integers(170, 300, rows)).cast(pl.String)
    frame = pl.DataFrame(
        {
            "provider_org_code": pl.repeat(trust, rows, eager=True),
            "baby_local_id": "B" + number,
            "pregnancy_id": "P" + number,
            "baby_birth_datetime": born.dt.to_string("%Y-%m-%dT%H:%M"),
            "steroid_course_complete_datetime": born.dt.offset_by("-9h").dt.to_string("%Y-%m-%dT%H:%M"),
            "pregnancy_outcome": pl.Series(chance.choice(["01", "02"], rows, p=[0.99, 0.01])).set(wrong, "1"),
            "gestation_length_at_birth": gestation.set(wrong, "39+2"),
            "birth_weight_grams": chance.integers(500, 4500, rows),
            "ethnic_category": chance.choice([*"ABCDEFGHJKLMNPRSZ"], rows),
            "delivery_method": chance.choice([*"012345678"], rows),
            "births_per_labour": chance.integers(1, 3, rows),
            "ward_code": chance.choice(["DELIV", "MLU", "HOME"], rows),
        }
    )
    return frame.write_csv().encode()


def chunks(file: IO[bytes], size: int = 64 * 1024) -> Iterator[bytes]:
    while chunk := file.read(size):
        yield chunk


def checked(file: IO[bytes]) -> dict[str, int]:
    """Read and judge the file as ingest does, keeping nothing but counts."""
    checker = Checker(Feed.from_spec(SPEC), Reference({"RGT": Organisation("RGT")}), today=date(2026, 11, 1))
    tally, totals = Tally(), dict.fromkeys(("received", "accepted", "waiting", "rejected", "duplicate"), 0)
    for block in read_blocks(chunks(file), content_type="text/csv"):
        verdict = checker.check(block)
        tally.add(verdict.faults)
        counts = verdict.counts
        totals = {name: count + counts[name] for name, count in totals.items()}
    return totals


def best(run: Callable[[], object], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def high_water() -> int:
    """Kilobytes at most resident in this program (getrusage would count the process that started it, too)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def peak_of_a_fresh_process(path: Path) -> int:
    """Megabytes at most resident in a process that does nothing but check the file."""
    ran = subprocess.run([sys.executable, __file__, "--check", str(path)], check=True, capture_output=True, text=True)
    return int(ran.stdout)


def report(rows: int, bad: float) -> str:
    data = births(rows, bad=bad)
    ours = best(lambda: checked(io.BytesIO(data)))
    limit = best(lambda: pl.read_csv(io.BytesIO(data), try_parse_dates=True, ignore_errors=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "births.csv")
        path.write_bytes(data)
        peak = peak_of_a_fresh_process(path)
    return (
        f"{rows:,} births, {len(data) / 1e6:.0f} MB, {bad:.0%} bad: {ours:.2f} s, polars typed {limit:.2f} s,"
        f" ratio {ours / limit:.2f}, peak {peak} MB"
    )


def main() -> None:
    if sys.argv[1:2] == ["--check"]:
        with Path(sys.argv[2]).open("rb") as file:
            checked(file)
        print(high_water() // 1024)
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for bad in (0.0, 0.01, 1.0):
        print(report(rows, bad))


if __name__ == "__main__":
    main()

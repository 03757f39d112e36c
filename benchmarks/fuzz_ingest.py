"""Damaged files of every format against everything that reads them: no error of ours, no hang, no growth of memory.

Run `python -m benchmarks fuzz_ingest` (20 seconds and the bombs), or `python -m benchmarks.fuzz_ingest SECONDS [SEED]`.
Each case is a good file of one format, damaged a few times over at random, perhaps compressed before or after, and
read as any of the formats; bombs are little files that unpack to much. Only `Unreadable` may be raised. Prints how many
there were, the slowest and the peak memory; a case that fails is kept in a temporary file, and its seed makes it again.
"""

import contextlib
import gzip
import io
import json
import random
import resource
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import openpyxl
import polars as pl
import zstandard

from services.ingest.rules.faults import Tally, Unreadable
from services.ingest.rules.feeds import Feed
from services.ingest.rules.formats import PARQUET, XLSX, read_blocks
from services.ingest.rules.identifiers import redact
from services.ingest.rules.reference import Organisation, Reference
from services.ingest.rules.validation import Checker

SECONDS, SEED = 20.0, 20261123
SLOWEST_ALLOWED = 20  # seconds for one file of a few kilobytes (a bomb unpacks to a gigabyte)
SETTLED = 500  # cases, the bombs among them, after which memory should grow no more
GROWTH_ALLOWED = 60  # megabytes

FEED = Feed.from_spec(
    {
        "id": "fuzzed",
        "version": "1.0.0",
        "period": "month",
        "key": ["id"],
        "organisation": ["org"],
        "period_columns": ["born"],
        "extracted_at": "extracted",
        "field": [
            {"name": "org", "type": "organisation", "required": True},
            {"name": "id", "type": "text", "max": 20, "required": True, "identifier": "local"},
            {"name": "number", "type": "text", "identifier": "nhs_number"},
            {"name": "born", "type": "datetime", "required": True},
            {"name": "day", "type": "date"},
            {"name": "extracted", "type": "datetime"},
            {"name": "code", "type": "code", "values": ["A", "B", "01"]},
            {"name": "count", "type": "integer", "min": 0, "max": 400},
            {"name": "weight", "type": "decimal", "min": 0},
            {"name": "alive", "type": "boolean"},
            {"name": "period", "type": "period"},
            {"name": "note", "type": "text", "max": 200},
        ],
        "rule": [
            {"code": "early", "columns": ["day", "born"], "check": {"not": {"field": "day", "before": "born"}}},
            {"code": "light", "columns": ["weight", "count"], "check": {"field": "weight", "at_least": "count"}},
        ],
    }
)
REFERENCE = Reference({"RGT": Organisation("RGT"), "RGN": Organisation("RGN", closed=date(2026, 1, 1))})
ROWS = [
    {
        "org": "RGT", "id": f"B{n}", "number": "999 000 0018" if n % 3 else None,
        "born": f"2026-0{n % 9 + 1}-03T04:12:00", "day": f"2026-0{n % 9 + 1}-03", "extracted": "2026-10-01T00:00:00",
        "code": "A", "count": n, "weight": n + 0.5, "alive": True, "period": "2026-05", "note": 'said "yes",\nand no',
    }
    for n in range(12)
]  # fmt: skip
TOKENS = [
    b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"{", b"}", b"[", b"]",
    b"\\", b"\\u0000", b"\\ud800", b":", b"null", b"1e999", b"-0", b"9" * 40, b"#N/A", b"NaN", b"inf", b"[" * 3000,
    b'{"a":' * 900, b"31/02/2026", b"00:00:60", b"2026-W53", b"9999-12-31T23:59:59", b"0000-00-00", b"[withheld]",
    b"[pseudonym 1:0]",
    b"943 476 5919", b"SW1A 1AA", b"psip_line", b"psip_mends", b"line", b" ", b"\t", b";", b"|", b"PAR1", b"PK\x03\x04",
    b"\xe2\x80\xae", b"\xcc\x81" * 50, b"<", b"&", b"&#0;", b"A" * 70_000, b"-2026-05-03", b"a,b,c,d,e,f," * 200,
]  # fmt: skip
TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": PARQUET,
    "xlsx": XLSX,
}


class Case(NamedTuple):
    """A file as it might be sent."""

    seed: int
    body: bytes
    content_type: str
    encoding: str | None


def good_files() -> dict[str, bytes]:
    """One good file of each format."""
    frame = pl.DataFrame(ROWS)
    book, parquet, sheet = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    page = book.worksheets[0]
    page.append(list(ROWS[0]))
    for row in ROWS:
        page.append(list(row.values()))
    book.save(sheet)
    frame.write_parquet(parquet)
    return {
        "csv": frame.write_csv().encode(),
        "json": json.dumps(ROWS).encode(),
        "ndjson": b"\n".join(json.dumps(row).encode() for row in ROWS),
        "parquet": parquet.getvalue(),
        "xlsx": sheet.getvalue(),
    }


def cases(seed: int) -> Iterator[Case]:
    """Damaged files without end; the same seed gives the same ones."""
    good = good_files()
    while True:
        chance = random.Random(seed)
        kind = chance.choice(list(good))
        body = _damaged(good[kind], chance) if kind != "xlsx" or chance.random() < 0.3 else _inside(good[kind], chance)
        encoding = chance.choice([None, None, None, "gzip", "zstd"])
        if encoding is not None:
            body = _compressed(body, encoding, chance)
        sent_as = kind if chance.random() < 0.9 else chance.choice(list(TYPES))
        yield Case(seed, body, TYPES[sent_as], encoding)
        seed += 1


def bombs() -> Iterator[Case]:
    """Little files that unpack to much."""
    zeros = b"0" * 1_000_000
    rows = b"org,id\n" + b"RGT,1\n" * 200_000
    for plain in (
        zeros * 60,
        b"[" + b"[" * 10_000_000,
        b'"' * 9_000_000,
        b"\n" * 9_000_000,
        rows * 20,
        b"{" * 9_000_000,
    ):
        for kind in ("csv", "json", "ndjson", "parquet", "xlsx"):
            yield Case(0, gzip.compress(plain), TYPES[kind], "gzip")
            yield Case(0, zstandard.compress(plain), TYPES[kind], "zstd")
    yield Case(0, _bomb_of_a_workbook(), XLSX, None)


def read(case: Case) -> int:
    """Read and judge a file as ingest does, in chunks; the rows there were. Raises only Unreadable."""
    chunks = (case.body[at : at + 1000] for at in range(0, len(case.body), 1000))
    checker, tally, rows = Checker(FEED, REFERENCE, today=date(2026, 11, 23)), Tally(), 0
    for block in read_blocks(chunks, content_type=case.content_type, encoding=case.encoding):
        verdict = checker.check(block)
        redact(block.frame, FEED)
        tally.add(verdict.faults)
        counts = verdict.counts
        if counts["received"] != sum(counts.values()) - counts["received"]:
            raise AssertionError(f"the rows do not add up: {counts}")
        rows += counts["received"]
    checker.finish()
    return rows


def _damaged(body: bytes, chance: random.Random) -> bytes:
    data = bytearray(body)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        at, much = chance.randrange(len(data) + 1), chance.randrange(1, 60)
        how = chance.randrange(6)
        if how == 0:
            data[at:at] = chance.choice(TOKENS)
        elif how == 1:
            del data[at : at + much]
        elif how == 2:
            data[at:at] = data[at : at + much] * chance.choice([1, 3, 200])
        elif how == 3 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif how == 4:
            data[at : at + much] = chance.randbytes(much)
        else:
            del data[at:]
    return bytes(data)


def _inside(workbook: bytes, chance: random.Random) -> bytes:
    """A workbook with one of its parts damaged, which the zip around it does not show."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = chance.choice(old.namelist())
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, _damaged(part, chance) if name == chosen else part)
    return made.getvalue()


def _compressed(body: bytes, encoding: str, chance: random.Random) -> bytes:
    packed = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)
    return _damaged(packed, chance) if chance.random() < 0.5 else packed


def _bomb_of_a_workbook() -> bytes:
    made = io.BytesIO()
    sheet = b"xl/worksheets/sheet1.xml".decode()
    with (
        zipfile.ZipFile(io.BytesIO(good_files()["xlsx"])) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            if name == sheet:
                with new.open(name, "w") as part:
                    part.write(b"<worksheet><sheetData>")
                    for _ in range(300):
                        part.write(b'<row r="1"><c r="A1"><v>1</v></c></row>' * 20_000)
            else:
                new.writestr(name, old.read(name))
    return made.getvalue()


def main(seconds: float, seed: int) -> int:
    """Read damaged files for so long; 1 if any was an error of ours, took too long, or memory grew."""
    signal.signal(signal.SIGALRM, _too_long)
    slowest, many, unreadable, wrong, settled = 0.0, 0, 0, 0, 0.0
    for case in chain(bombs(), _for(seconds, cases(seed))):
        began = time.monotonic()
        signal.alarm(SLOWEST_ALLOWED)
        try:
            read(case)
        except Unreadable:
            unreadable += 1
        except BaseException as problem:  # a panic of polars is no Exception
            if isinstance(problem, KeyboardInterrupt):
                raise
            wrong += 1
            print(
                f"seed {case.seed} as {case.content_type} ({case.encoding}): {type(problem).__name__}: {problem!s:.200}"
            )
            print(f"  kept in {_kept(case)}")
        signal.alarm(0)
        many, slowest = many + 1, max(slowest, time.monotonic() - began)
        settled = _megabytes() if many == SETTLED else settled
    grown = _megabytes() - settled if many > SETTLED else 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{many:,} damaged files, {unreadable:,} unreadable, {wrong} errors of ours; slowest {slowest:.1f} s;")
    print(f"memory: peak {peak:.0f} MB; at the end {grown:.0f} MB more than after the first {SETTLED}")
    return int(wrong > 0 or grown > GROWTH_ALLOWED)


def _for(seconds: float, some: Iterator[Case]) -> Iterator[Case]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield next(some)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {SLOWEST_ALLOWED} seconds")


def _kept(case: Case) -> Path:
    path = Path(tempfile.gettempdir()) / f"fuzz-{case.seed}"
    with contextlib.suppress(OSError):
        path.write_bytes(case.body)
    return path


def _megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(float(given[0]) if given else SECONDS, int(given[1]) if len(given) > 1 else SEED))

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pytest

from services.ingest.rules.feeds import Feed
from services.ingest.rules.formats import read_blocks
from services.ingest.rules.reference import Organisation, Reference
from services.ingest.rules.validation import Checker

TODAY = date(2026, 11, 23)

BIRTHS: dict[str, Any] = {
    "id": "births",
    "version": "1.0.0",
    "title": "Births",
    "period": "month",
    "mode": "replace",
    "key": ["baby_id"],
    "organisation": ["provider"],
    "period_columns": ["born"],
    "grace_days": 90,
    "field": [
        {
            "name": "provider",
            "type": "organisation",
            "required": True,
            "aliases": ["OrgCodeProvider"],
            "example": "RGT",
        },
        {"name": "baby_id", "type": "text", "required": True, "max": 20},
        {"name": "born", "type": "datetime", "required": True, "title": "PERSON BIRTH DATE/TIME (BABY)"},
        {"name": "outcome", "type": "code", "codes": "OUTCOME", "required": True, "example": "01"},
        {"name": "gestation", "type": "integer", "min": 100, "max": 315, "hint": "in days"},
        {"name": "temperature", "type": "decimal", "min": 25, "max": 45},
        {"name": "admitted", "type": "boolean"},
        {"name": "booked", "type": "date"},
        {"name": "notes", "type": "text", "max": 200},
        {"name": "nhs_number", "type": "text", "identifier": "nhs_number"},
        {"name": "mother_born", "type": "date", "identifier": "birth_date"},
        {"name": "status", "type": "code", "values": ["provisional", "final"], "default": "provisional"},
        {"name": "secret", "type": "text", "keep": False},
    ],
    "rule": [
        {
            "code": "booked-after-birth",
            "columns": ["booked", "born"],
            "check": {"field": "booked", "before": "born"},
            "expected": "booking before the birth",
            "hint": "check both dates",
        },
        {
            "code": "weightless",
            "columns": ["temperature", "admitted"],
            "where": {"field": "admitted", "equals": True},
            "check": {"field": "temperature", "is": "present"},
        },
    ],
    "code_lists": {"OUTCOME": {"01": "Live birth", "02": "Antepartum stillbirth", "98": "Other"}},
}

COUNTS: dict[str, Any] = {
    "id": "measure-counts",
    "version": "1.0.0",
    "title": "Figures already counted",
    "period": "any",
    "mode": "merge",
    "key": ["measure", "stratum"],
    "organisation": ["organisation"],
    "period_columns": ["period"],
    "field": [
        {"name": "organisation", "type": "organisation", "required": True},
        {"name": "period", "type": "period", "required": True},
        {"name": "measure", "type": "text", "required": True},
        {"name": "numerator", "type": "decimal", "required": True},
        {"name": "denominator", "type": "decimal"},
        {"name": "stratum", "type": "text"},
    ],
}

REFERENCE = Reference(
    {
        "RGT": Organisation("RGT"),
        "1-123456789": Organisation("VN1AB"),
        "VN1AB": Organisation("VN1AB"),
        "OLD": Organisation("OLD", closed=date(2026, 3, 31), successors=("RGT",)),
        "NEW": Organisation("NEW", opened=date(2026, 10, 1)),
    },
    {"mn-pph": {"proportion": True, "period": "month"}, "ch-falls": {"proportion": False}},
)


@dataclass(frozen=True)
class Judged:
    accepted: pl.DataFrame
    waiting: pl.DataFrame
    faults: pl.DataFrame
    counts: dict[str, int]

    @property
    def errors(self) -> list[tuple[int | None, str | None, str]]:
        """Line, column and code of each error."""
        return self.faults.filter(pl.col("severity") == "error").select("line", "column", "code").rows()

    @property
    def warnings(self) -> list[tuple[int | None, str | None, str]]:
        return self.faults.filter(pl.col("severity") == "warning").select("line", "column", "code").rows()


def judged(feed: Feed, chunks: Iterator[bytes], *, content_type: str = "text/csv", **options: Any) -> Judged:
    checker = Checker(feed, options.pop("reference", REFERENCE), **{"today": TODAY, **options})
    verdicts = [checker.check(block) for block in read_blocks(chunks, content_type=content_type)]
    totals = dict.fromkeys(verdicts[0].counts, 0)
    for verdict in verdicts:
        totals = {name: count + verdict.counts[name] for name, count in totals.items()}
    return Judged(
        pl.concat([one.accepted for one in verdicts]),
        pl.concat([one.waiting for one in verdicts]),
        pl.concat([*(one.faults for one in verdicts), checker.finish()]),
        totals,
    )


Judge = Callable[..., Judged]


@pytest.fixture(scope="session")
def births() -> Feed:
    return Feed.from_spec(BIRTHS)


@pytest.fixture(scope="session")
def counts() -> Feed:
    return Feed.from_spec(COUNTS)


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Reads text or bytes in one chunk and judges it: `judge(feed, content, content_type=..., period=...)`."""

    def run(feed: Feed, content: str | bytes, **options: Any) -> Judged:
        data = content.encode() if isinstance(content, str) else content
        return judged(feed, iter([data]), **options)

    return run


@pytest.fixture(scope="session")
def birth(judge: Judge, births: Feed) -> Judge:
    """Judges one good birth with some values changed: `birth(gestation="39+2")`."""

    def run(*, options: dict[str, Any] | None = None, **values: str) -> Judged:
        row = {"provider": "RGT", "baby_id": "B1", "born": "2026-10-05T10:30", "outcome": "01", **values}
        row = {"status": "final", **row}
        quoted = ['"' + value.replace('"', '""') + '"' for value in row.values()]
        return judge(births, f"{','.join(row)}\n{','.join(quoted)}\n", **(options or {}))

    return run

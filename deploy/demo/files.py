"""What is sent, and in which files: those that a trust, a supplier and a regional office would really send."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Literal

import polars as pl

from deploy.demo import stories
from deploy.demo.births import births
from deploy.demo.care_homes import weekly
from deploy.demo.counts import COUNTED, counts
from deploy.demo.organisations import homes
from deploy.demo.span import Span
from deploy.demo.units import UNITS, Unit
from shared.contracts.periods import Period

MONTHS_IN_FILE, WEEKS_IN_FILE = 12, 4
LATER = timedelta(days=3)
Feed = Literal["births", "measure-counts", "care-home-weekly"]
Status = Literal["accepted", "partly_accepted"]


@dataclass(frozen=True, slots=True)
class Sending:
    """One file: who sends it (a role), of which feed, how many rows it has, and what is to become of it.

    One that `corrects` is of a return that another file has already.
    """

    name: str
    role: str
    feed: Feed
    rows: int
    content: Callable[[], bytes]
    status: Status = "accepted"
    rejected: int = 0
    corrects: bool = False


MISTAKES: tuple[tuple[str, str, int], ...] = (
    ("ethnic_category", "Q9", 4),
    ("gestation_length_at_birth", "39", 3),
    ("delivery_method", "12", 2),
    ("apgar_5", "11", 1),
)
"""What is wrong in the file with faults: a column, what stands in it, and on how many rows."""


def expected(span: Span) -> tuple[int, int, int]:
    """About how many rows there are of births, of figures and of weeks of homes."""
    months = len(span.months)
    return (
        sum(unit.births for unit in UNITS) * months,
        len(UNITS) * len(COUNTED) * months,
        len(homes()) * len(span.weeks),
    )


def maternity(span: Span) -> Iterator[Sending]:
    """The births of every trust, a year in a file."""
    for unit in UNITS:
        yield from _births_of(unit, span)


def counted(span: Span) -> Iterator[Sending]:
    """The figures counted elsewhere, a file for each month with all trusts."""
    everything = pl.concat([counts(unit, span) for unit in UNITS])
    for month in span.months:
        rows = everything.filter(pl.col("period") == month.text)
        yield _sending(f"counts-{month}", "measure-counts", rows)


def care_homes(span: Span) -> Iterator[Sending]:
    """The weeks of every care home, four in a file."""
    everything = weekly(span)
    for number, weeks in enumerate(_batched(span.weeks, WEEKS_IN_FILE), start=1):
        rows = _in(everything, weeks).sort("week_ending", maintain_order=True)
        yield _sending(f"care-homes-{number:02}", "care-home-weekly", rows.drop("period"))


def _births_of(unit: Unit, span: Span) -> Iterator[Sending]:
    frame, months = births(unit, span), stories.birth_months(unit.code, span)
    corrected = _planted(stories.CORRECTION, unit, span)
    faulty = _planted(stories.FAULTY, unit, span)
    role = "trust" if unit.code == "RGT" else "supplier"
    for number, year in enumerate(_batched([one for one in months if one != faulty], MONTHS_IN_FILE), start=1):
        rows = _in(frame, year)
        rows = rows if corrected is None else _with_some_left_out(rows, corrected)
        yield _sending(f"births-{unit.code}-{number}", "births", rows.drop("period"), role=role)
    if corrected is not None:
        later = pl.col("extract_datetime") + LATER
        rows = _in(frame, [corrected]).with_columns(later, pl.lit("resubmission").alias("submission_status"))
        yield replace(_sending(f"births-{unit.code}-correction", "births", rows.drop("period")), corrects=True)
    if faulty is not None:
        rows = _with_mistakes(_in(frame, [faulty]).drop("period"))
        bad = sum(count for *_, count in MISTAKES)
        sending = _sending(f"births-{unit.code}-faults", "births", rows)
        yield replace(sending, status="partly_accepted", rejected=bad)


def _planted(where: tuple[str, int], unit: Unit, span: Span) -> Period | None:
    code, back = where
    return span.month(back) if code == unit.code else None


def _with_some_left_out(rows: pl.DataFrame, month: Period) -> pl.DataFrame:
    """A return that lacks some births: as if a ward had not been asked."""
    every = round(1 / stories.LEFT_OUT)
    return rows.filter((pl.col("period") != month.text) | (pl.int_range(pl.len()) % every != 0))


def _with_mistakes(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows as text, with the mistakes on the first of them, one on each."""
    line = pl.int_range(pl.len())
    first = 0
    for column, wrong, count in MISTAKES:
        here = line.is_between(first, first + count, closed="left")
        text = pl.col(column).cast(pl.String)
        rows = rows.with_columns(pl.when(here).then(pl.lit(wrong)).otherwise(text).alias(column))
        first += count
    return rows


def _batched(periods: Iterable[Period], size: int) -> Iterator[list[Period]]:
    rest = iter(periods)
    while batch := list(islice(rest, size)):
        yield batch


def _in(frame: pl.DataFrame, periods: Iterable[Period]) -> pl.DataFrame:
    return frame.filter(pl.col("period").is_in([one.text for one in periods]))


def _sending(name: str, feed: Feed, rows: pl.DataFrame, *, role: str = "supplier") -> Sending:
    def content() -> bytes:
        return rows.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S").encode()

    return Sending(name, role, feed, rows.height, content)

"""What is wrong with a row, said so that the person who sent it can mend it.

A fault names the place (line and column), what was found, what was expected, a hint and an example. Faults travel
as frames of the columns in `FAULTS`; `Tally` groups them for the receipt with exact counts in bounded memory.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import polars as pl

from services.ingest.rules.remedies import REMEDIES

Severity = Literal["error", "warning"]

FAULTS = pl.Schema(
    {
        "line": pl.Int64,
        "column": pl.String,
        "code": pl.String,
        "severity": pl.String,
        "found": pl.String,
        "expected": pl.String,
        "hint": pl.String,
        "example": pl.String,
    }
)
"""One row a fault. `line` is null for a fault of the whole file; an error without a line rejects every row."""

WITHHELD = "[withheld]"
OLDER_EXTRACT = "older-extract"
MOST_GROUPS = 10_000
MOST_ROWS = 20


class Unreadable(Exception):
    """The file cannot be read at all (or no further). `code` is one of `remedies.UNREADABLE`.

    Raised while blocks are being read, so blocks may already have been handed out: nothing of the file may land.
    """

    def __init__(self, code: str, detail: str, *, hint: str = "", line: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.hint = hint or REMEDIES[code].remedy
        self.line = line


def no_faults() -> pl.DataFrame:
    """An empty frame of faults."""
    return FAULTS.to_frame()


def faults(
    lines: pl.Series | Iterable[int | None],
    code: str,
    *,
    column: str | None = None,
    severity: Severity = "error",
    found: pl.Series | str | None = None,
    expected: str = "",
    hint: pl.Series | str = "",
    example: str = "",
) -> pl.DataFrame:
    """Faults of one kind: one a line. `found` and `hint` are either the same for all or a series as long as `lines`.

    A fault without a hint of its own has the remedy of its code.
    """
    remedy = REMEDIES[code].remedy if code in REMEDIES else ""
    numbers = lines if isinstance(lines, pl.Series) else pl.Series(list(lines), dtype=pl.Int64)
    if len(numbers) == 1 and not isinstance(found, pl.Series) and not isinstance(hint, pl.Series):
        told = (numbers[0], column, code, severity, found, expected, hint or remedy, example)
        return pl.DataFrame([told], schema=FAULTS, orient="row")
    return (
        numbers.cast(pl.Int64)
        .alias("line")
        .to_frame()
        .with_columns(
            pl.lit(column, dtype=pl.String).alias("column"),
            pl.lit(code).alias("code"),
            pl.lit(severity).alias("severity"),
            _text(found).alias("found"),
            pl.lit(expected).alias("expected"),
            _text(hint).replace("", remedy).alias("hint"),
            pl.lit(example).alias("example"),
        )
    )


def _text(value: pl.Series | str | None) -> pl.Expr | pl.Series:
    if isinstance(value, pl.Series):
        return value.cast(pl.String)
    return pl.lit(value, dtype=pl.String)


def of_the_file(code: str, *, column: str | None = None, severity: Severity = "warning", **said: str) -> pl.DataFrame:
    """One fault of the whole file (it has no line)."""
    return faults([None], code, column=column, severity=severity, **said)


@dataclass(slots=True)
class _Group:
    count: int = 0
    rows: list[int] = field(default_factory=list)


_BY = ("code", "severity", "column", "found", "expected", "hint", "example")


class Tally:
    """Faults grouped by code, column and value over any number of blocks: exact counts, the first 20 rows of each.

    Memory is bounded: beyond 10,000 groups new values of a code and column are counted together under
    `found = "[other values]"`. `total` stays exact.
    """

    def __init__(self) -> None:
        self.total = 0
        self._groups: dict[tuple[str | None, ...], _Group] = {}

    @classmethod
    def of(cls, groups: Iterable[Mapping[str, Any]]) -> Self:
        """The tally whose groups these are."""
        tally = cls()
        for one in groups:
            tally._groups[tuple(one[name] for name in _BY)] = _Group(one["count"], [*one["rows"]])
            tally.total += one["count"]
        return tally

    def add(self, found: pl.DataFrame) -> None:
        """Count the faults of one block (a frame of `FAULTS`)."""
        self.total += found.height
        grouped = found.group_by(_BY, maintain_order=True).agg(
            pl.len().alias("count"), pl.col("line").drop_nulls().head(MOST_ROWS).alias("rows")
        )
        for *key, count, rows in grouped.iter_rows():
            group = self._group(tuple(key))
            group.count += count
            group.rows = sorted({*group.rows, *rows})[:MOST_ROWS]

    def forget(self, found: pl.DataFrame) -> None:
        """Count these faults, which were counted before, no more."""
        for line, *said in found.select("line", *_BY).iter_rows():
            key = tuple(said)
            key = key if key in self._groups else _with_others(key)
            if (group := self._groups.get(key)) is not None:
                self.total -= 1
                group.count -= 1
                group.rows = [row for row in group.rows if row != line]
                if not group.count:
                    del self._groups[key]

    def _group(self, key: tuple[str | None, ...]) -> _Group:
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key = _with_others(key)
        return self._groups.setdefault(key, _Group())

    def groups(self) -> list[dict[str, Any]]:
        """The groups as the receipt shows them: errors first, then by count, each with `count` and `rows`."""
        said = [
            {**dict(zip(_BY, key, strict=True)), "count": one.count, "rows": one.rows}
            for key, one in self._groups.items()
        ]
        return sorted(said, key=lambda g: (g["severity"] != "error", -g["count"], g["code"], g["column"] or ""))


def _with_others(key: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """The group in which values are counted together."""
    code, severity, column, _, expected, _, example = key
    return code, severity, column, "[other values]", expected, "", example

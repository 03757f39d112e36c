"""Judging the columns of a file: which there are, what their cells say, and whether any of them identifies somebody."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl
from polars import selectors as cs

from services.ingest.rules.blocks import Block
from services.ingest.rules.casts import DTYPES, Typed, cleaned, fast, typed
from services.ingest.rules.dates import Written
from services.ingest.rules.declared import BROUGHT_BACK, brought_back, checked_numbers
from services.ingest.rules.faults import WITHHELD, Unreadable
from services.ingest.rules.feeds import Feed, Field
from services.ingest.rules.findings import Findings
from services.ingest.rules.headers import Header, match_header
from services.ingest.rules.identity import identifiable, may_identify, names_a_person, prose
from services.ingest.rules.places import Places

_IDENTIFIABLE = "identifiable-data"
_TEN_DIGITS = 10**9


@dataclass(frozen=True, slots=True)
class Read:
    """The columns of a block that belong to the feed.

    `cells` are the texts by canonical name, `rows` the typed values of every field of the feed, and `unread` says for
    a column with faults in which rows its value could not be read.
    """

    cells: pl.DataFrame
    rows: pl.DataFrame
    unread: Mapping[str, pl.Series]


class Columns:
    """Reads the blocks of one file, in order; remembers what it has told and how dates were written so far."""

    def __init__(self, feed: Feed, places: Places) -> None:
        self._feed, self._places = feed, places
        self._written = {one.name: Written() for one in feed.fields}
        self._told: set[tuple[str, str]] = set()

    def read(self, block: Block, found: Findings) -> Read:
        """Read the next block. Raises Unreadable where not one column belongs to the feed."""
        header = match_header(self._feed, block.frame.columns)
        if not header.columns:
            raise Unreadable("header-not-recognised", f"The {self._feed.title} feed has none of these columns.")
        self._judge_header(header, found)
        self._judge_strangers(block.frame, header, found)
        cells = block.frame.select(pl.col(sent).alias(name) for sent, name in header.columns.items())
        cells = cells if block.tidy else cleaned(cells)
        columns = self._judge_cells(cells, found)
        rows = self._rows(columns, len(found.lines))
        return Read(
            cells, rows, {name: one.code.is_not_null() for name, one in columns.items() if one.code is not None}
        )

    def mixed(self) -> list[str]:
        """The columns whose dates were found, too late, to be written in more than one way."""
        return [name for name, written in self._written.items() if written.too_late]

    # which columns there are

    def _judge_header(self, header: Header, found: Findings) -> None:
        for name in header.unknown:
            self._tell(found, "unknown-column", name)
        for name in header.repeated:
            self._tell(found, "duplicate-column", name)
        for name in header.absent:
            field = self._feed.by_name[name]
            if field.default is not None:
                self._tell(found, "default-used", name, found=field.default, expected=field.expected)
            elif field.required and not self._places.fills(name):
                found.rejected[:] = True
                self._tell(found, "missing-column", name, severity="error", expected=field.expected, hint=field.hint)
            elif field.recommended:
                self._tell(found, "recommended-column", name, expected=field.expected)

    def _tell(self, findings: Findings, code: str, column: str, **said: str) -> None:
        """A fault of the file is told once."""
        if (code, column) not in self._told:
            self._told.add((code, column))
            findings.add_for_file(code, column=column, **said)  # type: ignore[arg-type]

    def _judge_strangers(self, frame: pl.DataFrame, header: Header, found: Findings) -> None:
        """Columns that are not part of the feed must not identify anybody either."""
        for name in (*header.unknown, *header.repeated):
            cells = frame[name]
            guilty = cells.is_not_null() if names_a_person(name) else identifiable(cells)
            found.add(guilty, _IDENTIFIABLE, column=name, found=WITHHELD)
            found.add(prose(cells) & ~guilty, "unexpected-free-text", column=name, found=WITHHELD)

    # what their cells say

    def _judge_cells(self, cells: pl.DataFrame, found: Findings) -> dict[str, Typed]:
        fields = [self._feed.by_name[name] for name in cells.columns]
        values = fast(fields, cells)
        suspect = self._suspect_texts(cells) | self._suspect_numbers(values)
        brought = self._brought_back(cells)
        columns = {}
        for field in fields:
            one = typed(field, cells[field.name], values[field.name], self._written[field.name])
            if field.identifier == "nhs_number":
                one = checked_numbers(one)
            if field.name in brought:
                one = brought_back(field, cells[field.name], one)
            columns[field.name] = self._judge_column(field, cells[field.name], one, found, field.name in suspect)
        return columns

    def _brought_back(self, cells: pl.DataFrame) -> frozenset[str]:
        """The columns of text in which some cell is what we put there ourselves in place of what identifies."""
        names = [name for name in cells.columns if self._feed.by_name[name].type == "text"]
        told = cells.select(pl.col(names).str.contains(BROUGHT_BACK).any()) if names else pl.DataFrame()
        return frozenset(name for name in told.columns if told[name][0])

    def _suspect_texts(self, cells: pl.DataFrame) -> frozenset[str]:
        """The columns of plain text in which some cell may identify somebody."""
        names = [
            n for n in cells.columns if self._feed.by_name[n].type == "text" and not self._feed.by_name[n].identifier
        ]
        told = cells.select(may_identify(pl.col(names)).any()) if names else pl.DataFrame()
        return frozenset(name for name in told.columns if told[name][0])

    def _suspect_numbers(self, values: pl.DataFrame) -> frozenset[str]:
        """The columns of numbers in which some number has as many digits as may identify somebody."""
        highest = values.select(cs.numeric().max())
        return frozenset(name for name in highest.columns if (highest[name][0] or 0) >= _TEN_DIGITS)

    def _judge_column(self, field: Field, cells: pl.Series, one: Typed, found: Findings, suspect: bool) -> Typed:
        """Say what is wrong in the cells of one column; whom they identify is looked for where they are suspect."""
        if field.identifier is None and (suspect or one.code is not None):
            doubted = cells if suspect or one.code is None else cells.set(one.code.is_null(), None)
            guilty = identifiable(doubted, record_ids=field.name in self._feed.key)
            found.add(guilty, _IDENTIFIABLE, column=field.name, found=WITHHELD)
            one = one.but(guilty, _IDENTIFIABLE) if guilty.any() else one
        if one.code is None or one.hint is None:
            return one
        for code in one.code.drop_nulls().unique().sort():
            if code != _IDENTIFIABLE:
                found.add(
                    one.code == code,
                    code,
                    column=field.name,
                    cells=None if field.identifier else cells,
                    found=WITHHELD if field.identifier else None,
                    hint=_or(one.hint, field.hint),
                    expected=field.expected,
                    example=field.example,
                )
        return one

    def _rows(self, columns: Mapping[str, Typed], height: int) -> pl.DataFrame:
        """The typed rows: every field of the feed, with defaults and nulls for absent columns."""
        present = pl.DataFrame([one.values.alias(name) for name, one in columns.items()])
        if not columns:
            present = pl.DataFrame({"": pl.int_range(height, eager=True)})
        usual = _usual(self._feed)
        return present.select(pl.col(name) if name in columns else value for name, value in usual.items())


@lru_cache(maxsize=64)
def _usual(feed: Feed) -> Mapping[str, pl.Expr]:
    """What stands in each column of a feed where it is absent."""
    return {one.name: _of_absent(one).alias(one.name) for one in feed.fields}


def _of_absent(field: Field) -> pl.Expr:
    """The value of a field whose column is absent: its default, read like any other value, or null."""
    if field.default is None:
        return pl.lit(None, dtype=DTYPES[field.type])
    cells = pl.DataFrame({field.name: [field.default]})
    one = typed(field, cells[field.name], fast([field], cells)[field.name], Written())
    return pl.lit(one.values[0], dtype=DTYPES[field.type])


def _or(hint: pl.Series, otherwise: str) -> pl.Series:
    """The hint for a value, or the feed's hint for its column where there is none."""
    return hint.set((hint == "").fill_null(value=True), otherwise)

"""What every format is turned into: frames of text with line numbers, a few megabytes at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from services.ingest.rules.faults import WITHHELD, Unreadable, faults, no_faults, of_the_file
from services.ingest.rules.identity import identifiable

LINE = "line"
MOST_COLUMNS = 1000
"""Each column is looked at for itself, so a file of a million would take hours; no feed has a hundred."""

_MOST_ROWS = 100_000
_MOST_CELLS = 5_000_000
_NUL = "\0"


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file as sent.

    `frame` has one String column for each column of the file (named as sent, blank cells null) and `line` (Int64: the
    line of the file, the row of a JSON array, or the row of a sheet). `faults` (see `faults.FAULTS`) are those found
    while reading; a row with an error among them is in `frame`, padded or cut to fit, so that every row is counted.
    `tidy` says that no cell begins or ends with white space (false where nobody looked).
    """

    frame: pl.DataFrame
    faults: pl.DataFrame
    tidy: bool = False


def block(cells: pl.DataFrame, lines: pl.Series, found: Sequence[pl.DataFrame] = (), *, tidy: bool = False) -> Block:
    """A block from text cells and their lines."""
    empty = [name for name in cells.columns if (cells[name] == "").any()]
    numbers = lines.cast(pl.Int64).alias(LINE).to_frame()
    kept = cells.with_columns(pl.col(empty).replace("", None)) if empty else cells
    told = pl.concat(found) if found else no_faults()
    return Block(kept.hstack(numbers) if kept.width else numbers, told, tidy)


def without_nul(cells: pl.DataFrame, lines: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The cells with U+FFFD for every NUL, which no database keeps as text, and a fault in each row that had one."""
    if not cells.width:
        return cells, no_faults()
    rows = cells.select(pl.any_horizontal(pl.all().str.contains(_NUL, literal=True)))
    guilty = rows.to_series().fill_null(value=False)
    if not guilty.any():
        return cells, no_faults()
    told = faults(lines.filter(guilty), "unreadable-characters", expected="text without NUL characters")
    return cells.with_columns(pl.all().str.replace_all(_NUL, "\ufffd", literal=True)), told


def column_names(header: Sequence[str]) -> tuple[list[str], list[pl.DataFrame]]:
    """Unique column names from a header row: a blank one is `column 4`, a second `falls` is `falls (2)`.

    A cell that identifies somebody (a file without a header) names no column either, and is a fault of the file. Raises
    Unreadable for more than a thousand columns.
    """
    if len(header) > MOST_COLUMNS:
        raise Unreadable("too-many-columns", f"The file has {len(header):,} columns.")
    names: dict[str, None] = {}
    guilty = identifiable(pl.Series(header, dtype=pl.String))
    for place, cell in enumerate(header, start=1):
        name = cell.strip().strip("\ufeff").strip().replace(_NUL, "\ufffd")
        if not name or guilty[place - 1]:
            name = f"column {place}"
        if name == LINE:
            name = "line "
        once, times = name, 1
        while name in names:
            times += 1
            name = f"{once} ({times})"
        names[name] = None
    return [*names], [beside_the_rows()] if guilty.any() else []


def beside_the_rows() -> pl.DataFrame:
    """The fault of a file in which something that is no row identifies somebody."""
    return of_the_file("identifiable-beside-rows", found=WITHHELD)


def rows_at_once(columns: int) -> int:
    """How many rows of so many columns are held together in memory, where the file could have many for few bytes."""
    return max(1, min(_MOST_ROWS, _MOST_CELLS // max(1, columns)))


def portions(one: Block) -> Iterator[Block]:
    """The block in pieces of at most 100,000 rows: two megabytes of the shortest rows would be half a million."""
    if one.frame.height <= _MOST_ROWS:
        yield one
        return
    line = one.faults["line"]
    for at in range(0, one.frame.height, _MOST_ROWS):
        frame = one.frame[at : at + _MOST_ROWS]
        last = at + _MOST_ROWS >= one.frame.height
        below = pl.lit(value=True) if last else line <= frame[LINE][-1]
        above = pl.lit(value=True) if at == 0 else line > one.frame[LINE][at - 1]
        of_file = line.is_null() if at == 0 else pl.lit(value=False)
        yield Block(frame, one.faults.filter(of_file | (line.is_not_null() & below & above)), one.tidy)

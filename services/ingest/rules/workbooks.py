"""Parquet files and XLSX workbooks as blocks of text cells.

Both keep their table of contents at the end, so the whole file (at most 64 MB) is held while it is read.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import chain, islice
from typing import Any

import polars as pl

from services.ingest.rules.blocks import Block, beside_the_rows, block, column_names, rows_at_once, without_nul
from services.ingest.rules.faults import Unreadable, faults
from services.ingest.rules.identity import found_in, identifiable

LARGEST = 64 * 1024 * 1024
_LARGEST_UNPACKED = 8 * LARGEST
_SMALL = 16 * 1024 * 1024
_MOST_TIMES = 100  # sheets shrink ten times, or thirty; what shrinks more was made to
_MOST_ROWS = 50_000_000  # of Parquet, which holds a million that are alike in a kilobyte
_ENCODED = "ARROW:schema"
_LAST_ROW = 1_048_576
_OF_SHEETS = ("xl/worksheets/", "xl/sharedStrings", "xl/styles", "xl/theme/", "[Content_Types]")
_TEXT = re.compile(r'[>"]([^<>"]*[0-9][^<>"]*)(?=[<"])')
_PIECE, _LONGEST_WORD, _TEXTS_AT_ONCE = 1_000_000, 100, 10_000


def parquet_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    """Blocks of a Parquet file; `line` counts rows from 1. Raises Unreadable."""
    data = _whole(chunks, b"PAR1", "not-parquet")
    try:
        table = pl.scan_parquet(io.BytesIO(data))
        schema = table.collect_schema()
        _refuse_nested(schema)
        if (count := table.select(pl.len()).collect().item()) > _MOST_ROWS:
            raise Unreadable("too-large", f"The file has {count:,} rows.", hint="Send the rows in several files.")
        names, found = column_names(schema.names())
        told = pl.read_parquet_metadata(io.BytesIO(data))
        if not found and _identify(text for key, text in told.items() if key != _ENCODED):
            found = [beside_the_rows()]
        cells = table.select(
            _as_text(name, dtype).alias(new) for (name, dtype), new in zip(schema.items(), names, strict=True)
        )
        start, most = 0, rows_at_once(len(names))
        while (frame := cells.slice(start, most).collect()).height:
            lines = pl.int_range(start + 1, start + frame.height + 1, eager=True)
            start += frame.height
            texts, nul = without_nul(frame, lines)
            yield block(texts, lines, [*found, nul])
            found = []
    except Unreadable:
        raise
    except (Exception, pl.exceptions.PanicException) as reason:  # a damaged file may make the reader do anything
        raise Unreadable("not-parquet", "The Parquet file is damaged or was cut off.") from reason
    if start == 0:
        raise Unreadable("header-only", "The file has columns and no rows.")


def _whole(chunks: Iterator[bytes], magic: bytes, code: str) -> bytes:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) > LARGEST:
            raise Unreadable("too-large", "The file is larger than 64 MB.")
    if not held:
        raise Unreadable("empty-file", "The file is empty.")
    if not held.startswith(magic):
        raise Unreadable(code, "The content is not what its Content-Type says.")
    return bytes(held)


def _refuse_nested(schema: pl.Schema) -> None:
    nested = [name for name, kind in schema.items() if kind.is_nested() or kind in (pl.Binary, pl.Object)]
    if nested:
        raise Unreadable("nested-columns", f"{len(nested)} columns hold lists, records or bytes.")


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        mark = "%:z" if kind.time_zone else ""
        return column.dt.to_string(f"%Y-%m-%dT%H:%M:%S{mark}")
    if kind == pl.Date:
        return column.dt.to_string("%Y-%m-%d")
    if kind == pl.Boolean:
        return pl.when(column).then(pl.lit("true")).when(~column).then(pl.lit("false"))
    if kind.is_float():
        whole = (column == column.round(0)) & (column.abs() < 2**53)
        digits = pl.when(whole).then(column).cast(pl.Int64, strict=False).cast(pl.String)
        return pl.coalesce(digits, column.cast(pl.String))
    return column.cast(pl.String)


def xlsx_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    """Blocks of the first sheet that begins like a table; `line` is the row of the sheet. Raises Unreadable."""
    data = _whole(chunks, b"PK", "not-a-workbook")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns about styles and validations it does not know
            yield from _table_blocks(data)
    except Unreadable:
        raise
    except Exception as reason:  # openpyxl and what is under it raise whatever they stumble over
        raise Unreadable("not-a-workbook", "The workbook is damaged or is no XLSX file.") from reason


def _table_blocks(data: bytes) -> Iterator[Block]:
    from openpyxl import load_workbook  # here: who is sent no workbook does not hold what reads them

    others = _text_of_other_parts(data)
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    sheet = _sheet(book)
    rows = ((line, row) for line, row in enumerate(_rows(sheet), start=1) if any(cell is not None for cell in row))
    line, header = next(rows, (0, ()))
    if not header:
        raise Unreadable("empty-file", "The first sheet is empty.")
    width = max(place for place, cell in enumerate(header, start=1) if cell is not None)
    names, found = column_names([_cell(cell) or "" for cell in header[:width]])
    others = chain(others, _text_of(one for one in book.worksheets if one is not sheet))
    if not found and _identify(others):
        found = [beside_the_rows()]
    cut = ((line, *_cut(row, width)) for line, row in rows)
    any_rows = False
    while some := list(islice(cut, rows_at_once(width))):
        any_rows = True
        yield _sheet_block(names, some, found)
        found = []
    if not any_rows:
        raise Unreadable("header-only", "The sheet has column names and no rows.", line=line)


def _cut(row: tuple[Any, ...], width: int) -> tuple[list[str | None], str | None]:
    """The cells of a row below the column names, and what stands beyond them. A row may be 16,384 cells wide."""
    cells = [_cell(cell) for cell in row[:width]]
    beyond = [text for cell in row[width:] if (text := _cell(cell)) is not None]
    return cells + [None] * (width - len(cells)), " ".join(beyond) if beyond else None


def _sheet_block(
    names: list[str], rows: list[tuple[int, list[str | None], str | None]], found: list[pl.DataFrame]
) -> Block:
    frame = pl.DataFrame([cells for _, cells, _ in rows], dict.fromkeys(names, pl.String()), orient="row")
    long = {line: beyond for line, _, beyond in rows if beyond is not None}
    told = [faults(long, "ragged-row", expected=f"{len(names)} cells"), found_in([*long], [*long.values()])]
    return block(frame, pl.Series([line for line, _, _ in rows]), [*found, *told])


def _text_of_other_parts(data: bytes) -> Iterator[str]:
    """What stands in a workbook outside its sheets: comments, properties, tables that pivot tables are made of."""
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        unpacked = sum(part.file_size for part in parts.infolist())
        if unpacked > min(_LARGEST_UNPACKED, max(_SMALL, _MOST_TIMES * len(data))):
            raise Unreadable("too-large", f"The workbook unpacks to {unpacked // 1_000_000:,} MB.")
        names = [one for one in parts.namelist() if one.endswith((".xml", ".vml")) and not one.startswith(_OF_SHEETS)]
    return chain.from_iterable(_texts_in(data, name) for name in names)


def _texts_in(data: bytes, name: str) -> Iterator[str]:
    """The texts and attributes of a part; each piece begins with the end of the one before."""
    end = ""
    with zipfile.ZipFile(io.BytesIO(data)) as parts, parts.open(name) as part:
        while piece := part.read(_PIECE):
            text = end + piece.decode(errors="replace")
            yield from _TEXT.findall(text)
            end = text[-_LONGEST_WORD:]


def _text_of(sheets: Iterator[Any]) -> Iterator[str]:
    for sheet in sheets:
        sheet.reset_dimensions()
        for row in _rows(sheet):
            yield from (text for cell in row if (text := _cell(cell)) is not None)


def _identify(texts: Iterator[str]) -> bool:
    """Whether any of the texts identifies somebody."""
    while some := list(islice(texts, _TEXTS_AT_ONCE)):
        if identifiable(pl.Series(some, dtype=pl.String)).any():
            return True
    return False


def _rows(sheet: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of a sheet from the first, with those left out between them; none beyond the last there can be."""
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(values_only=True, max_row=_LAST_ROW)
    return rows


def _sheet(book: Any) -> Any:
    """The first sheet that begins like a table, with two cells side by side; notes often stand before it."""
    for sheet in book.worksheets:
        sheet.reset_dimensions()
        begun = next((row for row in _rows(sheet) if any(cell is not None for cell in row)), ())
        if sum(cell is not None for cell in begun) > 1:
            return sheet
    return book.worksheets[0]


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)

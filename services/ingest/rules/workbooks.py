"""Parquet files and XLSX workbooks as blocks of text cells.

Both keep their table of contents at the end, so the whole file (at most 64 MB) is held while it is read.
"""

import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import islice
from typing import Any

import openpyxl
import polars as pl

from services.ingest.rules.blocks import Block, block, column_names, without_nul
from services.ingest.rules.faults import Unreadable, faults
from services.ingest.rules.identity import found_in

LARGEST = 64 * 1024 * 1024
_LARGEST_UNPACKED = 8 * LARGEST
_SMALL = 16 * 1024 * 1024
_MOST_TIMES = 100  # sheets shrink ten times, or thirty; what shrinks more was made to
_ROWS = 50_000


def parquet_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    """Blocks of a Parquet file; `line` counts rows from 1. Raises Unreadable."""
    data = _whole(chunks, b"PAR1", "not-parquet")
    try:
        table = pl.scan_parquet(io.BytesIO(data))
        schema = table.collect_schema()
        _refuse_nested(schema)
        names = column_names(schema.names())
        cells = table.select(
            _as_text(name, dtype).alias(new) for (name, dtype), new in zip(schema.items(), names, strict=True)
        )
        start = 0
        while (frame := cells.slice(start, _ROWS).collect()).height:
            lines = pl.int_range(start + 1, start + frame.height + 1, eager=True)
            start += frame.height
            texts, nul = without_nul(frame, lines)
            yield block(texts, lines, [nul])
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
    rows = _sheet_rows(data)
    line, header = next(((n, row) for n, row in rows if any(cell is not None for cell in row)), (0, ()))
    if not header:
        raise Unreadable("empty-file", "The first sheet is empty.")
    width = max(place for place, cell in enumerate(header, start=1) if cell is not None)
    names = column_names([_cell(cell) or "" for cell in header[:width]])
    any_rows = False
    while some := list(islice(rows, _ROWS)):
        lines = [n for n, row in some if any(cell is not None for cell in row)]
        cells = [row for _, row in some if any(cell is not None for cell in row)]
        if lines:
            any_rows = True
            yield _sheet_block(names, lines, cells)
    if not any_rows:
        raise Unreadable("header-only", "The sheet has column names and no rows.", line=line)


def _sheet_block(names: list[str], lines: list[int], cells: list[tuple[Any, ...]]) -> Block:
    width = len(names)
    texts = [[_cell(cell) for cell in (*row[:width], *[None] * (width - len(row)))] for row in cells]
    frame = pl.DataFrame(texts, dict.fromkeys(names, pl.String()), orient="row")
    long = [n for n, row in zip(lines, cells, strict=True) if any(cell is not None for cell in row[width:])]
    beyond = [" ".join(_cell(cell) or "" for cell in row[width:]) for row in cells]
    found = [faults(long, "ragged-row", expected=f"{width} cells"), found_in(lines, beyond)]
    return block(frame, pl.Series(lines), found)


def _sheet_rows(data: bytes) -> Iterator[tuple[int, tuple[Any, ...]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
        if unpacked > min(_LARGEST_UNPACKED, max(_SMALL, _MOST_TIMES * len(data))):
            raise Unreadable("too-large", f"The workbook unpacks to {unpacked // 1_000_000:,} MB.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns about styles and validations it does not know
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            yield from enumerate(_sheet(book).iter_rows(values_only=True), start=1)
    except Unreadable:
        raise
    except Exception as reason:  # openpyxl and what is under it raise whatever they stumble over
        raise Unreadable("not-a-workbook", "The workbook is damaged or is no XLSX file.") from reason


def _sheet(book: openpyxl.Workbook) -> Any:
    """The first sheet that begins like a table, with two cells side by side; notes often stand before it."""
    for sheet in book.worksheets:
        sheet.reset_dimensions()
        begun = next((row for row in sheet.iter_rows(values_only=True) if any(cell is not None for cell in row)), ())
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

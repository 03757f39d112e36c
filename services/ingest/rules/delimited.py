"""CSV, as it comes from hospitals and spreadsheets, in blocks of about 2 MB cut at the ends of records.

Well-formed blocks go to polars as they are. Where a quotation mark stands inside an unquoted cell the rest of the
file is read by the standard library's more patient reader, with the same result for what is well formed.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import polars as pl

from services.ingest.rules.blocks import LINE, Block, beside_the_rows, block, column_names
from services.ingest.rules.encodings import LONGEST_ROW, as_text, mended
from services.ingest.rules.faults import Unreadable, faults, of_the_file
from services.ingest.rules.identity import found_in, identifiable

_NEWLINE, _RETURN, _SPACE, _QUOTE = 10, 13, 32, 34
_PATIENT_ROWS = 50_000
_END = "\0"  # which text never holds
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def csv_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    """Blocks of a CSV file. Raises Unreadable for what is no CSV file (also after some blocks)."""
    pieces, encoding = as_text(chunks)
    pieces = _with_newlines(pieces)
    first = next(pieces, b"")
    header = _header(first)
    notes = header.notes + ([of_the_file("utf-16")] if encoding == "utf-16" else [])
    reader = _Reader(header.columns, header.delimiter, header.lines + 1)
    rows = False
    for one in reader.blocks(chain([first[header.size :]], pieces)):
        rows = rows or not one.frame.is_empty()
        yield Block(one.frame, pl.concat([*notes, one.faults]), one.tidy)
        notes = []
    if not rows:
        raise Unreadable("header-only", "The file has column names and no rows.", line=header.lines)


def _with_newlines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Old spreadsheets end lines with a carriage return alone."""
    first = next(pieces, b"")
    if b"\n" in first or b"\r" not in first[:-1]:
        return chain([first], pieces)
    return (piece.replace(b"\r", b"\n") for piece in chain([first], pieces))


class _Header(NamedTuple):
    columns: list[str]
    delimiter: str
    lines: int
    size: int
    notes: list[pl.DataFrame]


def _header(first: bytes) -> _Header:
    """Find the first line that is neither blank nor a comment, and what separates its cells."""
    lines = mended(first)[0].split(b"\n")
    passed = 0
    while passed < len(lines) and (not lines[passed].strip(b' ,;\t\r"') or lines[passed].lstrip(b'"').startswith(b"#")):
        passed += 1
    if passed == len(lines):
        raise Unreadable("empty-file", "The file has no column names and no rows.")
    delimiter = _delimiter(lines[passed].decode())
    reader = csv.reader((f"{line.decode()}\n" for line in lines[passed:]), delimiter=delimiter)
    try:
        cells = next(reader)
    except csv.Error as reason:
        raise Unreadable("row-too-long", "The header does not end.", line=passed + 1) from reason
    taken = passed + reader.line_num
    before = [line.decode() for line in lines[:passed]]
    notes = [of_the_file("comment-lines", found=f"{passed} lines")] if any(n.strip() for n in before) else []
    if before and identifiable(pl.Series(before, dtype=pl.String)).any():
        notes.append(beside_the_rows())
    if delimiter != ",":
        notes.append(of_the_file("other-delimiter", found=_DELIMITERS[delimiter], expected="commas"))
    names, guilty = column_names(cells)
    return _Header(names, delimiter, taken, _size(first, taken), notes + guilty)


def _size(data: bytes, lines: int) -> int:
    """How many bytes the first so many lines take up."""
    at = 0
    for _ in range(lines):
        at = data.find(b"\n", at) + 1
        if at == 0:
            return len(data)
    return at


def _delimiter(line: str) -> str:
    """The comma if the header has one; otherwise whichever of the others it has most of."""
    if "," in line:
        return ","
    best = max(_DELIMITERS, key=line.count)
    return best if best in line else ","


@dataclass(slots=True)
class _Layout:
    """Where the records of a block begin and end, and how many delimiters each has (outside quotation marks)."""

    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    lines: np.ndarray
    newlines: int
    well_formed: bool


@dataclass(slots=True)
class _Reader:
    columns: list[str]
    delimiter: str
    line: int
    warned: bool = False

    def blocks(self, pieces: Iterator[bytes]) -> Iterator[Block]:
        held = b""
        for piece in pieces:
            data = held + piece
            cut = self._cut(data)
            if cut is None:
                yield from self._patiently(chain([data], pieces))
                return
            if cut:
                yield self._block(data[:cut])
            held = data[cut:]
            if len(held) > LONGEST_ROW:
                raise Unreadable("row-too-long", "This row has no end within 4 MB.", line=self.line)
        if held.strip(b"\r\n"):
            yield from self._last(held)

    def _cut(self, data: bytes) -> int | None:
        """Where the last whole record ends; None where quotation marks are not well formed up to there."""
        if b'"' not in data:
            return data.rfind(b"\n") + 1
        layout = _layout(data, ord(self.delimiter), self.line)
        if not layout.well_formed:
            return None
        return int(layout.ends[-1]) + 1 if len(layout.ends) else 0

    def _last(self, held: bytes) -> Iterator[Block]:
        """What follows the last line end: the last record, unless a quotation mark was never closed."""
        data = held if held.endswith(b"\n") else held + b"\n"
        cut = self._cut(data)
        if cut is None:
            yield from self._patiently(iter([data]))
        elif cut < len(data):
            raise Unreadable("quote-not-closed", "A quotation mark opens in this row and never closes.", line=self.line)
        else:
            yield self._block(data)

    def _block(self, sent: bytes) -> Block:
        data, odd_line = mended(sent)
        layout = _layout(data, ord(self.delimiter), self.line)
        octets = np.frombuffer(data, np.uint8)
        lengths = layout.ends - layout.starts
        empty = (lengths == 0) | ((lengths == 1) & (octets[layout.starts] == _RETURN))
        regular = (layout.counts == len(self.columns) - 1) & ~empty
        whole = data if regular.all() else octets[np.repeat(regular, lengths + 1)].tobytes()
        cells = self._parse(whole)
        if cells.height != int(regular.sum()):
            return _joined(list(self._patiently(iter([sent]))))
        frame = cells.with_columns(pl.Series(LINE, layout.lines[regular], pl.Int64))
        ragged = np.flatnonzero(~regular & ~empty)
        found = self._encoding_notes(frame, odd_line)
        if len(ragged):
            rows = [self._cells(data[layout.starts[one] : layout.ends[one]].decode()) for one in ragged]
            padded, fault = self._ragged(rows, layout.lines[ragged].tolist())
            frame = pl.concat([frame, padded]).sort(LINE)
            found.append(fault)
        self.line += layout.newlines
        return _without_blank_rows(frame, found, tidy=_tidy(data, layout.newlines))

    def _cells(self, record: str) -> list[str]:
        return next(csv.reader([record.rstrip("\r").replace("\r", " ")], delimiter=self.delimiter), [])

    def _parse(self, data: bytes) -> pl.DataFrame:
        schema = dict.fromkeys(self.columns, pl.String())
        if not data:
            return pl.DataFrame(schema=schema)
        return pl.read_csv(data, has_header=False, schema=schema, separator=self.delimiter, quote_char='"')

    def _encoding_notes(self, frame: pl.DataFrame, odd_line: int | None) -> list[pl.DataFrame]:
        if odd_line is None:
            return []
        found = []
        if not self.warned:
            found.append(faults([self.line + odd_line], "windows-1252", severity="warning", expected="UTF-8"))
            self.warned = True
        unread = frame.filter(pl.any_horizontal(pl.col(self.columns).str.contains("\ufffd", literal=True)))
        return [*found, faults(unread[LINE], "unreadable-characters", expected="UTF-8 text")]

    def _ragged(self, rows: list[list[str]], lines: list[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows with too few or too many cells, padded or cut to fit, and a fault for each."""
        width = len(self.columns)
        cells = [[*row[:width], *[None] * (width - len(row))] for row in rows]
        schema = {**dict.fromkeys(self.columns, pl.String()), LINE: pl.Int64()}
        frame = pl.DataFrame([[*row, line] for row, line in zip(cells, lines, strict=True)], schema, orient="row")
        found = pl.Series([f"{len(row)} cells" for row in rows], dtype=pl.String)
        beyond = [" ".join(row[width:]) for row in rows]
        told = faults(lines, "ragged-row", found=found, expected=f"{width} cells")
        return frame, pl.concat([told, found_in(lines, beyond)])

    def _patiently(self, pieces: Iterator[bytes]) -> Iterator[Block]:
        """The rest of the file record by record."""
        read = _PatientLines(pieces)
        reader = csv.reader(read, delimiter=self.delimiter)
        begun, ahead = self.line, self._records(reader)
        while records := list(islice(ahead, _PATIENT_ROWS)):
            lines = [begun + at for at, _ in records]
            rows = [row for _, row in records]
            fits = [len(row) == len(self.columns) for row in rows]
            frame, fault = self._ragged(rows, lines)
            found = self._encoding_notes(frame, read.odd_line)
            odd = pl.Series(lines).filter(~pl.Series(fits))
            yield _without_blank_rows(frame, [*found, fault.filter(pl.col(LINE).is_in(odd.implode()))])
        self.line = begun + reader.line_num - 1

    def _records(self, reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
        """Each record with how many lines went before it. Raises Unreadable where one takes in the end of the file."""
        before = 0
        try:
            for row in reader:
                if row == [_END]:
                    return
                if row and _END in row[-1]:
                    message = "A quotation mark opens in this row and never closes."
                    raise Unreadable("quote-not-closed", message, line=self.line + before)
                if row:
                    yield before, row
                before = reader.line_num  # type: ignore[attr-defined]
        except csv.Error as reason:
            message = "A cell is longer than 128 KB."
            raise Unreadable("row-too-long", message, line=self.line + before) from reason


class _PatientLines:
    """Lines of text from pieces of bytes, and a last one that says so; remembers the first that was not UTF-8."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._lines = self._split(pieces)
        self._index = -1
        self.odd_line: int | None = None

    def __iter__(self) -> "_PatientLines":
        return self

    def __next__(self) -> str:
        line, odd = mended(next(self._lines))
        self._index += 1
        if odd is not None and self.odd_line is None:
            self.odd_line = self._index
        return line.decode().rstrip("\r\n").replace("\r", " ") + "\n"

    @staticmethod
    def _split(pieces: Iterator[bytes]) -> Iterator[bytes]:
        held = b""
        for piece in pieces:
            *whole, held = (held + piece).split(b"\n")
            yield from (line + b"\n" for line in whole)
            if len(held) > LONGEST_ROW:
                raise Unreadable("row-too-long", "A line is longer than 4 MB.")
        if held:
            yield held + b"\n"
        yield _END.encode()


def _layout(data: bytes, delimiter: int, line: int) -> _Layout:
    octets = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(octets == _NEWLINE)
    delimiters = np.flatnonzero(octets == delimiter)
    ends, well_formed = newlines, True
    if b'"' in data:
        quotes = np.flatnonzero(octets == _QUOTE)
        ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        delimiters = delimiters[np.searchsorted(quotes, delimiters) % 2 == 0]
        well_formed = _well_formed(octets, quotes, delimiter)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lines = line + (np.arange(len(ends)) if ends is newlines else np.searchsorted(newlines, starts))
    return _Layout(starts, ends, _counts(starts, ends, delimiters), lines, len(newlines), well_formed)


def _counts(starts: np.ndarray, ends: np.ndarray, delimiters: np.ndarray) -> np.ndarray:
    """How many delimiters lie between each start and its end."""
    each = len(delimiters) // max(1, len(ends))
    if each and each * len(ends) == len(delimiters):
        table = delimiters.reshape(-1, each)
        if (table[:, 0] >= starts).all() and (table[:, -1] < ends).all():
            return np.full(len(ends), each)
    return np.diff(np.searchsorted(delimiters, ends), prepend=0)


def _well_formed(octets: np.ndarray, quotes: np.ndarray, delimiter: int) -> bool:
    """Whether cells in quotation marks begin and end beside a delimiter or a line end (or a doubled mark)."""
    opening, closing = quotes[::2], quotes[1::2]
    before = np.where(opening > 0, octets[opening - 1], _NEWLINE)
    after, next_after = (octets[np.minimum(closing + n, len(octets) - 1)] for n in (1, 2))
    opens = np.isin(before, (delimiter, _NEWLINE, _QUOTE))
    ends_line = (after == _RETURN) & (next_after == _NEWLINE)
    closes = np.isin(after, (delimiter, _NEWLINE, _QUOTE)) | ends_line
    return bool(opens.all() and closes.all())


def _joined(blocks: list[Block]) -> Block:
    return Block(pl.concat([one.frame for one in blocks]), pl.concat([one.faults for one in blocks]))


def _tidy(data: bytes, newlines: int) -> bool:
    """Whether there is no white space at all but line ends."""
    if not data.isascii():
        return False
    returns = data.count(b"\r\n") if b"\r" in data else 0
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) <= _SPACE)) == newlines + returns


def _without_blank_rows(frame: pl.DataFrame, found: list[pl.DataFrame], *, tidy: bool = False) -> Block:
    """Spreadsheets leave rows of nothing but commas behind; they are passed over, with a warning each."""
    cells = frame[:, :-1]
    if not cells.width or not (frame[:, 0].is_null() | (frame[:, 0] == "")).any():
        return block(cells, frame[LINE], found, tidy=tidy)
    blank = cells.select(pl.all_horizontal(pl.all().is_null() | (pl.all() == ""))).to_series()
    if blank.any():
        found = [*found, faults(frame[LINE].filter(blank), "blank-row", severity="warning")]
        frame = frame.filter(~blank)
        gone = pl.concat(found)
        ragged_blank = (gone["code"] == "ragged-row") & ~gone["line"].is_in(frame[LINE].implode())
        found = [gone.filter(~ragged_blank)]
    return block(frame[:, :-1], frame[LINE], found, tidy=tidy)

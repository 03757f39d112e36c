"""JSON arrays and NDJSON as blocks of text cells, read as they arrive."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import polars as pl

from services.ingest.rules.blocks import Block, block, column_names, rows_at_once, without_nul
from services.ingest.rules.encodings import LONGEST_ROW, as_text
from services.ingest.rules.faults import Unreadable, faults
from services.ingest.rules.identity import found_in

_SPACE = b" \t\r\n"
_ENCODE = msgspec.json.Encoder()
_DECODE = msgspec.json.Decoder()


def json_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    """Blocks of a JSON array of row objects (or of one object). `line` counts rows from 1. Raises Unreadable."""
    pieces, _ = as_text(chunks)
    first = next(pieces, b"").lstrip(_SPACE)
    if not first:
        raise Unreadable("empty-file", "The file is empty.")
    columns = _Columns()
    if first.startswith(b"{"):
        yield from columns.blocks([_only(chain([first], pieces))], [1])
        return
    if not first.startswith(b"["):
        raise Unreadable("not-json", "The file begins like neither an array nor an object.", line=1)
    count = 0
    for rows in _elements(chain([first[1:]], pieces)):
        yield from columns.blocks(rows, range(count + 1, count + len(rows) + 1))
        count += len(rows)
    if count == 0:
        raise Unreadable("header-only", "The array has no rows.")


def _only(pieces: Iterable[bytes]) -> object:
    data = b""
    for piece in pieces:
        data += piece
        if len(data) > LONGEST_ROW:
            raise Unreadable("row-too-long", "One object is longer than 4 MB.", line=1)
    return _decoded(data, 1)


def _elements(pieces: Iterator[bytes]) -> Iterator[list[Any]]:
    """The elements of an array whose opening bracket was taken off, some at a time."""
    held, count, ended = b"", 0, False
    for piece in pieces:
        data = held + piece
        if not ended:
            cut, ended = _cut(data)
            rows = _part(data[:cut].strip(_SPACE), count)
            count += len(rows)
            if rows:
                yield rows
            data = data[cut + 1 :] if ended else data[cut:]
        if ended and data.strip(_SPACE):
            raise Unreadable("not-json", "Something follows the end of the array.", line=count)
        if len(data) > LONGEST_ROW:
            raise Unreadable("row-too-long", "This row has no end within 4 MB.", line=count + 1)
        held = data
    if not ended:
        raise Unreadable("cut-off", "The array has no end.", line=count + 1)


def _part(text: bytes, before: int) -> list[Any]:
    """Some whole elements; those that are not the first of the array begin with a comma."""
    if before and text:
        if not text.startswith(b","):
            raise Unreadable("not-json", "A comma is missing between two rows.", line=before + 1)
        text = text[1:].strip(_SPACE) or b","
    rows: list[Any] = _decoded(b"[" + text + b"]", before + 1)
    return rows


def _cut(data: bytes) -> tuple[int, bool]:
    """Where the last whole element ends (or the array does, and that it does) in what follows its opening bracket."""
    octets = np.frombuffer(data, np.uint8)
    opens = np.flatnonzero((octets == ord("{")) | (octets == ord("[")))
    closes = np.flatnonzero((octets == ord("}")) | (octets == ord("]")))
    quotes = np.flatnonzero(octets == ord('"'))
    if b"\\" in data:
        quotes = quotes[~_escaped(octets, quotes)]
    opens = opens[np.searchsorted(quotes, opens) % 2 == 0]
    closes = closes[np.searchsorted(quotes, closes) % 2 == 0]
    depth = np.searchsorted(opens, closes) - np.arange(1, len(closes) + 1)
    beyond = np.flatnonzero(depth < 0)
    if len(beyond):
        return int(closes[beyond[0]]), True
    whole = np.flatnonzero(depth == 0)
    return (int(closes[whole[-1]]) + 1 if len(whole) else 0), False


def _escaped(octets: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Which places follow an odd number of backslashes."""
    others = np.flatnonzero(octets != ord("\\"))
    before = np.searchsorted(others, places) - 1
    last_other = np.where(before >= 0, others[before], -1)
    odd: np.ndarray = (places - last_other - 1) % 2 == 1
    return odd


def _decoded(data: bytes, line: int) -> Any:
    try:
        return _DECODE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as reason:
        raise Unreadable("not-json", f"The JSON is not valid in or after row {line}.", line=line) from reason


def ndjson_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    """Blocks of newline-delimited JSON objects; a line that is no object is a fault of that line alone.

    Raises Unreadable: `cut-off` where the last line has no end and is no JSON, `header-only` where no line has a row.
    """
    pieces, _ = as_text(chunks)
    columns, line, any_rows = _Columns(), 1, False
    for text, last in _whole_lines(pieces):
        lines = text.split(b"\n")
        rows, numbers = _rows(lines, line)
        if last and rows and isinstance(rows[-1], _Broken) and not text.endswith(b"\n"):
            raise Unreadable("cut-off", "The last line ends in the middle of a row.", line=numbers[-1])
        line += len(lines) - 1
        if rows:
            any_rows = True
            yield from columns.blocks(rows, numbers)
    if not any_rows:
        raise Unreadable("header-only", "The file has no rows.")


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    held, line = b"", 1
    for piece in pieces:
        data = held + piece
        cut = data.rfind(b"\n") + 1
        if cut:
            yield data[:cut], False
            line += data.count(b"\n")
        held = data[cut:]
        if len(held) > LONGEST_ROW:
            raise Unreadable("row-too-long", "This line has no end within 4 MB.", line=line)
    if held.strip(_SPACE):
        yield held, True


@dataclass(frozen=True, slots=True)
class _Broken:
    """A line that is not JSON."""

    text: str


def _rows(lines: Sequence[bytes], first: int) -> tuple[list[Any], list[int]]:
    rows, numbers = [], []
    for number, text in enumerate(lines, start=first):
        if text.strip(_SPACE):
            rows.append(_row(text))
            numbers.append(number)
    return rows, numbers


def _row(text: bytes) -> Any:
    try:
        return _DECODE.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Broken(text.decode(errors="replace"))


@dataclass(slots=True)
class _Columns:
    """The columns seen so far: keys in order of appearance, each with its unique name."""

    keys: dict[str, str] = field(default_factory=dict)

    def blocks(self, rows: Sequence[Any], lines: Sequence[int]) -> Iterator[Block]:
        """Rows of any JSON as text cells, so many at once as make a few million cells; what is no object, or holds no
        plain value, is a fault."""
        keys = dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row)
        new = [key for key in keys if key not in self.keys]
        guilty: list[pl.DataFrame] = []
        if new:
            names, guilty = column_names([*self.keys.values(), *new])
            self.keys.update(zip(new, names[len(self.keys) :], strict=True))
        most = rows_at_once(len(self.keys))
        for at in range(0, len(rows), most):
            yield self._block(rows[at : at + most], lines[at : at + most], guilty)
            guilty = []

    def _block(self, rows: Sequence[Any], lines: Sequence[int], found: list[pl.DataFrame]) -> Block:
        numbers = pl.Series("line", list(lines), pl.Int64)
        cells: dict[str, list[str | None]] = {key: [None] * len(rows) for key in self.keys}
        nested: dict[str, list[int]] = {}
        for at, row in enumerate(rows):
            for key, value in row.items() if isinstance(row, dict) else ():
                cells[key][at] = _text(value)
                if isinstance(value, (dict, list)):
                    nested.setdefault(key, []).append(lines[at])
        told = [*found, *_strange(rows, numbers)]
        told += [
            faults(nested[key], "nested-value", column=name, expected="a plain value")
            for key, name in self.keys.items()
            if key in nested
        ]
        frame = pl.DataFrame(
            {name: cells[key] for key, name in self.keys.items()}, dict.fromkeys(self.keys.values(), pl.String())
        )
        texts, nul = without_nul(frame, numbers)
        return block(texts, numbers, [*told, nul])


def _strange(rows: Sequence[Any], numbers: pl.Series) -> list[pl.DataFrame]:
    """Faults of rows that are no objects, and of what they identify."""
    odd = [row for row in rows if not isinstance(row, dict)]
    if not odd:
        return []
    broken = _lines(numbers, [isinstance(row, _Broken) for row in rows])
    others = _lines(numbers, [not isinstance(row, dict | _Broken) for row in rows])
    both = _lines(numbers, [not isinstance(row, dict) for row in rows])
    texts = [row.text if isinstance(row, _Broken) else _text(row) or "" for row in odd]
    return [
        faults(broken, "invalid-json-row", expected="a JSON object"),
        faults(others, "not-an-object", expected="a JSON object"),
        found_in(both.to_list(), texts),
    ]


def _lines(numbers: pl.Series, chosen: list[bool]) -> pl.Series:
    return numbers.filter(pl.Series(chosen, dtype=pl.Boolean))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else _ENCODE.encode(value).decode()

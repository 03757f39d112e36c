"""Bytes to UTF-8: byte-order marks, UTF-16, and text that was saved as Windows-1252."""

import codecs
from collections.abc import Iterator
from itertools import chain

from services.ingest.rules.faults import Unreadable

LONGEST_ROW = 4 * 1024 * 1024
_PIECE = 3 * 512 * 1024  # larger ones are read a little faster and take more memory by far

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_MAGIC = {
    b"PK\x03\x04": "an XLSX workbook or a zip file",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\xd0\xcf\x11\xe0": "an old .xls workbook",
    b"%PDF": "a PDF",
}


def rechunked(chunks: Iterator[bytes], size: int = _PIECE) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size` (the last may be shorter), whatever pieces they came in."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def as_text(chunks: Iterator[bytes]) -> tuple[Iterator[bytes], str]:
    """Pieces of 2 MB without byte-order mark, and the encoding: `utf-8` (or what looks like it) or `utf-16`.

    Raises Unreadable: `empty-file`, `wrong-format` (a known binary format), `not-text` (NUL bytes).
    """
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= 4:
            break
    if not first:
        raise Unreadable("empty-file", "The file is empty.")
    for magic, what in _MAGIC.items():
        if first.startswith(magic):
            raise Unreadable("wrong-format", f"The content is {what}, which its Content-Type does not say.")
    whole = chain([first], chunks)
    for mark, encoding in _UTF16.items():
        if first.startswith(mark):
            return _only_text(rechunked(_transcoded(whole, encoding))), "utf-16"
    return _only_text(rechunked(_without_mark(whole))), "utf-8"


def _without_mark(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield next(chunks).removeprefix(codecs.BOM_UTF8)
    yield from chunks


def _transcoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).removeprefix("\ufeff").encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as reason:
        raise Unreadable("not-text", "The file begins like UTF-16 and does not go on like it.") from reason


def _only_text(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if b"\0" in piece:
            raise Unreadable("not-text", "The file holds NUL bytes, which text never does.")
        yield piece


def mended(data: bytes) -> tuple[bytes, int | None]:
    """UTF-8 for whole lines of text, and the index of the first line that was not UTF-8 (None if all were).

    Lines that are not UTF-8 are read as Windows-1252, each for itself, so files that mix both come out right; a byte
    that Windows-1252 does not know becomes U+FFFD.
    """
    if data.isascii():
        return data, None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as reason:
        first = data.count(b"\n", 0, reason.start)
        return b"\n".join(_line(line) for line in data.split(b"\n")), first
    return data, None


def _line(line: bytes) -> bytes:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace").encode()
    return line

"""Undoing Content-Encoding as the bytes arrive, without ever holding more than a few megabytes."""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import zstandard

from services.ingest.rules.faults import Unreadable

LARGEST_UNPACKED = 4_000_000_000
"""Bytes: what a few megabytes can grow to would keep us busy for days."""
_GZIP_PIECE = 16 * 1024  # grows at most 1,032 times
_ZSTD_PIECE = 1024  # grows at most 32,768 times


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def decompressed(chunks: Iterator[bytes], encoding: str | None) -> Iterator[bytes]:
    """The bytes behind `gzip`, `zstd` or `identity` (also None). Several members or frames in a row are read as one.

    Raises Unreadable (`unknown-compression`, `broken-compression`, `too-large`).
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return (chunk for chunk in chunks if chunk)
    if name not in _INFLATERS:
        raise Unreadable("unknown-compression", f"Content-Encoding {name!r} is not known.")
    start, piece = _INFLATERS[name]
    return _inflated(chunks, name, start, piece)


def _inflated(chunks: Iterator[bytes], name: str, start: Callable[[], _Inflater], piece: int) -> Iterator[bytes]:
    inflater, begun, grown = start(), False, 0
    try:
        for small in _pieces(chunks, piece):
            rest = small
            while rest:
                if inflater.eof:
                    inflater = start()
                out, begun = inflater.decompress(rest), True
                rest = inflater.unused_data if inflater.eof else b""
                grown += len(out)
                if grown > LARGEST_UNPACKED:
                    unpacked = f"The {name} data unpacks to more than {LARGEST_UNPACKED // 1_000_000:,} MB."
                    raise Unreadable("too-large", unpacked, hint="Send the rows in several files.")
                if out:
                    yield out
    except (zlib.error, zstandard.ZstdError) as reason:
        raise Unreadable("broken-compression", f"The {name} data is damaged.") from reason
    if begun and not inflater.eof:
        raise Unreadable("broken-compression", f"The {name} data was cut off before its end.")


def _pieces(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), size):
            yield chunk[at : at + size]


def _zstd() -> _Inflater:
    return zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()


_INFLATERS: dict[str, tuple[Callable[[], _Inflater], int]] = {
    "gzip": (lambda: zlib.decompressobj(wbits=31), _GZIP_PIECE),
    "x-gzip": (lambda: zlib.decompressobj(wbits=31), _GZIP_PIECE),
    "zstd": (_zstd, _ZSTD_PIECE),
}

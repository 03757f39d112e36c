"""Bytes put aside piece by piece while a file is dealt with, so that memory stays bounded however much is kept."""

import tempfile
import weakref
from collections.abc import Iterator

_IN_MEMORY = 4_000_000


class Pieces:
    """Pieces in the order they came: in memory while they are few, in an unnamed temporary file beyond."""

    def __init__(self) -> None:
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._spool.close)
        self._sizes: list[int] = []

    def add(self, piece: bytes) -> None:
        """Put one aside."""
        self._spool.write(piece)
        self._sizes.append(len(piece))

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[bytes]:
        """The pieces from the first; nothing may be added meanwhile."""
        self._spool.seek(0)
        for size in self._sizes:
            yield self._spool.read(size)
        self._spool.seek(0, 2)

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
        self._ends = [0]

    def add(self, piece: bytes) -> int:
        """Put one aside; its number, counted from 0."""
        self._spool.write(piece)
        self._ends.append(self._ends[-1] + len(piece))
        return len(self) - 1

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> bytes:
        """One of them by its number. Raises IndexError."""
        start, end = self._ends[number], self._ends[number + 1]
        self._spool.seek(start)
        piece = self._spool.read(end - start)
        self._spool.seek(0, 2)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        """The pieces from the first."""
        return (self[number] for number in range(len(self)))

"""What a sender sent, however it came."""

from collections.abc import Iterator
from typing import IO

_CHUNK = 1 << 20


class Body:
    """What was sent: its bytes (as sent, perhaps compressed), their SHA-256 and their number.

    The spool is an unnamed temporary file once it outgrows memory: it is gone when the request is, or the process.
    """

    def __init__(self, spool: IO[bytes], sha256: str, size: int) -> None:
        self._spool, self.sha256, self.size = spool, sha256, size

    def chunks(self) -> Iterator[bytes]:
        """The bytes from the beginning, in pieces of up to a megabyte."""
        self._spool.seek(0)
        while chunk := self._spool.read(_CHUNK):
            yield chunk

"""Making pseudonyms of one block while the next is being read and judged.

Hashing holds the interpreter and polars does not, so that a large file has the use of two cores; the rows keep their
order, and no more than two blocks are in hand.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import polars as pl

from services.ingest.rules.feeds import Feed
from services.ingest.rules.pseudonyms import pseudonymise
from services.ingest.settings import IngestSettings

_FEW = 2_000  # rows that take less time than starting a thread
_IN_HAND = 2


class Sealing:
    """Takes typed rows of a file block by block and hands them on, in order, without identifiers."""

    def __init__(self, feed: Feed, settings: IngestSettings, then: Callable[[pl.DataFrame], None]) -> None:
        self._feed, self._then = feed, then
        self._key = settings.pseudonym_key.get_secret_value()
        self._version = settings.pseudonym_key_version
        self._beside = ThreadPoolExecutor(max_workers=1)
        self._in_hand: deque[Future[pl.DataFrame]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, reason: BaseException | None, where: TracebackType | None
    ) -> None:
        """Hand on what is still in hand, unless the file turned out to be unreadable."""
        try:
            while self._in_hand and kind is None:
                self._hand_on()
        finally:
            self._beside.shutdown(cancel_futures=True)

    def add(self, rows: pl.DataFrame) -> None:
        """Take the rows of the next block."""
        if rows.height <= _FEW and not self._in_hand:
            self._then(self.sealed(rows))
            return
        self._in_hand.append(self._beside.submit(self.sealed, rows))
        if len(self._in_hand) >= _IN_HAND:
            self._hand_on()

    def sealed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows without identifiers, at once."""
        return pseudonymise(rows, self._feed, self._key, self._version)

    def _hand_on(self) -> None:
        self._then(self._in_hand.popleft().result())

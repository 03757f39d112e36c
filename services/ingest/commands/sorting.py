"""Good rows on their way from blocks of a file to returns, in bounded memory.

A small file is kept as it is and landed in one go. A large one is dealt into buckets, each a set of whole returns,
and rests compressed until its bucket is landed.
"""

import io
from collections.abc import Iterator

import polars as pl

from services.ingest.rules.places import ORGANISATION, PERIOD

_LARGE = 250_000
_BUCKETS = 32


class Sorter:
    """Takes frames of accepted rows; gives them back in buckets that hold every row of the returns in them."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self._rows = 0
        self._buckets: dict[int, list[bytes]] = {}
        self._returns: list[pl.DataFrame] = []

    def add(self, accepted: pl.DataFrame) -> None:
        """Take the accepted rows of one block."""
        if not accepted.height:
            return
        self._returns.append(accepted.select(ORGANISATION, PERIOD).unique())
        self._frames.append(accepted)
        self._rows += accepted.height
        if self._rows > _LARGE:
            self._deal()

    def returns(self) -> list[tuple[str, str]]:
        """The organisation and period of every return there are rows for, in order."""
        if not self._returns:
            return []
        every = pl.concat(self._returns).unique().sort(ORGANISATION, PERIOD)
        return list(every.iter_rows())

    def buckets(self) -> Iterator[pl.DataFrame]:
        """The rows, bucket by bucket; in the order they came within each."""
        if not self._buckets:
            if self._frames:
                yield pl.concat(self._frames)
            return
        self._deal()
        for number in sorted(self._buckets):
            yield pl.concat([pl.read_ipc(io.BytesIO(one)) for one in self._buckets.pop(number)])

    def _deal(self) -> None:
        for frame in self._frames:
            number = pl.concat_str(ORGANISATION, PERIOD, separator="/").hash(7) % _BUCKETS
            for (bucket,), rows in (
                frame.with_columns(number.alias("_bucket"))
                .partition_by("_bucket", as_dict=True, include_key=False)
                .items()
            ):
                self._buckets.setdefault(int(bucket), []).append(_packed(rows))
        self._frames.clear()


def _packed(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()

"""Good rows on their way from blocks of a file to returns, in bounded memory.

A small file is kept as it is and landed in one go. A large one is dealt into buckets, each a set of whole returns, that
rest compressed in a temporary file until their turn; buckets of few rows are landed together.
"""

import io
from collections import Counter
from collections.abc import Iterator

import polars as pl

from services.ingest.commands.pieces import Pieces
from services.ingest.rules.blocks import LINE
from services.ingest.rules.places import ORGANISATION, PERIOD
from services.ingest.rules.rows import with_columns_of, without_blank_columns

_LARGE = 120_000
_BUCKETS = 256


class Sorter:
    """Takes frames of accepted rows; gives them back in buckets that hold every row of the returns in them."""

    def __init__(self) -> None:
        self.schema: dict[str, pl.DataType] = {}
        """Every column that the rows came with; those without any value are left out of the buckets."""
        self._frames: list[pl.DataFrame] = []
        self._rows = 0
        self._pieces = Pieces()
        self._buckets: dict[int, list[int]] = {}
        self._sizes: Counter[int] = Counter()
        self._returns: list[pl.DataFrame] = []

    def add(self, accepted: pl.DataFrame) -> None:
        """Take the accepted rows of one block."""
        if not accepted.height:
            return
        self.schema = self.schema or dict(accepted.schema)
        self._returns.append(accepted.select(ORGANISATION, PERIOD).unique())
        self._frames.append(without_blank_columns(accepted, needed=(ORGANISATION, PERIOD, LINE)))
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
        """The rows, so many buckets together as hold few of them; in the order they came within each."""
        if not self._buckets:
            if self._frames:
                yield self._together(self._frames)
            return
        self._deal()
        for together in self._landed_together():
            pieces = sorted(number for bucket in together for number in self._buckets.pop(bucket))
            yield self._together([pl.read_ipc(io.BytesIO(self._pieces[number])) for number in pieces])

    def _together(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        """The rows of all frames, with the columns that any of them has, in the order they came with."""
        had = {name for frame in frames for name in frame.columns}
        columns = {name: kind for name, kind in self.schema.items() if name in had}
        return pl.concat([with_columns_of(frame, columns) for frame in frames])

    def _landed_together(self) -> Iterator[list[int]]:
        together: list[int] = []
        rows = 0
        for bucket in sorted(self._buckets):
            if together and rows + self._sizes[bucket] > _LARGE:
                yield together
                together, rows = [], 0
            together.append(bucket)
            rows += self._sizes[bucket]
        yield together

    def _deal(self) -> None:
        for frame in self._frames:
            number = pl.concat_str(ORGANISATION, PERIOD, separator="/").hash(7) % _BUCKETS
            for (bucket,), rows in (
                frame.with_columns(number.alias("_bucket"))
                .partition_by("_bucket", as_dict=True, include_key=False)
                .items()
            ):
                self._buckets.setdefault(int(bucket), []).append(self._pieces.add(_packed(rows)))
                self._sizes[int(bucket)] += rows.height
        self._frames.clear()


def _packed(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()

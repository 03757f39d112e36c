"""Good rows on their way from blocks of a file to returns, in bounded memory.

A small file is kept as it is and landed in one go. Of a large one the rows of returns that have many are packed as they
come, just as they are stored: a return that is new is made of its packs, and nobody reads them again. The other rows
are dealt into buckets, each a set of whole returns, that rest compressed in a temporary file until their turn; buckets
of few rows are landed together.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import numpy as np
import polars as pl

from services.ingest.commands.pieces import Pieces
from services.ingest.rules import rows as row_form
from services.ingest.rules.blocks import LINE
from services.ingest.rules.feeds import Feed
from services.ingest.rules.places import ORGANISATION, PERIOD
from services.ingest.rules.rows import with_columns_of, without_blank_columns

PLACE = (ORGANISATION, PERIOD)
Place = tuple[str, str]
_LARGE = 50_000
_MANY = 2_000
_BUCKETS = 256
_BUCKET = (pl.col(ORGANISATION).hash(7) ^ pl.col(PERIOD).hash(8)) % _BUCKETS


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows of one return, packed as they are stored. They rest in `pieces`: their parts, and the lines they are from.

    `final` says whether each row says so; `extracted` is the newest time of extraction (on London's clock) among them.
    """

    pieces: Pieces
    numbers: tuple[int, ...]
    lines: int
    height: int
    final: bool
    extracted: datetime | None

    def parts(self) -> list[bytes]:
        """Parquet documents, in order."""
        return [self.pieces[number] for number in self.numbers]

    def rows(self, place: Place) -> pl.DataFrame:
        """The rows again, with their place and lines."""
        frame = pl.concat([pl.read_parquet(io.BytesIO(part)) for part in self.parts()], how="diagonal")
        lines = pl.Series(LINE, np.frombuffer(self.pieces[self.lines], np.uint32)).cast(pl.Int64)
        return frame.with_columns(lines, *(pl.lit(said).alias(name) for name, said in zip(PLACE, place, strict=True)))


@dataclass(frozen=True, slots=True)
class Bucket:
    """Every row of some returns: `rows` are those of the ones that were not packed."""

    rows: pl.DataFrame
    packs: dict[Place, list[Pack]] = field(default_factory=dict)


class Sorter:
    """Takes frames of accepted rows; gives them back in buckets that hold every row of the returns in them.

    Of feeds whose rows may say that there is nothing, or that a record is to go, nothing is packed beforehand.
    """

    def __init__(self, feed: Feed | None = None) -> None:
        self.schema: dict[str, pl.DataType] = {}
        """Every column that the rows came with; those without any value are left out of the buckets."""
        self._feed = feed if feed and feed.nil_column is None and feed.action_column is None else None
        self._frames: list[pl.DataFrame] = []
        self._held = 0
        self._pieces = Pieces()
        self._buckets: dict[int, list[int]] = {}
        self._packs: dict[Place, list[Pack]] = {}
        self._dealt: set[Place] = set()
        self._sizes: Counter[int] = Counter()
        self._returns: list[pl.DataFrame] = []

    def add(self, accepted: pl.DataFrame) -> None:
        """Take the accepted rows of one block."""
        if not accepted.height:
            return
        self.schema = self.schema or dict(accepted.schema)
        self._returns.append(accepted.select(PLACE).unique())
        self._frames.append(without_blank_columns(accepted, needed=(*PLACE, LINE)))
        self._held += accepted.height
        if self._held > _LARGE:
            self._deal(keeping=_LARGE // 2)

    def returns(self) -> list[Place]:
        """The organisation and period of every return there are rows for, in order."""
        return sorted({place for some in self._returns for place in some.iter_rows()})

    def buckets(self) -> Iterator[Bucket]:
        """The rows, so many buckets together as hold few of them; in the order they came within each."""
        if not self._sizes and not self._packs:
            if self._frames:
                yield Bucket(self._together(self._frames))
            return
        self._deal()
        packed = self._packed_by_bucket()
        for together in self._landed_together():
            numbers = sorted(number for bucket in together for number in self._buckets.pop(bucket, ()))
            frames = [pl.read_ipc(io.BytesIO(self._pieces[number])) for number in numbers]
            packs = {place: packs for bucket in together for place, packs in packed[bucket].items()}
            yield Bucket(self._together(frames) if frames else pl.DataFrame(schema=self.schema), packs)

    def _together(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        """The rows of all frames, with the columns that any of them has, in the order they came with."""
        had = {name for frame in frames for name in frame.columns}
        columns = {name: kind for name, kind in self.schema.items() if name in had}
        return pl.concat([with_columns_of(frame, columns) for frame in frames])

    def _packed_by_bucket(self) -> defaultdict[int, dict[Place, list[Pack]]]:
        found: defaultdict[int, dict[Place, list[Pack]]] = defaultdict(dict)
        places = pl.DataFrame(list(self._packs), schema=dict.fromkeys(PLACE, pl.String), orient="row")
        for place, bucket in zip(self._packs, places.select(_BUCKET).to_series(), strict=True):
            found[bucket][place] = self._packs[place]
            self._sizes[bucket] += sum(one.height for one in self._packs[place])
        return found

    def _landed_together(self) -> Iterator[list[int]]:
        together: list[int] = []
        rows = 0
        for bucket in sorted(self._sizes):
            if together and rows + self._sizes[bucket] > _LARGE:
                yield together
                together, rows = [], 0
            together.append(bucket)
            rows += self._sizes[bucket]
        yield together

    def _deal(self, *, keeping: int = 0) -> None:
        """Pack and deal the rows in hand; of those that are not packed so many may stay until there are more."""
        if not self._frames:
            return
        rows = self._together(self._frames)
        left = rows if self._feed is None else self._without_many(rows, self._feed)
        self._frames = [left] if 0 < left.height <= keeping else []
        self._held = sum(one.height for one in self._frames)
        if left.height > self._held:
            self._dealt.update(left.select(PLACE).unique().iter_rows() if self._feed is not None else ())
            self._put_into_buckets(left)

    def _put_into_buckets(self, rows: pl.DataFrame) -> None:
        dealt = rows.with_columns(_BUCKET.alias("_bucket")).partition_by("_bucket", as_dict=True, include_key=False)
        for (bucket,), some in dealt.items():
            self._buckets.setdefault(int(bucket), []).append(self._pieces.add(_resting(some)))
            self._sizes[int(bucket)] += some.height

    def _without_many(self, rows: pl.DataFrame, feed: Feed) -> pl.DataFrame:
        """Pack the rows of returns that have many; the others. A return is either packed or dealt, never both."""
        sizes = {(organisation, period): size for organisation, period, size in rows.group_by(PLACE).len().iter_rows()}
        many = {place for place, size in sizes.items() if size >= _MANY or place in self._packs} - self._dealt
        for organisation, period in sorted(many):  # one at a time: grouped, all would be in memory twice
            some = rows.filter(pl.col(ORGANISATION) == organisation, pl.col(PERIOD) == period)
            self._packs.setdefault((organisation, period), []).append(self._pack(some.drop(PLACE), feed))
        if len(many) == len(sizes):
            return rows.clear()
        places = pl.DataFrame(list(many), schema=dict.fromkeys(PLACE, pl.String), orient="row")
        return rows.join(places, on=PLACE, how="anti", maintain_order="left")

    def _pack(self, rows: pl.DataFrame, feed: Feed) -> Pack:
        numbers = tuple(self._pieces.add(part) for part in row_form.parts(rows.drop(LINE)))
        lines = self._pieces.add(rows[LINE].cast(pl.UInt32).to_numpy().tobytes())
        status, extracted = feed.status_column, feed.extracted_at
        final = status in rows.columns and bool((rows[status] == "final").fill_null(value=False).all())
        newest = cast("datetime | None", rows[extracted].max()) if extracted in rows.columns else None
        return Pack(self._pieces, numbers, lines, rows.height, final, newest)


def _resting(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()

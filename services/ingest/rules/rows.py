"""The rows of a return as bytes, to store and to send."""

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
import polars as pl

from services.ingest.rules.blocks import LINE
from services.ingest.rules.casts import DTYPES
from services.ingest.rules.feeds import Feed
from services.ingest.rules.places import ORGANISATION, PERIOD
from services.ingest.rules.pseudonyms import AGE_BAND

JSON, PARQUET = "application/json", "application/vnd.apache.parquet"
PLACE = (ORGANISATION, PERIOD)
FEW = 64
LARGEST_PART = 900 * 1024
_FIRST_PART = 16_384  # rows, of which nobody knows yet how small they pack
_FULL, _GROWTH = 0.85, 4.0  # of the largest part is aimed at; at most so many times the rows of the one before
_ROW_GROUP = 50_000
_LEVEL = 1  # of rows like these twice as fast as level 3, and no larger


def packed(rows: pl.DataFrame) -> tuple[str, list[bytes]]:
    """A content type and parts of less than 900 KB: a JSON array for at most 64 rows, Parquet (zstd) otherwise.

    Each part is a whole document of its own; the rows are those of the parts in order.
    """
    if rows.height <= FEW:
        whole = _as_json(rows)
        if len(whole) < LARGEST_PART:
            return JSON, [whole]
    return PARQUET, parts(rows)


def _as_json(rows: pl.DataFrame) -> bytes:
    return msgspec.json.encode(rows.to_dicts())


def _as_parquet(rows: pl.DataFrame) -> bytes:
    held = io.BytesIO()
    rows.write_parquet(held, compression="zstd", compression_level=_LEVEL, statistics=False, row_group_size=_ROW_GROUP)
    return held.getvalue()


def parts(rows: pl.DataFrame) -> list[bytes]:
    """The rows as Parquet (zstd) documents of less than 900 KB, in order; columns that a part leaves blank are not in
    it.

    Each is of as many rows as the one before lets hope for. Raises ValueError if a single row is too large.
    """
    made: list[bytes] = []
    at, size = 0, _FIRST_PART
    while at < rows.height or not made:
        some = rows[at : at + size]
        part = _as_parquet(without_blank_columns(some, needed=some.columns[:1]))
        if len(part) < LARGEST_PART:
            made.append(part)
            at += some.height
            size = max(1, int(some.height * min(_GROWTH, _FULL * LARGEST_PART / len(part))))
        elif some.height == 1:
            raise ValueError("one row is larger than a part may be")
        else:
            size = some.height // 2
    return made


def _typed(found: list[dict[str, Any]], feed: Feed) -> pl.DataFrame:
    names = (
        dict.fromkeys(name for row in found for name in row) if found else dict.fromkeys(f.name for f in feed.fields)
    )
    kinds = {name: _kind(name, feed) for name in names}
    texts = {name: pl.String() if kind.is_temporal() else kind for name, kind in kinds.items()}
    frame = pl.DataFrame(found, schema=texts)
    return frame.with_columns(
        pl.col(name).str.to_date("%Y-%m-%d") if kind == pl.Date else pl.col(name).str.to_datetime(time_unit="us")
        for name, kind in kinds.items()
        if kind.is_temporal() and frame.height
    ).cast(kinds)  # type: ignore[arg-type]


def _kind(name: str, feed: Feed) -> pl.DataType:
    """Pseudonyms are text, whatever they stand for."""
    field = feed.by_name.get(name)
    if name == LINE:
        return pl.Int64()
    if name == AGE_BAND or field is None or field.identifier is not None:
        return pl.String()
    return DTYPES[field.type]


def without_blank_columns(frame: pl.DataFrame, *, needed: Collection[str]) -> pl.DataFrame:
    """The rows without columns in which nothing stands, but for those that are needed: a file fills few of a feed."""
    blank = [n for n in frame.columns if n not in needed and frame[n].null_count() == frame.height]
    return frame.drop(blank)


def with_columns_of(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The rows with all columns of a schema, in its order; blank where they had none."""
    if frame.schema == schema:
        return frame
    return frame.select(
        pl.col(name) if name in frame.columns else pl.lit(None, dtype=kind).alias(name) for name, kind in schema.items()
    )


def packed_by_return(
    frame: pl.DataFrame, schema: Mapping[str, pl.DataType] | None = None
) -> Iterator[tuple[tuple[str, str], int, str, list[bytes]]]:
    """Each return in the rows (with their places): organisation and period, row count, content type and parts.

    The parts have the columns of the schema, or those of the frame. Small returns are written together, which is a
    hundred times faster for a national file of care homes.
    """
    columns = {name: kind for name, kind in (schema or frame.schema).items() if name not in PLACE}
    sorted_rows = frame.sort(PLACE, maintain_order=True)
    sizes = sorted_rows.group_by(PLACE, maintain_order=True).len()
    at = 0
    texts: list[dict[str, Any]] = []
    small = sizes["len"].sum() <= FEW * sizes.height
    if small:
        texts = with_columns_of(sorted_rows, columns).to_dicts()
    for organisation, period, size in sizes.iter_rows():
        if small and size <= FEW and len(whole := msgspec.json.encode(texts[at : at + size])) < LARGEST_PART:
            yield (organisation, period), size, JSON, [whole]
        else:
            yield (organisation, period), size, *packed(with_columns_of(sorted_rows[at : at + size], columns))
        at += size


def unpacked_with_places(found: Sequence[tuple[tuple[str, str], str, bytes]], feed: Feed) -> pl.DataFrame:
    """Rows of many returns in one frame: each part comes with its place and content type."""
    frames = []
    texts = [(place, body) for place, content_type, body in found if content_type == JSON]
    if texts:
        rows = [
            row | {ORGANISATION: place[0], PERIOD: place[1]}
            for place, body in texts
            for row in msgspec.json.decode(body)
        ]
        frames.append(_typed(rows, feed))
    for place, content_type, body in found:
        if content_type == PARQUET:
            frame = pl.read_parquet(io.BytesIO(body))
            frames.append(frame.with_columns(pl.lit(place[0]).alias(ORGANISATION), pl.lit(place[1]).alias(PERIOD)))
    return pl.concat(frames, how="diagonal_relaxed")


def as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as plain JSON values."""
    return cast("dict[str, Any]", msgspec.to_builtins(dict(row)))


def of_json(found: list[dict[str, Any]], feed: Feed) -> pl.DataFrame:
    """Rows that `as_json` wrote, typed again, with whatever they had besides the feed's columns."""
    return _typed(found, feed)


def parquet_of(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet (zstd)."""
    return _as_parquet(frame)

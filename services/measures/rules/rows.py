"""The rows of returns, as they were published, decoded into one typed frame."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from services.measures.rules.feeds import Feed, Field

JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"
_LONDON = ZoneInfo("Europe/London")
_HELD: dict[str, Any] = {
    "integer": int | None, "decimal": float | None, "boolean": bool | None, "date": date | None,
    "datetime": datetime | None,
}  # fmt: skip


class UnreadableRows(ValueError):
    """A body that is not rows of its feed: `body` is its place in the list; the message quotes no value."""

    def __init__(self, body: int, message: str) -> None:
        super().__init__(f"body {body}: {message}")
        self.body = body


def frame_of(
    bodies: Sequence[tuple[str, bytes]],
    feed: Feed,
    *,
    only: frozenset[str] | None = None,
    heights: Sequence[int | None] | None = None,
) -> pl.DataFrame:
    """One frame of all the bodies: a typed column for each field of the feed, and `_body` (uint32), the place in the
    list of the body the row came from.

    A body is `(content type, bytes)`: a JSON array of row objects or Parquet, as in `ReturnPublished`. A column that
    a body lacks is null, one that the feed lacks is left out, and blank text is null. `only` leaves every other column
    unread. `heights` says how many rows each body has, where that is known: then Parquet is read all at once, several
    times as fast. Of bodies that follow one another the first may be given the rows of all, the others 0: then they all
    are told to be from the first. Raises UnreadableRows.
    """
    shape = _shape(feed, only)
    places: dict[str, list[int]] = {JSON: [], PARQUET: []}
    for place, (content_type, _) in enumerate(bodies):
        if content_type not in places:
            raise UnreadableRows(place, f"{content_type} is neither {JSON} nor {PARQUET}")
        places[content_type].append(place)
    known = {place: heights[place] for place in places[PARQUET]} if heights is not None else {}
    frames = [_from_json([(place, bodies[place][1]) for place in places[JSON]], shape)] if places[JSON] else []
    frames += _from_parquet({place: bodies[place][1] for place in places[PARQUET]}, known, shape.feed)
    return (pl.concat(frames) if frames else _from_json([], shape)).with_columns(shape.canonical)


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """How rows of a feed are read: its columns, or `only` some of them. Worked out once for many returns."""

    feed: Feed
    decoder: msgspec.json.Decoder[list[Any]]
    canonical: Sequence[pl.Expr]


@lru_cache(maxsize=100)
def _shape(feed: Feed, only: frozenset[str] | None) -> _Shape:
    if only is not None:
        feed = replace(feed, fields={name: field for name, field in feed.fields.items() if name in only})
    return _Shape(feed, msgspec.json.Decoder(list[_row_type(feed)], strict=False), _canonical(feed))  # type: ignore[misc]


def placed(frame: pl.DataFrame, places: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """The frame with `_organisation` and `_period`: `places` gives them for each body, in the order of the bodies."""
    organisations, periods = (pl.Series(values, dtype=pl.String) for values in zip(*places, strict=True))
    body = frame["_body"]
    return frame.hstack([organisations[body].alias("_organisation"), periods[body].alias("_period")])


def _from_json(bodies: Iterable[tuple[int, bytes]], shape: _Shape) -> pl.DataFrame:
    fields = shape.feed.fields
    rows: list[Any] = []
    origins: list[int] = []
    for place, body in bodies:
        try:
            found = shape.decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as reason:
            raise UnreadableRows(place, str(reason)) from None
        rows += found
        origins += [place] * len(found)
    columns = _columns(rows, len(fields))
    typed = [_series(field, list(values)) for field, values in zip(fields.values(), columns, strict=True)]
    return pl.DataFrame([pl.Series("_body", origins, dtype=pl.UInt32), *typed])


def _columns(rows: list[Any], width: int) -> list[tuple[Any, ...]]:
    """The rows' values by column. Attributes are `f0`, `f1`...: a field's name need not be a Python name."""
    if not rows or not width:
        return [()] * width
    names = [f"f{number}" for number in range(width)]
    if width == 1:
        return [tuple(map(attrgetter(*names), rows))]
    return list(zip(*map(attrgetter(*names), rows), strict=True))


def _row_type(feed: Feed) -> type[msgspec.Struct]:
    attributes = {f"f{number}": field for number, field in enumerate(feed.fields.values())}
    fields: list[tuple[str, Any, Any]] = [
        (attribute, _HELD.get(field.type, str | None), None) for attribute, field in attributes.items()
    ]
    return msgspec.defstruct(
        "Row", fields, rename={attribute: field.name for attribute, field in attributes.items()}, gc=False
    )


def _series(field: Field, values: list[Any]) -> pl.Series:
    if field.type == "datetime" and any(value is not None and value.tzinfo is not None for value in values):
        values = [_wall_clock(value) for value in values]
    return pl.Series(field.name, values, dtype=field.dtype)


def _wall_clock(instant: datetime | None) -> datetime | None:
    if instant is None or instant.tzinfo is None:
        return instant
    return instant.astimezone(_LONDON).replace(tzinfo=None)


def _from_parquet(bodies: Mapping[int, bytes], heights: Mapping[int, int | None], feed: Feed) -> list[pl.DataFrame]:
    together = {place: height for place, height in heights.items() if height is not None}
    read = _at_once([bodies[place] for place in together], together, feed) if len(together) > 1 else None
    singly = [place for place in bodies if read is None or place not in together]
    return [*([] if read is None else [read]), *(_one_parquet(place, bodies[place], feed) for place in singly)]


def _at_once(bodies: list[bytes], heights: Mapping[int, int], feed: Feed) -> pl.DataFrame | None:
    """Bodies whose columns have the feed's own types; None if they have others, or other heights."""
    schema = {name: field.dtype for name, field in feed.fields.items()}
    try:
        frame = pl.scan_parquet(bodies, schema=schema, missing_columns="insert", extra_columns="ignore").collect()
    except (pl.exceptions.PolarsError, OSError):
        return None
    if frame.height != sum(heights.values()):
        return None
    origins = pl.Series("_body", list(heights), dtype=pl.UInt32)
    rows = pl.Series(list(heights.values()), dtype=pl.UInt32)
    return frame.with_columns(origins.repeat_by(rows).explode().drop_nulls()).select("_body", *feed.fields)


def _one_parquet(place: int, body: bytes, feed: Feed) -> pl.DataFrame:
    try:
        sent = pl.scan_parquet(body)
        there = sent.collect_schema()
        columns = (_column(field, there) for field in feed.fields.values())
        origin = pl.lit(place, dtype=pl.UInt32).alias("_body")
        return sent.with_columns(origin, *columns).select("_body", *feed.fields).collect()
    except (pl.exceptions.PolarsError, OSError) as reason:
        raise UnreadableRows(place, f"not Parquet of the feed {feed.id} ({type(reason).__name__})") from None


def _column(field: Field, sent: pl.Schema) -> pl.Expr:
    held = sent.get(field.name)
    if held is None:
        return pl.lit(None, dtype=field.dtype).alias(field.name)
    if isinstance(held, pl.Datetime) and held.time_zone is not None:
        return pl.col(field.name).dt.convert_time_zone("Europe/London").dt.replace_time_zone(None).cast(field.dtype)
    return pl.col(field.name).cast(field.dtype)


def _canonical(feed: Feed) -> list[pl.Expr]:
    """Missing is null and nothing else: blank text and NaN are missing too."""
    text = [pl.col(name) for name, field in feed.fields.items() if field.dtype == pl.String]
    decimals = [pl.col(name) for name, field in feed.fields.items() if field.type == "decimal"]
    return [
        *(pl.when(one.str.strip_chars() != "").then(one).name.keep() for one in text),
        *(one.fill_nan(None) for one in decimals),
    ]

"""How a submission changes returns: `replace` sends whole returns anew, `merge` changes them record by record.

Many returns are dealt with at once: a record is known by its return (organisation and period) and its key in it.
"""

from dataclasses import dataclass

import polars as pl

from services.ingest.rules.blocks import LINE
from services.ingest.rules.feeds import Feed, Mode
from services.ingest.rules.places import ORGANISATION, PERIOD

PLACE = (ORGANISATION, PERIOD)
ADDED, CHANGED, UNCHANGED, STALE, DELETED = "added", "changed", "unchanged", "stale", "deleted"


@dataclass(frozen=True, slots=True)
class Merged:
    """The rows that the returns now have, with their places, and how they differ from before, counted by record.

    `altered` are the returns (organisation, period) that differ at all. `stale` counts records that a newer extract
    had already given otherwise, sent on the lines `stale_lines`: they change nothing. `differences` has one row a
    return that differs: its place, `before` and `after` (rows), `added`, `changed` and `removed`.
    """

    rows: pl.DataFrame
    altered: frozenset[tuple[str, str]]
    added: int
    changed: int
    removed: int
    unchanged: int
    stale_lines: pl.Series
    differences: pl.DataFrame

    @property
    def stale(self) -> int:
        """How many records were stale."""
        return len(self.stale_lines)


def merge(current: pl.DataFrame | None, sent: pl.DataFrame, *, feed: Feed, mode: Mode) -> Merged:
    """What becomes of the current rows when these are sent. Both have their places; keys are unique within each.

    In `replace` the rows sent become their returns; in `merge` they are added to them or take the place of those with
    the same key, a row whose action says `delete` removes its record, and an older extract never overwrites a newer.
    """
    key = [*PLACE, *feed.key]
    rows = sent.drop(LINE) if LINE in sent.columns else sent
    before = _like(current, rows)
    told = sent.with_columns(_fates(before, sent, key, feed, mode))
    applied = told.filter(pl.col("_fate") != STALE)
    left = before.join(applied.select(key), on=key, how="anti", nulls_equal=True, maintain_order="left")
    kept = left if mode == "merge" else left.clear()
    gone = applied.filter(pl.col("_fate") == DELETED)
    new = applied.filter(pl.col("_fate") != DELETED).select(rows.columns)
    fates = dict(told["_fate"].value_counts().iter_rows())
    dropped = gone.join(before.select(key), on=key, how="semi", nulls_equal=True)
    moved = [told.filter(pl.col("_fate").is_in([ADDED, CHANGED])), dropped, *([left] if mode == "replace" else [])]
    whole = pl.concat([kept, new])
    return Merged(
        rows=whole,
        differences=_differences(before, whole, moved),
        altered=frozenset(row for frame in moved for row in frame.select(PLACE).unique().iter_rows()),
        added=fates.get(ADDED, 0),
        changed=fates.get(CHANGED, 0),
        removed=dropped.height + (left.height if mode == "replace" else 0),
        unchanged=fates.get(UNCHANGED, 0) + gone.height - dropped.height,
        stale_lines=told.filter(pl.col("_fate") == STALE)[LINE]
        if LINE in told.columns
        else pl.Series([], dtype=pl.Int64),
    )


def _differences(before: pl.DataFrame, after: pl.DataFrame, moved: list[pl.DataFrame]) -> pl.DataFrame:
    told, dropped, *left = moved
    counts = [
        told.filter(pl.col("_fate") == ADDED).group_by(PLACE).agg(pl.len().alias("added")),
        told.filter(pl.col("_fate") == CHANGED).group_by(PLACE).agg(pl.len().alias("changed")),
        pl.concat([one.select(PLACE) for one in (dropped, *left)]).group_by(PLACE).agg(pl.len().alias("removed")),
    ]
    places = pl.concat([one.select(PLACE) for one in moved]).unique().sort(PLACE)
    for one in (
        before.group_by(PLACE).agg(pl.len().alias("before")),
        after.group_by(PLACE).agg(pl.len().alias("after")),
        *counts,
    ):
        places = places.join(one, on=PLACE, how="left", maintain_order="left")
    return places.with_columns(pl.exclude(PLACE).fill_null(0).cast(pl.Int64))


def provenance(feed: Feed) -> frozenset[str]:
    """Columns that say where a row came from and not what it says: another value in them is no change."""
    told = {feed.extracted_at, feed.status_column, feed.action_column, "source_message_id", "schema_version"}
    return frozenset(name for name in told if name is not None and name not in feed.key)


def _fates(before: pl.DataFrame, sent: pl.DataFrame, key: list[str], feed: Feed, mode: Mode) -> pl.Series:
    """For each row sent, what becomes of it."""
    aside = {*key, *provenance(feed)}
    content = [name for name in before.columns if name not in aside]
    then = before.select(
        *key,
        pl.lit(value=True).alias("_there"),
        *(pl.col(name).alias(f"{name}\0") for name in content),
        *([] if feed.extracted_at is None else [pl.col(feed.extracted_at).alias("_extracted")]),
    )
    met = sent.join(then, on=key, how="left", nulls_equal=True, maintain_order="left")
    there = pl.col("_there").fill_null(value=False)
    same = pl.all_horizontal([pl.lit(value=True), *(pl.col(name).eq_missing(pl.col(f"{name}\0")) for name in content)])
    fate = pl.when(there & same).then(pl.lit(UNCHANGED)).when(there).then(pl.lit(CHANGED)).otherwise(pl.lit(ADDED))
    if mode == "merge":
        if feed.action_column is not None:
            fate = pl.when(pl.col(feed.action_column) == "delete").then(pl.lit(DELETED)).otherwise(fate)
        if feed.extracted_at is not None:
            older = (pl.col(feed.extracted_at) < pl.col("_extracted")).fill_null(value=False)
            fate = pl.when(there & older & ~same).then(pl.lit(STALE)).otherwise(fate)
    return met.select(fate.alias("_fate"))["_fate"]


def _like(current: pl.DataFrame | None, rows: pl.DataFrame) -> pl.DataFrame:
    """The current rows with the columns and types of the new ones (another version of the feed may differ)."""
    if current is None:
        return rows.clear()
    return current.select(
        pl.col(name).cast(kind, strict=False) if name in current.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in rows.schema.items()
    )

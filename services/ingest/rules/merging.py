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
HELD = "held"  # unchanged, and of an older extract than the record that is held: that one stays
_FATE = pl.Enum([ADDED, CHANGED, UNCHANGED, STALE, DELETED, HELD])


@dataclass(frozen=True, slots=True)
class Merged:
    """The rows that the returns now have, with their places, and how they differ from before, counted by record.

    `altered` are the returns (organisation, period) that differ at all. `stale` counts records that a newer extract
    had already given otherwise, sent on the lines `stale_lines`: they change nothing. `before` are the places of the
    rows there were, `moved` those of the records that came to differ, with their `_fate`; null where they are gone.
    """

    rows: pl.DataFrame
    altered: frozenset[tuple[str, str]]
    added: int
    changed: int
    removed: int
    unchanged: int
    stale_lines: pl.Series
    before: pl.DataFrame
    moved: pl.DataFrame

    @property
    def stale(self) -> int:
        """How many records were stale."""
        return len(self.stale_lines)

    def differences(self) -> pl.DataFrame:
        """A row a return that differs: its place, `before` and `after` (rows), `added`, `changed` and `removed`."""
        fate = pl.col("_fate")
        differ = self.moved.group_by(PLACE).agg(
            (fate == ADDED).sum().alias(ADDED),
            (fate == CHANGED).sum().alias(CHANGED),
            fate.null_count().alias("removed"),
        )
        for frame, name in ((self.before, "before"), (self.rows, "after")):
            differ = differ.join(frame.group_by(PLACE).agg(pl.len().alias(name)), on=PLACE, how="left")
        counted = (pl.col(name).fill_null(0).cast(pl.Int64) for name in ("before", "after", ADDED, CHANGED, "removed"))
        return differ.sort(PLACE).select(*PLACE, *counted)


def merge(current: pl.DataFrame | None, sent: pl.DataFrame, *, feed: Feed, mode: Mode) -> Merged:
    """What becomes of the current rows when these are sent. Both have their places; keys are unique within each.

    In `replace` the rows sent become their returns; in `merge` they are added to them or take the place of those with
    the same key, a row whose action says `delete` removes its record, and an older extract never overwrites a newer.
    """
    key = [*PLACE, *feed.key]
    rows = sent.drop(LINE) if LINE in sent.columns else sent
    before = _like(current, rows)
    if before.is_empty() and not _deletes(feed, mode):
        return _first(rows)
    fate = _fates(before, sent, key, feed, mode)
    counts = dict(fate.value_counts().iter_rows())
    new = rows if counts.keys().isdisjoint((STALE, DELETED, HELD)) else rows.filter(~fate.is_in([STALE, DELETED, HELD]))
    left = before
    if before.height:
        applied = sent.select(key).filter(~fate.is_in([STALE, HELD]))
        left = before.join(applied, on=key, how="anti", nulls_equal=True, maintain_order="left")
    gone = sent.select(key).filter(fate == DELETED)
    dropped = gone.join(before.select(key), on=key, how="semi", nulls_equal=True)
    removed = [dropped, left] if mode == "replace" else [dropped]
    differ = fate.is_in([ADDED, CHANGED])
    moved = pl.concat(
        [
            sent.select(*PLACE, fate.alias("_fate")).filter(differ),
            *(one.select(*PLACE, pl.lit(None, dtype=_FATE).alias("_fate")) for one in removed),
        ]
    )
    return Merged(
        rows=pl.concat([left, new] if mode == "merge" else [new]),
        altered=frozenset(moved.select(PLACE).unique().iter_rows()),
        added=counts.get(ADDED, 0),
        changed=counts.get(CHANGED, 0),
        removed=sum(one.height for one in removed),
        unchanged=counts.get(UNCHANGED, 0) + counts.get(HELD, 0) + gone.height - dropped.height,
        stale_lines=sent.filter(fate == STALE)[LINE] if LINE in sent.columns else pl.Series([], dtype=pl.Int64),
        before=before.select(PLACE),
        moved=moved,
    )


def _deletes(feed: Feed, mode: Mode) -> bool:
    """Whether a row may say that its record is to go."""
    return mode == "merge" and feed.action_column is not None


def _first(rows: pl.DataFrame) -> Merged:
    """What becomes of returns that held nothing: every record is added."""
    moved = rows.select(*PLACE, pl.lit(ADDED, dtype=_FATE).alias("_fate"))
    none = pl.Series([], dtype=pl.Int64)
    return Merged(rows, frozenset(rows.select(PLACE).iter_rows()), rows.height, 0, 0, 0, none, rows.clear(), moved)


def provenance(feed: Feed) -> frozenset[str]:
    """Columns that say where a row came from and not what it says: another value in them is no change."""
    told = {feed.extracted_at, feed.status_column, feed.action_column, "source_message_id", "schema_version"}
    return frozenset(name for name in told if name is not None and name not in feed.key)


def _fates(before: pl.DataFrame, sent: pl.DataFrame, key: list[str], feed: Feed, mode: Mode) -> pl.Series:
    """For each row sent, what becomes of it."""
    says = pl.col(feed.action_column or "") == "delete" if _deletes(feed, mode) else pl.lit(value=False)
    deletes = says.fill_null(value=False)
    if before.is_empty():
        fate = pl.when(deletes).then(pl.lit(DELETED)).otherwise(pl.lit(ADDED))
        return sent.with_columns(fate.cast(_FATE).alias("_fate"))["_fate"]
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
    fate = pl.when(deletes).then(pl.lit(DELETED)).otherwise(fate)
    if mode == "merge" and feed.extracted_at is not None:
        older = (pl.col(feed.extracted_at) < pl.col("_extracted")).fill_null(value=False)
        late = pl.when(same & ~deletes).then(pl.lit(HELD)).otherwise(pl.lit(STALE))
        fate = pl.when(there & older).then(late).otherwise(fate)
    return met.select(fate.cast(_FATE).alias("_fate"))["_fate"]


def _like(current: pl.DataFrame | None, rows: pl.DataFrame) -> pl.DataFrame:
    """The current rows with the columns and types of the new ones (another version of the feed may differ)."""
    if current is None:
        return rows.clear()
    return current.select(
        pl.col(name).cast(kind, strict=False) if name in current.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in rows.schema.items()
    )

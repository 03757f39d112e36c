"""How a submission changes a return: `replace` sends the whole return anew, `merge` changes record by record."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from services.ingest.rules.blocks import LINE

_PRIVATE = (LINE, "_organisation", "_period")


@dataclass(frozen=True, slots=True)
class Merged:
    """The rows of the new version and how they differ from the current ones, counted by record.

    `stale` counts records of the submission that an equally new or newer extract had already given otherwise.
    """

    rows: pl.DataFrame
    added: int
    changed: int
    removed: int
    unchanged: int
    stale: int = 0

    @property
    def alters(self) -> bool:
        """Whether there is a new version at all."""
        return bool(self.added or self.changed or self.removed)


def replace_rows(
    current: pl.DataFrame | None, sent: pl.DataFrame, *, key: Sequence[str], provenance: Sequence[str] = ()
) -> Merged:
    """The rows sent become the return. `unchanged` are those that were in it with the same content already.

    `provenance` columns (message ids, times of extraction) do not count as content. Keys are unique in both frames.
    """
    rows = _rows_of(sent)
    before = _like(current, rows)
    together = _compared(before, rows, key, provenance)
    unchanged = together.filter(pl.col("_same")).height
    return Merged(
        rows=rows,
        added=rows.height - together.height,
        changed=together.height - unchanged,
        removed=before.height - together.height,
        unchanged=unchanged,
    )


def merge_rows(
    current: pl.DataFrame | None,
    sent: pl.DataFrame,
    *,
    key: Sequence[str],
    action: str | None = None,
    extracted_at: str | None = None,
    provenance: Sequence[str] = (),
) -> Merged:
    """The records sent are added to the return or take the place of those with the same key; the others stay.

    A row whose `action` column says `delete` removes its record (one that is not there counts as unchanged). Where
    both have an `extracted_at`, an older extract never overwrites a newer one. `unchanged` counts sent rows only.
    """
    rows = _rows_of(sent)
    before = _like(current, rows)
    together = _compared(before, rows, key, [*provenance, *([extracted_at] if extracted_at else [])])
    if extracted_at is not None:
        older = (pl.col(extracted_at) < pl.col("_extracted_before")).fill_null(value=False)
        together = together.join(
            before.select(*key, pl.col(extracted_at).alias("_extracted_before")), on=list(key), nulls_equal=True
        ).with_columns(_stale=older & ~pl.col("_same"))
    else:
        together = together.with_columns(_stale=pl.lit(value=False))
    gone = pl.col(action) == "delete" if action is not None else pl.lit(value=False)
    told = rows.join(
        together.select(*key, "_same", "_stale"), on=list(key), how="left", nulls_equal=True, maintain_order="left"
    )
    told = told.with_columns(_gone=gone.fill_null(value=False), _there=pl.col("_same").is_not_null())
    counted = told.select(
        added=(~pl.col("_there") & ~pl.col("_gone")).sum(),
        changed=(pl.col("_there") & ~pl.col("_gone") & ~pl.col("_same") & ~pl.col("_stale")).sum(),
        removed=(pl.col("_there") & pl.col("_gone") & ~pl.col("_stale")).sum(),
        stale=pl.col("_stale").sum(),
    ).row(0, named=True)
    applied = told.filter(~pl.col("_stale").fill_null(value=False))
    kept = before.join(applied.select(key), on=list(key), how="anti", nulls_equal=True, maintain_order="left")
    new = applied.filter(~pl.col("_gone")).select(before.columns)
    unchanged = rows.height - counted["added"] - counted["changed"] - counted["removed"] - counted["stale"]
    return Merged(rows=pl.concat([kept, new]), unchanged=unchanged, **counted)


def _rows_of(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a return, without what belongs to the submission (`_organisation`, `_period`, `line`)."""
    return frame.drop([name for name in _PRIVATE if name in frame.columns])


def _like(current: pl.DataFrame | None, rows: pl.DataFrame) -> pl.DataFrame:
    """The current rows with the columns and types of the new ones (another version of the feed may differ)."""
    if current is None:
        return rows.clear()
    return current.select(
        pl.col(name).cast(kind, strict=False) if name in current.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in rows.schema.items()
    )


def _compared(before: pl.DataFrame, rows: pl.DataFrame, key: Sequence[str], provenance: Sequence[str]) -> pl.DataFrame:
    """The rows whose record was there before, with `_same`: whether its content is what it was."""
    content = [name for name in rows.columns if name not in key and name not in provenance]
    then = before.select(*key, *(pl.col(name).alias(f"{name}\0") for name in content))
    same = [pl.col(name).eq_missing(pl.col(f"{name}\0")) for name in content]
    joined = rows.join(then, on=list(key), how="inner", nulls_equal=True, maintain_order="left")
    return joined.select(*rows.columns, (pl.all_horizontal(same) if same else pl.lit(value=True)).alias("_same"))

"""Rows of a large file rest in buckets and come back whole: each return in one bucket, its rows in order."""

import polars as pl
import pytest

from services.ingest.commands import sorting
from services.ingest.commands.sorting import Sorter


def rows(first: int, count: int, **more: object) -> pl.DataFrame:
    numbers = pl.int_range(first, first + count, eager=True)
    period = pl.select(pl.format("2026-{}", (numbers % 12 + 1).cast(pl.String).str.zfill(2))).to_series()
    blank = pl.repeat(more.get("note"), count, dtype=pl.String, eager=True)
    return pl.DataFrame({"n": numbers, "note": blank, "never": pl.Series([None] * count, dtype=pl.String),
                         "_organisation": "RGT", "_period": period, "line": numbers + 2})  # fmt: skip


@pytest.fixture
def sorter(monkeypatch: pytest.MonkeyPatch) -> Sorter:
    monkeypatch.setattr(sorting, "_LARGE", 100)
    one = Sorter()
    for first, note in ((0, None), (80, "said"), (160, None)):
        one.add(rows(first, 80, note=note))
    return one


def test_each_return_is_in_one_bucket_with_its_rows_in_order(sorter: Sorter) -> None:
    buckets = list(sorter.buckets())

    assert len(buckets) > 1
    assert sum(one.height for one in buckets) == 240
    places = [period for one in buckets for period in one["_period"].unique()]
    assert len(places) == len(set(places)) == 12
    for one in buckets:
        for _, of_one in one.group_by("_period"):
            assert of_one["n"].is_sorted()


def test_columns_without_any_value_are_left_out_and_remembered(sorter: Sorter) -> None:
    whole = pl.concat(sorter.buckets(), how="diagonal")

    assert "never" in sorter.schema
    assert "never" not in whole.columns
    assert whole.filter(pl.col("note") == "said")["n"].sort().to_list() == list(range(80, 160))

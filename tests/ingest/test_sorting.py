"""Rows of a large file rest in buckets and come back whole: each return in one bucket, its rows in order."""

from typing import Any

import polars as pl
import pytest

from services.ingest.commands import sorting
from services.ingest.commands.sorting import Sorter
from services.ingest.rules.feeds import Feed
from tests.ingest.builders import as_csv, some_births
from tests.ingest.conftest import Ingest

FEED = Feed.from_spec(
    {
        "id": "f", "version": "1", "period": "month", "status_column": "note",
        "field": [{"name": "n", "type": "integer"}, *({"name": name, "type": "text"} for name in ("note", "never"))],
    }
)  # fmt: skip


def rows(first: int, count: int, note: str | None = None) -> pl.DataFrame:
    numbers = pl.int_range(first, first + count, eager=True)
    period = pl.select(pl.format("2026-{}", (numbers % 12 + 1).cast(pl.String).str.zfill(2))).to_series()
    blank = pl.repeat(note, count, dtype=pl.String, eager=True)
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
    buckets = [one.rows for one in sorter.buckets()]

    assert len(buckets) > 1
    assert sum(one.height for one in buckets) == 240
    places = [period for one in buckets for period in one["_period"].unique()]
    assert len(places) == len(set(places)) == 12
    for one in buckets:
        for _, of_one in one.group_by("_period"):
            assert of_one["n"].is_sorted()


def test_columns_without_any_value_are_left_out_and_remembered(sorter: Sorter) -> None:
    whole = pl.concat((one.rows for one in sorter.buckets()), how="diagonal")

    assert "never" in sorter.schema
    assert "never" not in whole.columns
    assert whole.filter(pl.col("note") == "said")["n"].sort().to_list() == list(range(80, 160))


def test_returns_of_many_rows_are_packed_as_they_come_and_no_row_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_LARGE", 100)
    monkeypatch.setattr(sorting, "_MANY", 10)
    sorter, last = Sorter(FEED), rows(240, 30, note="final").with_columns(_organisation=pl.lit("RGN"))
    for one in (rows(0, 120), rows(120, 120, note="final"), last):
        sorter.add(one)
    buckets = list(sorter.buckets())

    packed = [one.rows(place) for bucket in buckets for place, packs in bucket.packs.items() for one in packs]
    dealt = pl.concat([bucket.rows for bucket in buckets], how="diagonal")
    assert set(dealt["_organisation"]) == {"RGN"}
    assert {(*one["_organisation"].unique(), len(one)) for one in packed} == {("RGT", 10)}
    whole = pl.concat([*packed, dealt], how="diagonal").sort("n")
    assert whole.select("n", "_period", "line").equals(
        pl.concat([rows(0, 240), last]).select("n", "_period", "line").sort("n")
    )
    assert [one.final for bucket in buckets for packs in bucket.packs.values() for one in packs] == [False, True] * 12


def test_a_return_that_began_with_few_rows_stays_in_its_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_LARGE", 100)
    monkeypatch.setattr(sorting, "_MANY", 20)
    sorter = Sorter(FEED)
    for one in (rows(0, 120), rows(120, 300)):
        sorter.add(one)

    assert [(one.packs, one.rows.height) for one in sorter.buckets() if one.packs] == []


def the_same_file(ingest: Ingest, organisation: str) -> list[Any]:
    """What comes of a file of two months, of the same sent otherwise, of an older extract, and of the first again."""
    born = [
        row | {"provider_org_code": organisation, "extract_datetime": "2026-07-01T09:00", "submission_status": "final"}
        for month in ("2026-05", "2026-06")
        for row in some_births(30, month=month)
    ]
    for n, row in enumerate(born):
        row["baby_local_id"] = f"{organisation}{n}"
    otherwise = [row | {"births_per_labour": 2} for row in born[:20]] + born[25:]
    older = [row | {"extract_datetime": "2026-06-30T09:00"} for row in born]
    told: list[Any] = []
    for sent, dry_run in ((born, True), (born, False), (otherwise, False), (older, False), (born, False)):
        receipt = ingest.send(as_csv(sent), "births", dry_run=dry_run).json()
        found = ("status", "rows", "faults_total", "returns_total", "added", "changed", "removed")
        told.append({name: receipt.get(name) for name in found})
        told.append([(one["period"], one["version"]) for one in receipt["returns"]])
        told.append([(one["code"], one["count"], one["rows"]) for one in receipt["faults"]])
    return told


def test_a_file_that_is_packed_as_it_comes_is_dealt_with_like_any_other(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = the_same_file(ingest, "RGT")
    monkeypatch.setattr(sorting, "_LARGE", 20)
    monkeypatch.setattr(sorting, "_MANY", 5)

    assert the_same_file(ingest, "RGN") == plain
    held = ingest.get("/v1/returns", feed="births", organisation="RGN").json()
    assert {one["status"] for one in held["items"]} == {"final"}

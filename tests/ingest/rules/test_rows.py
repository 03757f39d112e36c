"""Rows as bytes and back."""

import numpy as np
import polars as pl
import pytest

from services.ingest.rules.rows import (
    JSON,
    LARGEST_PART,
    PARQUET,
    as_json,
    of_json,
    packed,
    packed_by_return,
    unpacked_with_places,
)


def unpacked(content_type, parts, feed):
    """The rows of one return, with its place."""
    return unpacked_with_places([(("RGT", "2026-10"), content_type, part) for part in parts], feed)


@pytest.fixture(scope="module")
def rows(judge, births):
    lines = [f"RGT,B{n},2026-10-05T10:30,01,275,36.8,true,2026-04-01,final\n" for n in range(70)]
    text = "provider,baby_id,born,outcome,gestation,temperature,admitted,booked,status\n" + "".join(lines)
    return judge(births, text).accepted.drop("line")


@pytest.mark.parametrize(("count", "kind"), [(0, JSON), (1, JSON), (64, JSON), (65, PARQUET)])
def test_rows_come_back_as_they_were(rows, births, count, kind):
    content_type, parts = packed(rows.head(count))

    assert content_type == kind
    back = unpacked(content_type, parts, births)
    said = rows.head(count)
    if kind == PARQUET:  # blank columns are left out
        said = said.select(name for name in said.columns if said[name].null_count() < count)
    assert back.select(said.columns).equals(said) if count else back.is_empty()


def test_many_rows_go_in_parts_below_the_limit(births):
    noise = np.random.default_rng(1).bytes(3_000_000).hex()
    frame = pl.DataFrame({"notes": [noise[at : at + 600] for at in range(0, len(noise), 600)]})
    content_type, parts = packed(frame)

    assert len(parts) > 3
    assert all(len(part) < LARGEST_PART for part in parts)
    assert unpacked(content_type, parts, births).select("notes").equals(frame)


def test_few_but_large_rows_are_not_sent_as_one_large_document(births):
    frame = pl.DataFrame({"notes": [np.random.default_rng(n).bytes(30_000).hex() for n in range(30)]})
    content_type, parts = packed(frame)

    assert all(len(part) < LARGEST_PART for part in parts)
    assert unpacked(content_type, parts, births).select("notes").equals(frame)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (64, 2), (65, 1), (70, 3)])
def test_rows_of_many_returns_are_packed_one_by_one_and_come_back_with_their_places(rows, births, sizes):
    places = [("RGT", f"2026-{month:02}") for month, size in enumerate(sizes, start=1) for _ in range(size)]
    frame = pl.concat([rows, rows, rows]).head(len(places)).with_columns(
        pl.Series("_organisation", [place[0] for place in places]), pl.Series("_period", [p[1] for p in places])
    )  # fmt: skip

    packs = list(packed_by_return(frame.sample(fraction=1, shuffle=True, seed=1)))
    back = unpacked_with_places([(place, kind, part) for place, _, kind, parts in packs for part in parts], births)

    assert [(place, size) for place, size, *_ in packs] == list(zip(dict.fromkeys(places), sizes, strict=True))
    assert back.select(frame.columns).sort("_period", "baby_id").equals(frame.sort("_period", "baby_id"))


def test_a_row_that_waits_comes_back_from_json_as_it_was(rows, births):
    waiting = rows.head(3).with_columns(line=pl.Series([4, 5, 9]), _organisation=pl.lit("R9Z"))

    back = of_json([as_json(row) for row in waiting.to_dicts()], births)

    assert back.equals(waiting)

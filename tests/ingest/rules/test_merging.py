"""Replacing and merging returns, counted record by record."""

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.rules.feeds import Feed
from services.ingest.rules.merging import merge

FEED = Feed.from_spec(
    {
        "id": "incidents",
        "version": "1",
        "period": "month",
        "mode": "merge",
        "key": ["id"],
        "extracted_at": "extracted",
        "field": [
            {"name": "id", "type": "integer"},
            {"name": "v", "type": "text"},
            {"name": "record_action", "type": "text"},
            {"name": "extracted", "type": "datetime"},
        ],
    }
)
SCHEMA = {
    "id": pl.Int64,
    "v": pl.String,
    "record_action": pl.String,
    "extracted": pl.Datetime("us"),
    "_organisation": pl.String,
    "_period": pl.String,
}
records = st.dictionaries(st.integers(0, 8), st.sampled_from(["x", "y", None]))


def frame(values, *, action="create", day=1, period="2026-10"):
    rows = [(key, v, action, datetime(2026, 10, day), "RGT", period) for key, v in values.items()]  # noqa: DTZ001
    return pl.DataFrame(rows, SCHEMA, orient="row")


def told(merged):
    return merged.added, merged.changed, merged.removed, merged.unchanged


def values(merged):
    return dict(merged.rows.select("id", "v").iter_rows())


@given(records, records)
def test_replacing_gives_the_rows_sent_and_counts_what_became_of_each_record(then, now):
    merged = merge(frame(then), frame(now), feed=FEED, mode="replace")

    both = now.keys() & then.keys()
    changed = sum(then[key] != now[key] for key in both)
    assert values(merged) == now
    assert told(merged) == (len(now.keys() - then.keys()), changed, len(then.keys() - now.keys()), len(both) - changed)
    assert bool(merged.altered) == (then != now)


@given(records, records)
def test_merging_keeps_what_was_not_sent(then, now):
    merged = merge(frame(then), frame(now), feed=FEED, mode="merge")

    both = now.keys() & then.keys()
    changed = sum(then[key] != now[key] for key in both)
    assert values(merged) == then | now
    assert told(merged) == (len(now.keys() - then.keys()), changed, 0, len(both) - changed)


@given(records, records)
def test_sending_the_same_again_alters_nothing(then, now):
    once = merge(frame(then), frame(now), feed=FEED, mode="merge")
    twice = merge(once.rows, frame(now), feed=FEED, mode="merge")

    assert not twice.altered
    assert values(twice) == values(once)


def test_the_first_return_is_all_added():
    merged = merge(None, frame({1: "x", 2: "y"}), feed=FEED, mode="replace")

    assert told(merged) == (2, 0, 0, 0)
    assert merged.altered == {("RGT", "2026-10")}


def test_records_are_deleted_by_their_action():
    sent = pl.concat([frame({2: None, 3: None}, action="delete"), frame({4: "z"})])
    merged = merge(frame({1: "x", 2: "y"}), sent, feed=FEED, mode="merge")

    assert values(merged) == {1: "x", 4: "z"}
    assert told(merged) == (1, 0, 1, 1)


@pytest.mark.parametrize(("day", "value", "stale"), [(2, "old", 1), (3, "new", 0), (4, "new", 0)])
def test_an_older_extract_never_overwrites_a_newer(day, value, stale):
    sent = frame({1: "new"}, day=day).with_columns(pl.lit(2, dtype=pl.Int64).alias("line"))
    merged = merge(frame({1: "old"}, day=3), sent, feed=FEED, mode="merge")

    assert values(merged) == {1: value}
    assert (merged.stale, merged.changed, merged.unchanged) == (stale, 1 - stale, 0)


@pytest.mark.parametrize("action", ["create", None])
def test_an_older_extract_that_says_the_same_makes_no_record_older(action):
    sent = frame({1: "x", 2: "y"}, action=action, day=3)
    merged = merge(frame({1: "x"}, day=5), sent, feed=FEED, mode="merge")
    late = frame({1: "old"}, day=4).with_columns(pl.lit(2, dtype=pl.Int64).alias("line"))
    again = merge(merged.rows, late, feed=FEED, mode="merge")

    assert told(merged) == (1, 0, 0, 1)
    assert values(merged) == values(again) == {1: "x", 2: "y"}
    assert again.stale == 1


def test_an_older_extract_deletes_no_newer_record():
    sent = frame({1: "x"}, action="delete", day=3).with_columns(pl.lit(2, dtype=pl.Int64).alias("line"))
    merged = merge(frame({1: "x"}, day=5), sent, feed=FEED, mode="merge")

    assert values(merged) == {1: "x"}
    assert (merged.stale, merged.removed) == (1, 0)


def test_a_later_extract_that_says_the_same_is_no_change():
    merged = merge(frame({1: "x"}, day=1), frame({1: "x"}, day=9), feed=FEED, mode="merge")

    assert told(merged) == (0, 0, 0, 1)
    assert not merged.altered


def test_the_same_key_in_another_period_is_another_record():
    merged = merge(frame({1: "x"}), frame({1: "y"}, period="2026-09"), feed=FEED, mode="merge")

    assert told(merged) == (1, 0, 0, 0)
    assert merged.altered == {("RGT", "2026-09")}

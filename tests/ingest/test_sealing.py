"""Rows are made pseudonyms beside the reading of the next, and keep their order."""

import polars as pl
import pytest
from pydantic import SecretStr

from services.ingest.commands.sealing import Sealing
from services.ingest.rules.faults import Unreadable
from services.ingest.rules.feeds import Feed
from services.ingest.settings import IngestSettings

FEED = Feed.from_spec(
    {
        "id": "f", "version": "1", "period": "month",
        "field": [{"name": "id", "type": "text", "identifier": "local"}, {"name": "n", "type": "integer"}],
    }
)  # fmt: skip
SETTINGS = IngestSettings(database_url=SecretStr("x"), principal_key="x", pseudonym_key=SecretStr("k" * 64))


def rows(first: int, count: int) -> pl.DataFrame:
    numbers = pl.int_range(first, first + count, eager=True)
    return pl.DataFrame({"id": numbers.cast(pl.String), "n": numbers, "_organisation": "RGT", "_period": "2026-05"})


def test_large_and_small_blocks_are_handed_on_in_the_order_they_came_without_identifiers() -> None:
    taken: list[pl.DataFrame] = []
    with Sealing(FEED, SETTINGS, taken.append) as sealing:
        for first, count in ((0, 10), (10, 3000), (3010, 5), (3015, 4000), (7015, 1)):
            sealing.add(rows(first, count))
    whole = pl.concat(taken)

    assert whole["n"].to_list() == list(range(7016))
    assert whole["id"].str.contains("^1:[0-9a-f]{32}$").all()
    assert whole["id"].n_unique() == 7016


def cut_off(taken: list[pl.DataFrame]) -> None:
    with Sealing(FEED, SETTINGS, taken.append) as sealing:
        sealing.add(rows(0, 3000))
        raise Unreadable("cut-off", "The file ends in the middle of a row.")


def test_what_is_in_hand_goes_nowhere_when_the_file_turns_out_to_be_unreadable() -> None:
    taken: list[pl.DataFrame] = []
    with pytest.raises(Unreadable):
        cut_off(taken)

    assert taken == []

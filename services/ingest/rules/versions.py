"""Which version of a feed rows were written for, where more than one may be sent."""

from collections.abc import Sequence

import polars as pl

from services.ingest.rules.feeds import Feed
from services.ingest.rules.headers import match_header

VERSION = "schema_version"
LIVE = 2
"""How many versions of a feed may be sent: the newest, and the one that it took the place of."""


def recognised(live: Sequence[Feed], rows: pl.DataFrame) -> Feed:
    """Of these versions (newest first) the one that the rows name, or the newest that lacks no column it needs.

    `rows` are the first of the file, text cells with columns as sent. A version that may not be sent, or more than
    one, is as good as none named; where every version lacks a column it is the newest that says so.
    """
    named = {name for feed in live for name in _named(feed, rows)}
    for feed in live:
        if named == {feed.version}:
            return feed
    return next((feed for feed in live if not _lacking(feed, rows.columns)), live[0])


def _named(feed: Feed, rows: pl.DataFrame) -> list[str]:
    sent = [column for column, name in match_header(feed, rows.columns).columns.items() if name == VERSION]
    return [text.strip() for text in rows[sent[0]].drop_nulls().unique()] if sent else []


def _lacking(feed: Feed, columns: Sequence[str]) -> bool:
    absent = match_header(feed, columns).absent
    placing = {*feed.organisation, *feed.period_columns}
    return any(
        feed.by_name[name].required and feed.by_name[name].default is None and name not in placing for name in absent
    )

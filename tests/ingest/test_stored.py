"""Rows of large returns are written once: the outbox names their place, and the relay reads them there."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from services.ingest.queries.stored import ROWS_AT
from services.ingest.rules.rows import JSON, PARQUET
from shared.messaging.bus import Message
from shared.messaging.outbox import Relay
from tests.ingest.builders import as_csv, some_births
from tests.ingest.conftest import Ingest


class Taking:
    """A bus that takes what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        self.messages += messages


def relayed(ingest: Ingest) -> list[Message]:
    """What the relay carries, of returns."""
    bus = Taking()
    while Relay(ingest.database, bus, stored=ROWS_AT).step():  # type: ignore[arg-type]
        pass
    return [one for one in bus.messages if one.topic == "ingest.returns.v1"]


def held(ingest: Ingest) -> list[Any]:
    with ingest.database.session() as session:
        return list(session.execute(text("select rows from return_part order by version_id, part")).scalars())


def test_large_and_small_returns_are_sent_with_their_rows(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(70, month="2026-05") + some_births(3, month="2026-06")), "births")
    with ingest.database.session() as session:
        query = "select body is null from outbox where topic = 'ingest.returns.v1' order by position"
        apart = list(session.execute(text(query)).scalars())
    sent = relayed(ingest)

    assert apart == [True, False]
    assert [one.headers["content-type"] for one in sent] == [PARQUET, JSON]
    assert sorted(one.body for one in sent) == sorted(held(ingest))


def test_a_return_that_stands_again_after_a_withdrawal_is_sent_with_its_rows(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(70)), "births")
    (first,) = relayed(ingest)
    second = ingest.send(as_csv(some_births(70, births_per_labour=2)), "births").json()
    ingest.client.delete(second["links"]["self"], headers=ingest.as_())
    changed, again = relayed(ingest)

    assert (first.body, changed.body != first.body, again.body) == (first.body, True, first.body)

"""What a caller in the sandbox supposes: rows are judged by the code that always does, nothing accepted is lost."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.ingest.queries.stored import ROWS_AT
from services.ingest.rules.reference import LONG_AGO
from shared.db import now
from shared.messaging.bus import Message
from shared.messaging.outbox import Relay
from shared.principal import AS_IT_IS, Supposed
from tests.ingest.builders import an_organisation, as_csv, some_counts
from tests.ingest.conftest import Ingest

CLOSED, AWAY = Supposed(closed=True), Supposed(outage=3600.0)
FILE = as_csv(some_counts(months=2))
DAY = timedelta(days=1)


class Listening:
    """A bus of which only what it was given is known."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        self.heard.extend(messages)


def relay(ingest: Ingest, bus: Listening, *, later: timedelta = timedelta()) -> Relay:
    return Relay(ingest.database, bus, stored=ROWS_AT, clock=lambda: now() + later)  # type: ignore[arg-type]


def send(ingest: Ingest, supposed: Supposed = AS_IT_IS, **params: Any) -> dict[str, Any]:
    answer = ingest.send(FILE, who=ingest.as_(supposed=supposed), **params)
    assert answer.status_code == 201, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


@pytest.mark.parametrize("dry_run", [False, True])
def test_rows_of_a_closed_organisation_are_refused_as_if_it_had_really_closed(ingest: Ingest, dry_run: bool) -> None:
    supposed = send(ingest, CLOSED, dry_run=dry_run)

    ingest.hear(an_organisation("RGT", within=("QUE",), opened=None, closed=LONG_AGO))
    really = send(ingest, dry_run=dry_run)

    (fault,) = supposed["faults"]
    assert (supposed["status"], supposed["rows"]["rejected"]) == ("rejected", 2)
    assert (fault["code"], fault["column"], fault["found"]) == ("organisation-closed", "organisation", "RGT")
    assert supposed["faults"] == really["faults"]


def test_what_was_refused_of_a_closed_organisation_lands_when_it_is_tried_again_without(ingest: Ingest) -> None:
    receipt = send(ingest, CLOSED)
    assert ingest.get("/v1/returns").json()["items"] == []

    for line in (2, 3):
        answer = ingest.client.post(f"/v1/quarantine/{receipt['id']}/{line}/replay", json={}, headers=ingest.as_())

    assert answer.json()["receipt"]["status"] == "accepted"


def test_while_kafka_is_away_a_submission_is_accepted_and_nobody_is_told_until_it_is_back(ingest: Ingest) -> None:
    bus = Listening()
    receipt = send(ingest, AWAY)

    assert (receipt["status"], receipt["rows"]["accepted"]) == ("accepted", 2)
    assert len(ingest.get("/v1/returns").json()["items"]) == 2
    assert relay(ingest, bus).step() == 0

    assert relay(ingest, bus, later=DAY).step() == 3
    assert [one.headers["ce_type"].split(".")[-2] for one in bus.heard] == [
        "return-published", "return-published", "submission-completed"
    ]  # fmt: skip


def test_what_is_sent_after_it_is_told_after_it(ingest: Ingest) -> None:
    bus = Listening()
    away = send(ingest, AWAY)
    later = ingest.send(as_csv(some_counts(months=1, organisation="RGN"))).json()

    assert relay(ingest, bus).step() == 0
    relay(ingest, bus, later=DAY).step()

    told = [one.key for one in bus.heard if one.headers["ce_type"].endswith("submission-completed.v1")]
    assert told == [away["id"], later["id"]]

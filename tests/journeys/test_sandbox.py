"""The sandbox as a sender's client meets it: the same file in each scenario, by a gateway that honours them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deploy.services import create_app, protocol
from deploy.serving import Server
from gateway import sandbox
from gateway.sandbox import Scenario
from shared.db import now
from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey, figures

TRUST, CLOSED, MEASURE = "RX1", "RAP", "mn-preterm"


@pytest.fixture(scope="module")
def door(journey: Journey) -> Iterator[httpx.Client]:
    """A supplier at a second gateway of the platform, which is in the sandbox."""
    environment = journey.platform.environment.model_copy(update={"sandbox": True})
    bearer = {"Authorization": journey.http("supplier").headers["Authorization"]}
    with (
        Server(create_app("gateway", environment), protocol=protocol("gateway")) as server,
        httpx.Client(base_url=server.url, headers=bearer, timeout=60) as client,
    ):
        yield client


def send(
    door: httpx.Client, period: str, scenario: str | None = None, *, organisation: str = TRUST, **params: Any
) -> httpx.Response:
    row = {"organisation": organisation, "period": period, "measure": MEASURE, "numerator": 31, "denominator": 400}
    headers = {"Content-Type": "text/csv"} | ({"X-Scenario": scenario} if scenario else {})
    return door.post(
        "/v1/submissions", params={"feed": "measure-counts", **params}, content=as_csv([row]), headers=headers
    )


def shown(journey: Journey) -> set[str]:
    told = figures(journey.as_("supplier").series(MEASURE, TRUST).document)
    return {period for period, (numerator, _) in told.items() if numerator is not None}


def move(journey: Journey) -> None:
    """Let everything move that can."""
    while sum(worker.step() for worker in journey.platform.workers.values()):
        pass


def test_slow_is_answered_all_the_same(door: httpx.Client, journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sandbox.SCENARIOS, "slow", Scenario(seconds=0.01))  # type: ignore[misc]

    answer = send(door, "2024-01", "slow")
    journey.settle()

    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    assert "2024-01" in shown(journey)


def test_busy_does_nothing_and_says_when_to_come_again(door: httpx.Client) -> None:
    answer = send(door, "2024-02", "busy")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(sandbox.BUSY_SECONDS))
    assert send(door, "2024-02").json()["effect"]["added"] == 1


def test_a_quarter_later_this_month_is_missing_and_what_is_sent_is_received_now(door: httpx.Client) -> None:
    month = f"{datetime.now(UTC):%Y-%m}"
    asked = {"feed": "measure-counts", "organisation": TRUST, "from": month, "to": month}

    receipt = send(door, "2024-03", "late-return").json()
    stands = [
        door.get("/v1/calendar", params=asked, headers=headers).json()["items"][0]["status"]
        for headers in ({}, {"X-Scenario": "late-return"})
    ]

    assert stands == ["due", "missing"]
    assert datetime.fromisoformat(receipt["received_at"]) <= now()


@pytest.mark.parametrize("dry_run", ["true", "false"])
def test_a_closed_organisation_is_refused_as_one_that_has_really_closed(door: httpx.Client, dry_run: str) -> None:
    receipt = send(door, "2025-12", "org-closed", dry_run=dry_run).json()

    (fault,) = receipt["faults"]
    (really,) = send(door, "2025-12", organisation=CLOSED, dry_run="true").json()["faults"]
    assert (receipt["status"], fault["code"]) == ("rejected", "organisation-closed")
    assert fault["hint"].startswith(f"{TRUST} closed on ")
    assert fault == really | {"found": TRUST, "hint": fault["hint"]}
    assert send(door, "2025-12").json()["status"] == "accepted"


def test_while_kafka_is_down_a_receipt_is_given_and_its_figure_follows(
    door: httpx.Client, journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sandbox.SCENARIOS, "kafka-down", Scenario(outage=3600.0))  # type: ignore[misc]
    journey.settle()

    answer = send(door, "2024-04", "kafka-down")
    behind = send(door, "2024-05")
    move(journey)

    receipt = answer.json()
    assert (answer.status_code, receipt["status"], behind.json()["status"]) == (202, "accepted", "accepted")
    assert door.get(f"/v1/submissions/{receipt['id']}").json() == receipt
    assert not {"2024-04", "2024-05"} & shown(journey)

    relay = journey.platform.workers["ingest"].relay
    monkeypatch.setattr(relay, "clock", lambda: now() + timedelta(days=1))
    journey.settle()
    assert {"2024-04", "2024-05"} <= shown(journey)

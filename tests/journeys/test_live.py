"""Somebody posts; those who may know are told as it happens."""

from typing import Any

from psip import Client, LiveEvent
from tests.journeys.journey import Journey


def a_figure(organisation: str, period: str, numerator: int = 12) -> list[dict[str, Any]]:
    return [{"organisation": organisation, "period": period, "measure": "ss-pu", "numerator": numerator,
             "denominator": 9000}]  # fmt: skip


def place_of(journey: Journey, role: str) -> str:
    """Where the log stands now: a webhook begins with the present."""
    http = journey.http(role)
    one = http.post("/v1/webhooks", json={"url": "https://93.184.215.14/"}).json()
    assert http.delete(f"/v1/webhooks/{one['id']}").status_code == 204
    return str(one["cursor"])


def told(client: Client, after: str, count: int, **wanted: Any) -> list[LiveEvent]:
    with client.stream(after=after, **wanted) as stream:
        return [next(stream) for _ in range(count)]


def test_a_submission_is_told_to_its_sender_and_its_figures_to_whoever_looks(journey: Journey) -> None:
    journey.introduce("live-trust", "RXC", like="trust")
    sender, onlooker, public = (journey.as_(role) for role in ("live-trust", "analyst", "front_end"))
    after = place_of(journey, "live-trust")

    receipt = sender.wait(sender.submit(a_figure("RXC", "2024-05"), feed="measure-counts"))
    journey.settle()

    submission, cells = sorted(told(sender, after, 2, organisations=["RXC"]), key=lambda one: one.name, reverse=True)
    assert (submission.name, submission.data["id"]) == ("submission.completed", receipt.id)
    assert sender.get(submission.data["links"]["submission"])["status"] == "accepted"
    assert (cells.name, cells.data["submissions"]) == ("cells.changed", [receipt.id])
    for client in (onlooker, public):
        (seen,) = told(client, after, 1, organisations=["RXC"])
        assert seen.name == "cells.changed"
        assert seen.data == {name: value for name, value in cells.data.items() if name != "submissions"}


def test_a_webhook_of_the_sandbox_is_not_for_production(journey: Journey) -> None:
    """This platform is no sandbox: it calls nobody on this machine, whoever asks."""
    answer = journey.http("analyst").post("/v1/webhooks", json={"url": "http://127.0.0.1:9/"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-webhook")

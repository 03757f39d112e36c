"""What the platform knew at an instant stays known, whatever came later."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey, figures

MEASURE, MONTH = "ss-falls", "2025-04"
FIRST, REVISED, OTHERS = (61, 20000), (88, 20500), (33, 11000)


def send(journey: Journey, organisation: str, pair: tuple[int, int]) -> Any:
    row = {"organisation": organisation, "period": MONTH, "measure": MEASURE, "numerator": pair[0],
           "denominator": pair[1]}  # fmt: skip
    receipt = journey.as_("supplier").submit(as_csv([row]), feed="measure-counts")
    journey.settle()
    return receipt


@pytest.fixture(scope="module")
def instants(journey: Journey) -> list[datetime]:
    """When what was known had changed: a first figure, another trust's, and the revision of the first."""
    found = []
    for organisation, pair in (("RR8", FIRST), ("RCF", OTHERS), ("RR8", REVISED)):
        send(journey, organisation, pair)
        told = journey.as_("supplier").chart(MEASURE, "QWO")
        found.append(datetime.fromisoformat(told["as_of"]))
    return found


def at(journey: Journey, organisation: str, known_at: datetime) -> dict[str, Any]:
    return figures(journey.as_("supplier").chart(MEASURE, organisation, known_at=known_at))


def test_a_trust_is_shown_as_it_was_known(journey: Journey, instants: list[datetime]) -> None:
    first, _, revised = instants

    assert at(journey, "RR8", first) == {MONTH: FIRST}
    assert at(journey, "RR8", revised) == {MONTH: REVISED}


def test_an_aggregate_is_shown_as_it_was_known(journey: Journey, instants: list[datetime]) -> None:
    both = (FIRST[0] + OTHERS[0], FIRST[1] + OTHERS[1])
    now = (REVISED[0] + OTHERS[0], REVISED[1] + OTHERS[1])

    assert [at(journey, "QWO", one) for one in instants] == [{MONTH: FIRST}, {MONTH: both}, {MONTH: now}]


def test_before_the_first_figure_nothing_was_known(journey: Journey, instants: list[datetime]) -> None:
    assert at(journey, "RR8", instants[0] - timedelta(seconds=60)) == {}


def test_each_figure_as_known_names_the_version_it_came_from(journey: Journey, instants: list[datetime]) -> None:
    supplier = journey.as_("supplier")
    versions = supplier.get("/v1/returns", feed="measure-counts", organisation="RR8", period=MONTH)["items"]
    assert [one["version"] for one in versions] == [1, 2]

    named = [supplier.series(MEASURE, "RR8", known_at=one).items[0]["versions"] for one in (instants[0], instants[-1])]

    assert named == [[one["id"]] for one in versions]


def test_an_answer_as_known_can_be_asked_for_again_by_its_own_words(journey: Journey, instants: list[datetime]) -> None:
    supplier = journey.as_("supplier")
    told = supplier.chart(MEASURE, "QWO", known_at=instants[1])

    again = supplier.chart(MEASURE, "QWO", known_at=datetime.fromisoformat(told["as_of"]))

    assert again["points"] == told["points"]
    assert again["data_version"] == told["data_version"]

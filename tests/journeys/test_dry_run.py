"""A dry run: what would change is told, nothing is, and sending the same file then changes just that."""

from typing import Any

from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey, figures

TRUST, MEASURE = "RXW", "mn-preterm"
MONTHS = [f"{2024 + number // 12}-{number % 12 + 1:02}" for number in range(24)]


def a_month(period: str, numerator: int) -> dict[str, Any]:
    return {
        "organisation": TRUST, "period": period, "measure": MEASURE, "numerator": numerator, "denominator": 400,
    }  # fmt: skip


def dry(journey: Journey, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return journey.as_("national").submit(as_csv(rows), feed="measure-counts", dry_run=True).document["consequences"]


def test_what_a_dry_run_foretells_is_what_happens(journey: Journey) -> None:
    national = journey.as_("national")
    national.submit(
        as_csv([a_month(month, 31 + number % 3) for number, month in enumerate(MONTHS[:16])]), feed="measure-counts"
    )
    journey.settle()
    before = figures(national.series(MEASURE, TRUST).document)
    later = [a_month(MONTHS[15], 33), *(a_month(month, 12) for month in MONTHS[16:])]

    told = dry(journey, later)
    journey.settle()

    assert figures(national.series(MEASURE, TRUST).document) == before, "a dry run changed something"
    assert told["notices"] == []
    national.submit(as_csv(later), feed="measure-counts")
    journey.settle()
    after = figures(national.series(MEASURE, TRUST).document)
    moved = {period for period in {*before, *after} if before.get(period) != after.get(period)}
    assert {one["period"] for one in told["cells"] if one["measure"] == MEASURE} == moved
    assert told["cells_total"] == len(moved)
    for one in told["cells"]:
        assert (one["after"]["numerator"], one["after"]["denominator"]) == after[one["period"]]
        assert (one["before"] is None) == (one["period"] not in before)
    signals = national.get("/v1/signals", organisation=TRUST, measure=MEASURE)["items"]
    assert [(one["variation"], one["state"]) for one in signals] == [  # it is told once, when the first months are in
        (one["variation"], one["state"]) for one in told["signals"]
    ]
    assert signals, "eight months far below the others are a signal"
    for target in told["targets"]:
        now = national.get(f"/v1/targets/{target['id']}/progress", organisation=TRUST)
        assert (now["status"], now["now"]) == (target["after"]["status"], target["after"]["now"])
        assert target["before"] != target["after"]
    assert told["targets"], "there is a target for preterm births in every trust"


def test_a_dry_run_of_what_is_there_already_foretells_nothing(journey: Journey) -> None:
    rows = [a_month("2023-11", 30)]
    journey.as_("national").submit(as_csv(rows), feed="measure-counts")
    journey.settle()

    told = dry(journey, rows)

    assert (told["cells"], told["cells_total"], told["signals"], told["targets"]) == ([], 0, [], [])

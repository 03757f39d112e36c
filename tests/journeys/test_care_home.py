"""Care homes: a national file, a week with nothing to report, a home that nobody knows yet."""

from typing import Any

from deploy.demo.organisations import homes
from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey, figures, statuses

SUNDAY, WEEK = "2025-05-18", "2025-W20"
BY_CODE = {home.code: home for home in homes()}
IN_MANCHESTER = [home for home in homes() if home.area.since == "QOP"]


def a_week(cqc: str, *, falls: int, days: int, sunday: str = SUNDAY) -> dict[str, Any]:
    return {"CQC Location ID": cqc, "week_ending": sunday, "maximum_capacity": 90, "occupied": days // 7,
            "resident_days": days, "falls": falls, "falls_with_injury": 0, "med_errors": 1}  # fmt: skip


def test_a_national_file_is_on_the_chart_of_every_home_and_of_what_holds_them(journey: Journey) -> None:
    rows = [a_week(home.cqc, falls=8 + n, days=210 + 7 * n) for n, home in enumerate(IN_MANCHESTER)]

    receipt = journey.as_("supplier").submit(as_csv(rows), feed="care-home-weekly")
    journey.settle()

    national = journey.as_("national")
    assert (receipt.status, receipt.document["returns_total"]) == ("accepted", len(rows))
    for row, home in zip(rows, IN_MANCHESTER, strict=True):
        assert figures(national.chart("ch-falls", home.code)) == {WEEK: (row["falls"], row["resident_days"])}
    whole = (sum(row["falls"] for row in rows), sum(row["resident_days"] for row in rows))
    assert figures(national.chart("ch-falls", "QOP")) == {WEEK: whole}
    (item,) = national.series("ch-falls", "MAN").items
    assert (item["value"], item["completeness"]) == (1000 * whole[0] / whole[1], 1.0)


def test_nothing_to_report_is_neither_zero_nor_silence(journey: Journey) -> None:
    supplier, home = journey.as_("supplier"), BY_CODE["VN073"]
    supplier.submit([a_week(home.cqc, falls=4, days=210)], feed="care-home-weekly")
    supplier.submit(None, feed="care-home-weekly", organisation=home.cqc, period="2025-W21")
    supplier.submit([a_week(home.cqc, falls=0, days=210, sunday="2025-06-08")], feed="care-home-weekly")

    journey.settle()

    assert statuses(supplier.series("ch-falls", "VN073").document) == {
        "2025-W20": "value",
        "2025-W21": "nil_return",
        "2025-W22": "not_submitted",
        "2025-W23": "zero",
    }


def test_a_home_sends_its_own_week_without_saying_who_it_is(journey: Journey) -> None:
    week = {name: value for name, value in a_week("", falls=5, days=420).items() if name != "CQC Location ID"}
    journey.as_("care_home").submit(as_csv([week]), feed="care-home-weekly")
    journey.settle()

    assert figures(journey.as_("care_home").chart("ch-falls", "VN001"))[WEEK] == (5, 420)


def test_rows_of_a_home_that_nobody_knows_wait_and_land_when_it_is_registered(journey: Journey) -> None:
    supplier, cqc = journey.as_("supplier"), "1-1234567890"
    rows = [a_week(cqc, falls=6, days=280), a_week(BY_CODE["VN074"].cqc, falls=3, days=140)]
    receipt = supplier.submit(as_csv(rows), feed="care-home-weekly")
    assert (receipt.rows["waiting"], receipt.rows["accepted"]) == (1, 1)
    assert "unknown-organisation" in {fault["code"] for fault in receipt.faults}

    journey.as_("national").post(
        "/v1/organisations",
        {"code": "VX001", "name": "The Larches", "kind": "care_home", "identifiers": {"cqc": cqc},
         "opened": "2010-04-01", "edges": [{"parent": "QWO", "hierarchy": "icb"}]},
    )  # fmt: skip
    journey.settle()

    landed = supplier.get(f"/v1/submissions/{receipt.id}")
    assert (landed["status"], landed["rows"]["waiting"], landed["rows"]["accepted"]) == ("accepted", 0, 2)
    assert not {fault["code"] for fault in landed["faults"] if fault["code"].startswith("unknown-")}
    assert figures(supplier.chart("ch-falls", cqc)) == {WEEK: (6, 280)}
    assert figures(supplier.chart("ch-falls", "VN074")) == {WEEK: (3, 140)}

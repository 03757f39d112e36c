"""A trust posts its births, and its chart shows them."""

from tests.ingest.builders import as_csv, some_births
from tests.journeys.journey import Journey, figures, statuses

MEASURE = "mn-preterm"
EARLY, TERM = 230, 280


def a_month(month: str, *, early: int, term: int, organisation: str) -> list[dict[str, object]]:
    rows = some_births(early + term, month=month, organisation=organisation)
    return [row | {"gestation_length_at_birth": EARLY if n < early else TERM} for n, row in enumerate(rows)]


def test_a_trust_posts_its_births_and_its_chart_shows_them(journey: Journey) -> None:
    trust = journey.as_("trust")
    months = {f"2025-{month:02}": (9 + month % 3, 70 + month) for month in range(1, 13)}
    rows = [row for month, (early, term) in months.items()
            for row in a_month(month, early=early, term=term, organisation="RGT")]  # fmt: skip

    receipt = trust.wait(trust.submit(as_csv(rows), feed="births"))
    journey.settle()

    assert receipt.status == "accepted"
    assert receipt.rows["accepted"] == len(rows)
    chart = trust.chart(MEASURE, "RGT")
    assert figures(chart) == {month: (early, early + term) for month, (early, term) in months.items()}
    events, births = (sum(pair[n] for pair in figures(chart).values()) for n in (0, 1))
    centre = 100 * events / births
    assert {round(point["centre"], 9) for point in chart["points"]} == {round(centre, 9)}
    assert chart["variation"] == "common_cause"


def test_each_figure_names_the_return_it_comes_from(journey: Journey) -> None:
    supplier = journey.as_("supplier")
    supplier.submit(a_month("2025-01", early=9, term=60, organisation="RD8"), feed="births")
    journey.settle()

    (version,) = supplier.get("/v1/returns", feed="births", organisation="RD8")["items"]
    (item,) = supplier.series(MEASURE, "RD8").items

    assert item["versions"] == [version["id"]]


def test_a_correction_is_version_two_and_the_chart_still_knows_what_it_showed(journey: Journey) -> None:
    supplier = journey.as_("supplier")
    supplier.submit(a_month("2025-03", early=9, term=60, organisation="RGN"), feed="births")
    journey.settle()
    before = supplier.chart(MEASURE, "RGN")

    corrected = supplier.submit(a_month("2025-03", early=12, term=80, organisation="RGN"), feed="births")
    journey.settle()

    assert [(one["period"], one["version"]) for one in corrected.returns] == [("2025-03", 2)]
    assert figures(supplier.chart(MEASURE, "RGN")) == {"2025-03": (12, 92)}
    assert figures(supplier.chart(MEASURE, "RGN", known_at=before["as_of"])) == {"2025-03": (9, 69)}


def test_the_same_rows_again_are_no_news(journey: Journey) -> None:
    supplier = journey.as_("supplier")
    rows = as_csv(a_month("2025-03", early=9, term=60, organisation="RQW"))
    first = supplier.submit(rows, feed="births")

    again = supplier.submit(rows, feed="births")
    journey.settle()

    assert (again.rows["unchanged"], again.rows["accepted"]) == (69, 0)
    assert again.document["repeat_of"] == first.id
    assert again.returns == []
    assert figures(supplier.chart(MEASURE, "RQW")) == {"2025-03": (9, 69)}


def test_a_withdrawn_correction_leaves_what_was_there_before(journey: Journey) -> None:
    supplier = journey.as_("supplier")
    supplier.submit(a_month("2025-03", early=9, term=60, organisation="RWG"), feed="births")
    wrong = supplier.submit(a_month("2025-03", early=40, term=60, organisation="RWG"), feed="births")
    journey.settle()
    assert figures(supplier.chart(MEASURE, "RWG")) == {"2025-03": (40, 100)}

    answer = journey.http("supplier").delete(f"/v1/submissions/{wrong.id}")
    journey.settle()

    assert (answer.status_code, answer.json()["status"]) == (200, "withdrawn")
    assert figures(supplier.chart(MEASURE, "RWG")) == {"2025-03": (9, 69)}


def test_a_withdrawn_first_return_leaves_nothing(journey: Journey) -> None:
    supplier = journey.as_("supplier")
    only = supplier.submit(a_month("2025-03", early=9, term=60, organisation="RWH"), feed="births")
    journey.settle()
    assert figures(supplier.chart(MEASURE, "RWH")) == {"2025-03": (9, 69)}

    journey.http("supplier").delete(f"/v1/submissions/{only.id}")
    journey.settle()

    assert not any(numerator for numerator, _ in figures(supplier.chart(MEASURE, "RWH")).values())


def test_bad_rows_are_told_good_rows_land_and_the_mended_file_completes_them(journey: Journey) -> None:
    supplier = journey.as_("supplier")
    good = a_month("2025-03", early=9, term=60, organisation="RGR")
    bad = [row | {"ethnic_category": "Q9"} if n in (3, 10) else row for n, row in enumerate(good)]

    receipt = supplier.submit(as_csv(bad), feed="births")
    journey.settle()

    assert (receipt.status, receipt.rows["rejected"]) == ("partly_accepted", 2)
    (fault,) = [fault for fault in receipt.faults if fault["severity"] == "error"]
    assert (fault["column"], fault["found"], fault["rows"]) == ("ethnic_category", "Q9", [5, 12])
    assert figures(supplier.chart(MEASURE, "RGR")) == {"2025-03": (8, 67)}

    mended = supplier.submit(as_csv(good), feed="births")
    journey.settle()

    assert mended.status == "accepted"
    assert figures(supplier.chart(MEASURE, "RGR")) == {"2025-03": (9, 69)}


def test_a_quarantined_month_is_mended_by_the_rejected_rows_sent_back(journey: Journey) -> None:
    supplier, http = journey.as_("supplier"), journey.http("supplier")
    for month in ("2025-03", "2025-05"):
        supplier.submit(as_csv(a_month(month, early=9, term=60, organisation="RVV")), feed="births")
    bad = [row | {"ethnic_category": "Q9"} for row in a_month("2025-04", early=8, term=60, organisation="RVV")]
    receipt = supplier.submit(as_csv(bad), feed="births")
    journey.settle()
    assert statuses(supplier.chart(MEASURE, "RVV"))["2025-04"] == "quarantined"

    rejected = http.get(f"/v1/submissions/{receipt.id}/rejected").text
    mended = supplier.submit(rejected.replace(",Q9,", ",N,").encode(), feed="births")
    journey.settle()

    assert mended.status == "accepted"
    assert figures(supplier.chart(MEASURE, "RVV"))["2025-04"] == (8, 68)
    asked = {"organisation": "RVV", "limit": 100}
    assert http.get("/v1/quarantine", params=asked).json()["items"] == []
    settled = http.get("/v1/quarantine", params=asked | {"status": "corrected"}).json()["items"]
    assert {(one["submission"], one["reason"]) for one in settled} == {(receipt.id, f"sent again in {mended.id}")}
    assert len(settled) == len(bad)


def test_a_dry_run_tells_everything_and_changes_nothing(journey: Journey) -> None:
    supplier = journey.as_("supplier")

    receipt = supplier.submit(a_month("2025-03", early=9, term=60, organisation="RCX"), feed="births", dry_run=True)
    journey.settle()

    assert (receipt.status, receipt.rows["accepted"]) == ("accepted", 69)
    assert supplier.get("/v1/returns", feed="births", organisation="RCX")["items"] == []
    assert supplier.chart(MEASURE, "RCX")["points"] == []

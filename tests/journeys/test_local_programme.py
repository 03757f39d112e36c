"""A safety collaborative begins a programme of its own: a measure, a target, a home that joins, a chart with it all."""

from typing import Any

import pytest

from deploy.demo.organisations import homes
from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey, figures

HOME = next(home for home in homes() if home.code == "VN013")
PROGRAMME = {
    "id": "huddles-east",
    "name": "Safer days in the homes of the east",
    "aims": [{"id": "fewer", "text": "A quarter fewer falls by March 2028"}],
    "drivers": [{"id": "huddles", "name": "Safety huddles", "aims": ["fewer"]}],
    "change_ideas": [{"id": "daily-huddle", "name": "A huddle a day", "drivers": ["huddles"]}],
}
MEASURE = {
    "id": "east-harm-share",
    "name": "Falls that hurt, of all falls",
    "programme": "huddles-east",
    "kind": "outcome",
    "why_it_matters": "A fall that hurts is the one to prevent first.",
    "numerator": {"feed": "care-home-weekly", "value": {"sum": "falls_with_injury"}},
    "denominator": {"feed": "care-home-weekly", "value": {"sum": "falls"}},
    "multiplier": 100,
    "unit": "percent",
    "period": "week",
    "improvement": "decrease",
    "chart": "p",
    "minimum_denominator": 1,
    "disclosure": "small-numbers",
    "review": {"author": "Collaborative lead", "checker": "Falls nurse", "reviewed": "2026-09-01",
               "next_review": "2099-09-01"},
    "examples": [
        {"rows": [{"falls": 4, "falls_with_injury": 1}, {"falls": 6, "falls_with_injury": 2}],
         "expect": {"numerator": 3, "denominator": 10}},
    ],
}  # fmt: skip
TARGET = {
    "id": "east-harm-share-2028",
    "name": "One fall in five hurts by March 2028",
    "programme": "huddles-east",
    "measure": "east-harm-share",
    "kind": "level",
    "value": 20,
    "due": "2028-03-31",
    "direction": "decrease",
    "scope": "EAST",
}
SUNDAYS = {"2025-W01": "2025-01-05", "2025-W02": "2025-01-12", "2025-W03": "2025-01-19", "2025-W04": "2025-01-26"}
WEEKS = {week: (2 + n % 2, 10 + n) for n, week in enumerate(SUNDAYS)}


def a_week(sunday: str, hurt: int, falls: int) -> dict[str, Any]:
    return {"cqc_location_id": HOME.cqc, "week_ending": sunday, "beds_registered": 60, "beds_occupied": 50,
            "resident_days": 350, "falls": falls, "falls_with_injury": hurt, "med_errors": 0}  # fmt: skip


@pytest.fixture(scope="module")
def published(journey: Journey) -> Journey:
    """The lead registered the programme and drafted its measure; a colleague published it. The home had sent rows."""
    rows = [a_week(SUNDAYS[week], *pair) for week, pair in WEEKS.items()]
    journey.introduce("falls-nurse", "EAST", like="psc")
    journey.introduce("home-manager", HOME.code, like="care_home", also=("programmes:write",))
    journey.as_("home-manager").submit(as_csv(rows), feed="care-home-weekly")
    journey.as_("psc").post("/v1/programmes", PROGRAMME)
    journey.as_("psc").post("/v1/measures", MEASURE)
    alone = journey.http("psc").post("/v1/measures/east-harm-share/publish")
    assert (alone.status_code, alone.json()["type"]) == (403, "/problems/second-person-needed")
    journey.as_("falls-nurse").post("/v1/measures/east-harm-share/publish", None)
    journey.settle()
    return journey


def test_a_measure_counts_the_rows_that_were_sent_before_it_was_published(published: Journey) -> None:
    chart = published.as_("home-manager").chart("east-harm-share", HOME.code)

    assert figures(chart) == WEEKS
    shares = [100 * hurt / falls for hurt, falls in WEEKS.values()]
    assert [point["value"] for point in chart["points"]] == pytest.approx(shares)


def test_a_measure_counts_the_rows_that_are_sent_after_it_was_published(published: Journey) -> None:
    published.as_("home-manager").submit([a_week("2025-02-02", 3, 12)], feed="care-home-weekly")
    published.settle()

    assert figures(published.as_("psc").chart("east-harm-share", HOME.code))["2025-W05"] == (3, 12)


def test_the_target_of_the_collaborative_is_on_the_chart_of_each_home(published: Journey) -> None:
    published.as_("psc").post("/v1/targets", TARGET)
    published.settle()

    target = published.as_("home-manager").chart("east-harm-share", HOME.code)["target"]

    assert (target["id"], target["value"], target["due"]) == (TARGET["id"], 20.0, TARGET["due"])


def test_a_change_idea_that_a_home_writes_down_is_drawn_on_its_chart(published: Journey) -> None:
    note = {"kind": "change_idea", "organisation": HOME.cqc, "measure": "east-harm-share", "on": "2025-01-13",
            "text": "A huddle a day"}  # fmt: skip
    published.as_("home-manager").post("/v1/annotations", note)
    published.settle()

    drawn = published.as_("psc").chart("east-harm-share", HOME.code)["annotations"]

    assert [(one["text"], one["period"]) for one in drawn] == [("A huddle a day", "2025-W03")]


def test_a_home_that_joins_is_on_the_adoption_curve_of_its_collaborative(published: Journey) -> None:
    joining = {"organisation": HOME.code, "programme": "huddles-east", "change_idea": "daily-huddle",
               "stage": "testing", "since": "2025-01-13"}  # fmt: skip
    published.as_("home-manager").post("/v1/enrolments", joining)

    curve = published.as_("psc").get(
        "/v1/programmes/huddles-east/adoption", within="EAST", change_idea="daily-huddle", at="2025-03-01"
    )

    first = curve["items"][0]
    assert (first["period"], first["at"]["testing"]) == ("2025-01", 1)


def test_a_stranger_can_neither_draft_nor_enrol_there(published: Journey) -> None:
    published.introduce("elsewhere", "NENC", like="psc")
    stranger = published.http("elsewhere")
    joining = {"organisation": "VN014", "programme": "huddles-east", "stage": "testing"}

    draft = stranger.put("/v1/measures/east-harm-share/draft", json={**MEASURE, "version": "1.1.0"})
    enrolment = stranger.post("/v1/enrolments", json=joining)

    assert [draft.status_code, enrolment.status_code] == [403, 403]

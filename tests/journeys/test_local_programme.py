"""A safety collaborative begins a programme of its own: two measures, a target, homes that join, charts with it all."""

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
HUDDLES = {
    **MEASURE,
    "id": "east-huddles-held",
    "name": "Safety huddles held, of those planned",
    "kind": "process",
    "why_it_matters": "A huddle that is held is where a fall is spoken of.",
    "numerator": {"feed": "care-home-weekly", "value": {"sum": "safety_huddles_held"}},
    "denominator": {"feed": "care-home-weekly", "value": {"sum": "safety_huddles_planned"}},
    "improvement": "increase",
    "review": {"author": "Collaborative lead", "checker": "Falls nurse", "reviewed": "2024-09-01",
               "next_review": "2025-09-01"},
    "examples": [
        {"rows": [{"safety_huddles_held": 5, "safety_huddles_planned": 7}],
         "expect": {"numerator": 5, "denominator": 7}},
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
            "resident_days": 350, "falls": falls, "falls_with_injury": hurt, "med_errors": 0,
            "safety_huddles_held": hurt + 3, "safety_huddles_planned": 7}  # fmt: skip


@pytest.fixture(scope="module")
def published(journey: Journey) -> Journey:
    """The lead registered the programme and drafted its measures; a colleague published them. A home had sent rows."""
    rows = [a_week(SUNDAYS[week], *pair) for week, pair in WEEKS.items()]
    journey.introduce("falls-nurse", "EAST", like="psc")
    journey.introduce("home-manager", HOME.code, like="care_home", also=("programmes:write",))
    journey.as_("home-manager").submit(as_csv(rows), feed="care-home-weekly")
    journey.as_("psc").post("/v1/programmes", PROGRAMME)
    for measure in (MEASURE, HUDDLES):
        journey.as_("psc").post("/v1/measures", measure)
        alone = journey.http("psc").post(f"/v1/measures/{measure['id']}/publish")
        assert (alone.status_code, alone.json()["type"]) == (403, "/problems/second-person-needed")
        journey.as_("falls-nurse").post(f"/v1/measures/{measure['id']}/publish", None)
    journey.settle()
    return journey


def test_a_measure_counts_the_rows_that_were_sent_before_it_was_published(published: Journey) -> None:
    chart = published.as_("home-manager").chart("east-harm-share", HOME.code)

    assert figures(chart) == WEEKS
    shares = [100 * hurt / falls for hurt, falls in WEEKS.values()]
    assert [point["value"] for point in chart["points"]] == pytest.approx(shares)


def test_the_programme_shows_both_its_measures_and_each_has_its_chart(published: Journey) -> None:
    programme = published.as_("psc").get("/v1/programmes/huddles-east")
    assert programme["measures"] == ["east-harm-share", "east-huddles-held"]

    huddles = figures(published.as_("home-manager").chart("east-huddles-held", HOME.code))
    assert {week: huddles[week] for week in WEEKS} == {week: (hurt + 3, 7) for week, (hurt, _) in WEEKS.items()}


def test_an_overdue_review_is_said_on_every_chart_of_the_measure_and_on_no_other(published: Journey) -> None:
    overdue = "The definition was due for review on 2025-09-01."
    for code in (HOME.code, "EAST"):
        assert overdue in published.as_("psc").chart("east-huddles-held", code)["notices"]
    assert not [one for one in published.as_("psc").chart("east-harm-share", HOME.code)["notices"] if "review" in one]


def test_a_measure_counts_the_rows_that_are_sent_after_it_was_published(published: Journey) -> None:
    published.as_("home-manager").submit([a_week("2025-02-02", 3, 12)], feed="care-home-weekly")
    published.settle()

    assert figures(published.as_("psc").chart("east-harm-share", HOME.code))["2025-W05"] == (3, 12)


def test_the_target_of_the_collaborative_is_on_the_chart_of_each_home(published: Journey) -> None:
    published.as_("psc").post("/v1/targets", TARGET)
    published.settle()

    target = published.as_("home-manager").chart("east-harm-share", HOME.code)["target"]

    assert (target["id"], target["value"], target["due"]) == (TARGET["id"], 20.0, TARGET["due"])
    footprint = published.as_("psc").chart("east-harm-share", "EAST")["target"]
    assert footprint["id"] == TARGET["id"]


def test_a_change_idea_that_a_home_writes_down_is_drawn_on_its_chart(published: Journey) -> None:
    note = {"kind": "change_idea", "organisation": HOME.cqc, "measure": "east-harm-share", "on": "2025-01-13",
            "text": "A huddle a day"}  # fmt: skip
    published.as_("home-manager").post("/v1/annotations", note)
    published.settle()

    drawn = published.as_("psc").chart("east-harm-share", HOME.code)["annotations"]

    assert [(one["text"], one["period"]) for one in drawn] == [("A huddle a day", "2025-W03")]


def test_homes_that_join_and_move_on_are_on_the_adoption_curve_of_its_collaborative(published: Journey) -> None:
    joining = {"organisation": HOME.code, "programme": "huddles-east", "change_idea": "daily-huddle",
               "stage": "testing", "since": "2025-01-13"}  # fmt: skip
    joined = published.as_("home-manager").post("/v1/enrolments", joining)
    neighbour = {**joining, "organisation": "VN014", "stage": "aware", "since": "2025-02-03"}
    published.as_("psc").post("/v1/enrolments", neighbour)
    moved = {"stage": "embedded", "since": "2025-02-20"}
    assert published.http("home-manager").put(f"/v1/enrolments/{joined['id']}", json=moved).status_code == 200

    curve = published.as_("psc").get(
        "/v1/programmes/huddles-east/adoption", within="EAST", change_idea="daily-huddle", at="2025-03-01"
    )

    january, february, _ = curve["items"]
    assert (january["period"], january["at"]["testing"], january["reached"]["aware"]) == ("2025-01", 1, 1)
    assert (february["at"]["embedded"], february["at"]["aware"], february["reached"]["aware"]) == (1, 1, 2)


def test_a_stranger_can_neither_draft_nor_enrol_there(published: Journey) -> None:
    published.introduce("elsewhere", "NENC", like="psc")
    stranger = published.http("elsewhere")
    joining = {"organisation": "VN014", "programme": "huddles-east", "stage": "testing"}

    draft = stranger.put("/v1/measures/east-harm-share/draft", json={**MEASURE, "version": "1.1.0"})
    enrolment = stranger.post("/v1/enrolments", json=joining)

    assert [draft.status_code, enrolment.status_code] == [403, 403]


def test_a_draft_is_previewed_as_the_registry_has_it_by_those_who_may_see_it(published: Journey) -> None:
    draft = {**MEASURE, "id": "east-harm-again", "version": "1.0.0", "name": "Falls that hurt, again"}
    published.as_("psc").post("/v1/measures", draft)

    kept = published.http("psc").post("/v1/measures/east-harm-again/preview").json()
    sent = published.http("psc").post("/v1/measures/east-harm-again/preview", json=draft).json()
    nobody = published.http("home-manager").post("/v1/measures/east-harm-again/preview")

    assert kept == sent
    assert kept["cells"]["added"] > 0
    assert (nobody.status_code, nobody.json()["type"]) == (404, "/problems/no-draft")

"""The seven roles of the demonstration: each sees and may do what it should, and no more."""

from typing import Any, NamedTuple

import httpx
import pytest

from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey, figures, statuses

MONTH = "2025-06"
SMALL, ORDINARY = (3, 2000), (23, 2100)


def a_count(organisation: str, pair: tuple[int, int], period: str = MONTH) -> dict[str, Any]:
    return {"organisation": organisation, "period": period, "measure": "md-arrest", "numerator": pair[0],
            "denominator": pair[1]}  # fmt: skip


class May(NamedTuple):
    """What a role is answered when it posts for a trust of the east, adds a note, sees the clients, the audit."""

    post: int
    note: int
    clients: int
    audit: int


TABLE = {
    "supplier": May(201, 403, 403, 403),
    "trust": May(201, 403, 403, 403),
    "care_home": May(403, 403, 403, 403),
    "analyst": May(403, 403, 403, 403),
    "psc": May(403, 201, 403, 403),
    "national": May(201, 201, 200, 200),
    "front_end": May(403, 403, 403, 403),
}


@pytest.mark.parametrize("role", TABLE)
def test_each_role_may_do_what_it_should(journey: Journey, role: str) -> None:
    http = journey.http(role)
    row = {"organisation": "RGT", "period": "2025-07", "measure": "md-arrest", "numerator": 30, "denominator": 9000}
    note = {"kind": "known_issue", "organisation": "RGT", "measure": "md-unpicu", "on": "2025-07-01", "text": role}

    done = May(
        http.post("/v1/submissions?feed=measure-counts", json=[row], headers={"Prefer": "wait=10"}).status_code,
        http.post("/v1/annotations", json=note).status_code,
        http.get("/v1/clients").status_code,
        http.get("/v1/audit").status_code,
    )

    assert done == TABLE[role]


@pytest.mark.parametrize("role", TABLE)
def test_each_role_reads_the_registry_and_the_charts(journey: Journey, role: str) -> None:
    http = journey.http(role)

    paths = ("/v1/measures/md-arrest", "/v1/organisations/RGT", "/v1/charts/md-arrest/RGT", "/v1/programmes")

    assert {path: http.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)


@pytest.fixture(scope="module")
def norwich(journey: Journey) -> str:
    """A submission of a supplier for a trust of the east that is not in the analyst's ICB; its id."""
    rows = [a_count("RM1", SMALL), a_count("RM1", ORDINARY, "2025-07"), a_count("RM1", (0, 1900), "2025-08")]
    receipt = journey.as_("supplier").submit(as_csv(rows), feed="measure-counts")
    journey.settle()
    return receipt.id


@pytest.mark.parametrize("role", ["trust", "care_home", "analyst"])
@pytest.mark.parametrize("part", ["", "/faults", "/rejected", "/annotated", "/original"])
def test_the_submission_of_another_organisation_does_not_exist(
    journey: Journey, norwich: str, role: str, part: str
) -> None:
    answer = journey.http(role).get(f"/v1/submissions/{norwich}{part}")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-submission")
    assert "RM1" not in answer.text


def test_another_organisation_can_not_withdraw_it(journey: Journey, norwich: str) -> None:
    assert journey.http("trust").delete(f"/v1/submissions/{norwich}").status_code == 404
    assert journey.as_("supplier").get(f"/v1/submissions/{norwich}")["status"] == "accepted"


@pytest.mark.parametrize("role", ["supplier", "psc", "national"])
def test_who_sent_it_and_who_holds_the_organisation_see_it(journey: Journey, norwich: str, role: str) -> None:
    assert journey.as_(role).get(f"/v1/submissions/{norwich}")["id"] == norwich


@pytest.mark.parametrize("role", ["trust", "care_home", "analyst"])
def test_lists_hold_only_what_is_the_callers(journey: Journey, norwich: str, role: str) -> None:
    client = journey.as_(role)

    submissions = client.get("/v1/submissions", limit=100)["items"]
    returns = client.get("/v1/returns", feed="measure-counts", limit=100)["items"]

    assert norwich not in {one["id"] for one in submissions}
    assert "RM1" not in {one["organisation"] for one in returns}


def test_writing_for_another_organisation_is_refused_and_nothing_is_stored(journey: Journey, norwich: str) -> None:
    before = journey.as_("supplier").get("/v1/returns", feed="measure-counts", organisation="RM1")["items"]

    rows = as_csv([a_count("RM1", (99, 100), "2025-09")])
    answer = journey.http("trust").post(
        "/v1/submissions?feed=measure-counts", content=rows, headers={"Content-Type": "text/csv"}
    )

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-organisation")
    after = journey.as_("supplier").get("/v1/returns", feed="measure-counts", organisation="RM1")["items"]
    assert after == before


def test_of_a_mixed_file_only_the_rows_of_ones_own_organisation_land(journey: Journey, norwich: str) -> None:
    rows = [a_count("RGT", (31, 2500), "2025-10"), a_count("RM1", (32, 2600), "2025-10")]

    receipt = journey.as_("trust").submit(as_csv(rows), feed="measure-counts")

    assert (receipt.rows["accepted"], receipt.rows["rejected"]) == (1, 1)
    assert [(one["organisation"], one["period"]) for one in receipt.returns] == [("RGT", "2025-10")]


def test_the_public_gets_no_small_number_and_no_exact_one(journey: Journey, norwich: str) -> None:
    document = journey.as_("front_end").series("md-arrest", "RM1", first=MONTH, last="2025-08").document

    assert statuses(document) == {MONTH: "suppressed", "2025-07": "rounded", "2025-08": "zero"}
    small, ordinary, none = document["items"]
    assert (small["numerator"], small["value"], small["lower_95"]) == (None, None, None)
    assert (ordinary["numerator"], ordinary["denominator"]) == (25, 2100)
    assert (none["numerator"], none["value"]) == (0, 0)


def test_the_public_chart_tells_no_more_than_the_series(journey: Journey, norwich: str) -> None:
    chart = journey.as_("front_end").chart("md-arrest", "RM1", first=MONTH, last="2025-08")

    assert statuses(chart) == {MONTH: "suppressed", "2025-07": "rounded", "2025-08": "zero"}
    assert figures(chart)[MONTH][0] is None
    assert chart["points"][0]["value"] is None


@pytest.mark.parametrize("role", ["psc", "national", "supplier"])
def test_who_acts_for_the_organisation_gets_exact_figures(journey: Journey, norwich: str, role: str) -> None:
    series = journey.as_(role).series("md-arrest", "RM1", first=MONTH, last=MONTH).document

    assert figures(series) == {MONTH: SMALL}


@pytest.mark.parametrize("role", ["trust", "care_home", "analyst"])
def test_a_member_is_to_others_as_the_public_is(journey: Journey, norwich: str, role: str) -> None:
    series = journey.as_(role).series("md-arrest", "RM1", first=MONTH, last=MONTH).document

    assert statuses(series) == {MONTH: "suppressed"}


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer not.a.token", "Basic c29tZTpvbmU="])
def test_nobody_gets_in_without_a_token(journey: Journey, token: str) -> None:
    answer = httpx.get(f"{journey.url}/v1/measures", headers={"Authorization": token} if token else {}, timeout=60)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")

"""Programmes and their targets, registered and revised."""

import pytest

from shared.contracts.programmes import ProgrammePublished, TargetSet
from tests.programmes.writing.samples import A_PROGRAMME, A_TARGET, good, refused


def test_a_local_programme_belongs_to_who_registers_it(registry, lead):
    shown = good(lead("POST", "/programmes?reason=agreed+in+May", A_PROGRAMME), 201)
    assert (shown["organisation"], shown["version"], shown["status"]) == ("EAST", "1.0.0", "active")
    assert registry.published(ProgrammePublished)[-1].id == "falls-east"
    refused(lead("POST", "/programmes", A_PROGRAMME), 409, "already-there")


def test_a_revised_programme_gets_the_next_version_and_the_old_one_is_remembered(lead):
    first = good(lead("POST", "/programmes", A_PROGRAMME), 201)
    second = good(lead("PUT", "/programmes/falls-east", first | {"name": "Fewer falls"}))
    assert (second["version"], second["name"]) == ("1.1.0", "Fewer falls")
    known_then = {"known_at": first["recorded_at"]}
    assert good(lead("GET", "/programmes/falls-east", params=known_then))["name"] == A_PROGRAMME["name"]


def test_a_programme_whose_parts_do_not_fit_is_refused_with_the_place(lead):
    wrong = A_PROGRAMME | {"change_ideas": [{"id": "x", "name": "X", "drivers": ["nope"]}]}
    problem = refused(lead("POST", "/programmes", wrong), 422, "invalid-programme")
    assert problem["errors"] == [{"pointer": "/change_ideas/0/drivers/0", "message": "'nope' does not exist"}]


def test_a_driver_diagram_says_what_serves_what(lead):
    good(lead("POST", "/programmes", A_PROGRAMME), 201)
    diagram = good(lead("GET", "/programmes/falls-east/driver-diagram"))
    assert {(edge["from"], edge["to"]) for edge in diagram["edges"]} == {
        ("driver:huddles", "aim:fewer"), ("change_idea:daily-huddle", "driver:huddles"),
    }  # fmt: skip
    drawn = lead("GET", "/programmes/falls-east/driver-diagram?format=svg")
    assert drawn.headers["Content-Type"] == "image/svg+xml"
    assert "A huddle a day" in drawn.text


def test_a_target_is_set_for_a_footprint_and_said_to_be_met(registry, lead):
    good(lead("POST", "/programmes", A_PROGRAMME), 201)
    shown = good(lead("POST", "/targets", A_TARGET), 201)
    assert (shown["organisation"], shown["status"], shown["inherited"]) == ("EAST", "active", True)
    met = good(lead("PUT", "/targets/falls-east-2028", shown | {"status": "met"}))
    assert (met["status"], met["version"]) == ("met", "1.1.0")
    assert [event.target["status"] for event in registry.published(TargetSet)] == ["active", "met"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"baseline": None}, "/baseline"),
        ({"measure": "nope"}, "/measure"),
        ({"scope": "NOPE"}, "/scope"),
        ({"programme": "nope"}, "/programme"),
        ({"status": "superseded"}, "/superseded_by"),
    ],
)
def test_a_target_that_cannot_be_judged_is_refused_with_the_place(lead, change, pointer):
    target = {
        key: value for key, value in (A_TARGET | {"programme": "care-homes"} | change).items() if value is not None
    }
    problem = refused(lead("POST", "/targets", target), 422, "invalid-target")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_a_target_that_counts_organisations_says_how_many_have_come_far_enough(national):
    def standing(at):
        return good(national("GET", f"/targets/whole-system-opioids-2025?at={at}"))["standing"]

    joining = {"programme": "medsip", "change_idea": "whole-system-opioids", "since": "2025-01-01"}
    stages = {"QYG": "testing", "QOP": "embedded", "QWO": "aware"}
    joined = {
        code: good(national("POST", "/enrolments", joining | {"organisation": code, "stage": stage}), 201)["id"]
        for code, stage in stages.items()
    }
    good(national("PUT", f"/enrolments/{joined['QWO']}", {"stage": "testing", "since": "2025-03-01"}))
    good(national("PUT", f"/enrolments/{joined['QOP']}", {"until": "2025-03-15"}))

    assert [standing(day)["reached"] for day in ("2024-12-31", "2025-02-01", "2025-03-10", "2025-03-20")] == [
        0,
        2,
        3,
        2,
    ]
    assert (standing("2025-02-01")["organisations"], standing("2025-02-01")["enough"]) == (42, False)
    assert standing("2025-02-01")["share"] == pytest.approx(100 * 2 / 42)
    assert standing("2025-02-01&known_at=2026-06-01T00:00:00Z")["reached"] == 0


def test_a_target_of_organisations_can_be_read_changed_and_sent_back(national):
    read = national("GET", "/targets/whole-system-opioids-2025")
    changed = read.json() | {"status_note": "Counted again"}
    tag = {"If-Match": read.headers["ETag"]}
    shown = good(national("PUT", "/targets/whole-system-opioids-2025", changed, headers=tag))
    assert shown["status_note"] == "Counted again"

"""Changing the registry: who may, what is refused, what is kept, and that a second person publishes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import text

from services.programmes.rules.catalogue import load
from services.programmes.rules.organisations import Organisation
from shared.contracts.programmes import (
    AnnotationSet,
    Edge,
    EnrolmentChanged,
    MeasurePublished,
    OrganisationChanged,
    ProgrammePublished,
    TargetSet,
)

CATALOGUE = load()
READ_AND_WRITE = "programmes:read programmes:write"

A_HOME = {
    "code": "VM001",
    "name": "The Larches",
    "kind": "care_home",
    "identifiers": {"cqc": "1-1000000001"},
    "edges": [{"parent": "T6Y0W", "hierarchy": "icb", "start": "2026-04-01"}],
}
A_PROGRAMME = {
    "id": "falls-east",
    "name": "Fewer falls in the east",
    "aims": [{"id": "fewer", "text": "A quarter fewer falls by March 2028"}],
    "drivers": [{"id": "huddles", "name": "Safety huddles", "aims": ["fewer"]}],
    "change_ideas": [{"id": "daily-huddle", "name": "A huddle a day", "drivers": ["huddles"]}],
}
A_MEASURE = {
    "id": "east-falls",
    "name": "Falls per 1,000 resident days",
    "programme": "falls-east",
    "kind": "outcome",
    "numerator": {"feed": "care-home-weekly", "value": {"sum": "falls"}},
    "denominator": {"feed": "care-home-weekly", "value": {"sum": "resident_days"}},
    "multiplier": 1000,
    "unit": "per 1,000 resident days",
    "period": "week",
    "improvement": "decrease",
    "chart": "u",
    "examples": [
        {"rows": [{"falls": 3, "resident_days": 350}], "expect": {"numerator": 3, "denominator": 350}},
    ],
}
A_TARGET = {
    "id": "falls-east-2028",
    "name": "A quarter fewer falls by March 2028",
    "programme": "falls-east",
    "measure": "ch-falls",
    "kind": "relative_change",
    "baseline": {"value": 6.0, "period": "2025-26"},
    "value": -25,
    "due": "2028-03-31",
    "direction": "decrease",
    "scope": "EAST",
}
AN_ENROLMENT = {"organisation": "RGT", "programme": "matneosip", "stage": "engaged", "since": "2026-01-05"}
AN_ANNOTATION = {
    "kind": "change_idea",
    "organisation": "RGT",
    "measure": "mn-stillbirth",
    "on": "2026-02-01",
    "text": "PERIPrem began",
}
A_STEP = AN_ANNOTATION | {
    "kind": "step_change",
    "text": "Fewer since February",
    "evidence": "nine points below the mean",
}


@pytest.fixture(scope="module")
def untouched(new_registry):
    """A registry with the catalogue, for what must not change it."""
    registry = new_registry()
    registry.load(CATALOGUE)
    return registry


@pytest.fixture
def registry(registry):
    registry.load(CATALOGUE)
    registry.forget_events()
    return registry


class Caller:
    """Somebody who may read and write, for some organisations."""

    def __init__(self, registry, client, *organisations, scopes=READ_AND_WRITE):
        self.registry, self.client, self.organisations, self.scopes = registry, client, organisations, scopes

    def __call__(self, method, path, body=None, **more):
        sent = {} if body is None else {"json": body}
        return self.registry.ask(
            method,
            f"/v1{path}",
            scopes=self.scopes,
            organisations=self.organisations,
            client=self.client,
            **sent,
            **more,
        )


@pytest.fixture
def lead(registry):
    return Caller(registry, "lead", "EAST")


@pytest.fixture
def second(registry):
    return Caller(registry, "second", "EAST")


@pytest.fixture
def elsewhere(registry):
    return Caller(registry, "elsewhere", "NENC")


@pytest.fixture
def national(registry):
    return Caller(registry, "national", "*")


def good(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def refused(answer, status, slug):
    assert (answer.status_code, answer.json().get("type")) == (status, f"/problems/{slug}"), answer.text
    return answer.json()


WRITES = [
    ("POST", "/organisations", A_HOME),
    ("PUT", "/organisations/RGT", A_HOME | {"code": "RGT"}),
    ("POST", "/programmes", A_PROGRAMME),
    ("PUT", "/programmes/matneosip", A_PROGRAMME | {"id": "matneosip"}),
    ("POST", "/targets", A_TARGET),
    ("PUT", "/targets/stillbirths-2025", A_TARGET | {"id": "stillbirths-2025"}),
    ("POST", "/measures", A_MEASURE | {"programme": "matneosip"}),
    ("PUT", "/measures/ch-falls/draft", A_MEASURE | {"id": "ch-falls", "programme": "care-homes"}),
    ("POST", "/measures/ch-falls/retire", None),
    ("POST", "/enrolments", AN_ENROLMENT),
    ("POST", "/annotations", AN_ANNOTATION),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_somebody_unknown_changes_nothing(untouched, method, path, body):
    assert untouched.send(method, f"/v1{path}", json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_reading_is_not_writing(untouched, method, path, body):
    reader = Caller(untouched, "reader", "*", scopes="programmes:read")
    refused(reader(method, path, body), 403, "forbidden")


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_writing_for_an_organisation_that_is_not_yours_is_refused(untouched, method, path, body):
    elsewhere = Caller(untouched, "elsewhere", "NENC")
    if path == "/programmes":
        body = body | {"organisation": "EAST"}
    refused(elsewhere(method, path, body), 403, "not-your-organisation")
    with untouched.database.session() as session:
        assert session.execute(text("select count(*) from change where who = 'elsewhere'")).scalar_one() == 0


# Organisations


def test_a_home_is_registered_in_an_icb_that_is_yours(registry, lead):
    shown = good(lead("POST", "/organisations", A_HOME), 201)
    assert (shown["code"], shown["within"]["icb"], shown["within"]["psc"]) == ("VM001", "T6Y0W", "EAST")
    assert registry.published(OrganisationChanged)[-1].code == "VM001"
    refused(lead("POST", "/organisations", A_HOME), 409, "already-there")


def test_many_homes_are_registered_at_once_under_a_provider_that_comes_with_them(lead):
    provider = A_HOME | {"code": "AX1", "name": "Larch Care", "kind": "care_home_provider", "identifiers": {}}
    homes = [
        A_HOME
        | {
            "code": f"VM{number:03}",
            "identifiers": {"cqc": f"1-{number:09}"},
            "edges": [*A_HOME["edges"], {"parent": "AX1", "hierarchy": "provider"}],
        }
        for number in range(50)
    ]
    assert good(lead("POST", "/organisations", [provider, *homes]), 201) == {
        "registered": 51, "changed": 0, "unchanged": 0,
    }  # fmt: skip
    again = good(lead("POST", "/organisations", [provider, *homes[:-1], homes[-1] | {"name": "Renamed"}]), 201)
    assert again == {"registered": 0, "changed": 1, "unchanged": 50}
    assert len(good(lead("GET", "/organisations/AX1/members"))["items"]) == 50


def test_a_home_cannot_be_moved_under_somebody_elses_icb(lead):
    good(lead("POST", "/organisations", A_HOME), 201)
    moved = A_HOME | {"edges": [{"parent": "QHM", "hierarchy": "icb"}]}
    refused(lead("PUT", "/organisations/VM001", moved), 403, "not-your-organisation")


def test_what_was_read_can_be_changed_and_sent_back(lead):
    shown = good(lead("POST", "/organisations", A_HOME), 201)
    changed = lead("PUT", "/organisations/VM001", shown | {"name": "Larches House"})
    assert good(changed)["name"] == "Larches House"


def test_an_update_that_would_be_lost_is_refused(lead, second):
    tag = lead("POST", "/organisations", A_HOME).headers["ETag"]
    good(second("PUT", "/organisations/VM001", A_HOME | {"name": "First"}, headers={"If-Match": tag}))
    late = lead("PUT", "/organisations/VM001", A_HOME | {"name": "Second"}, headers={"If-Match": tag})
    refused(late, 412, "precondition-failed")
    assert good(lead("GET", "/organisations/VM001"))["name"] == "First"


# Programmes and targets


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


def test_a_target_of_organisations_can_be_read_changed_and_sent_back(national):
    read = national("GET", "/targets/whole-system-opioids-2025")
    changed = read.json() | {"status_note": "Counted again"}
    tag = {"If-Match": read.headers["ETag"]}
    shown = good(national("PUT", "/targets/whole-system-opioids-2025", changed, headers=tag))
    assert shown["status_note"] == "Counted again"


# Measures


@pytest.fixture
def drafted(lead):
    good(lead("POST", "/programmes", A_PROGRAMME), 201)
    return good(lead("POST", "/measures", A_MEASURE), 201)


def test_a_draft_is_seen_by_those_it_concerns_only(drafted, second, elsewhere):
    assert (drafted["status"], drafted["version"], drafted["authors"]) == ("draft", "1.0.0", ["lead"])
    assert good(second("GET", "/measures/east-falls/draft"))["revision"] == 1
    assert [one["id"] for one in good(second("GET", "/measures?status=draft"))["items"]] == ["east-falls"]
    refused(elsewhere("GET", "/measures/east-falls/draft"), 404, "no-draft")
    refused(elsewhere("POST", "/measures/east-falls/publish"), 404, "no-draft")
    assert good(elsewhere("GET", "/measures?status=draft"))["items"] == []
    assert good(elsewhere("GET", "/changes?kind=draft"))["items"] == []


def test_who_wrote_a_definition_cannot_publish_it(registry, drafted, lead, second):
    refused(lead("POST", "/measures/east-falls/publish"), 403, "second-person-needed")
    shown = good(second("POST", "/measures/east-falls/publish?reason=checked+against+the+tally+sheets"))
    assert (shown["status"], shown["recorded_by"], shown["checked_by"]) == ("live", "lead", "second")
    assert registry.published(MeasurePublished)[-1].definition["name"] == A_MEASURE["name"]
    refused(second("GET", "/measures/east-falls/draft"), 404, "no-draft")


def test_having_touched_a_draft_once_is_having_written_it(drafted, lead, second):
    good(second("PUT", "/measures/east-falls/draft", A_MEASURE | {"name": "Falls"}))
    refused(second("POST", "/measures/east-falls/publish"), 403, "second-person-needed")
    refused(lead("POST", "/measures/east-falls/publish"), 403, "second-person-needed")


@pytest.mark.parametrize(
    ("examples", "pointer", "message"),
    [
        ([], "/examples", "give at least one example of a few rows and the figures they give"),
        (
            [{"rows": [{"falls": 3, "resident_days": 350}], "expect": {"numerator": 4, "denominator": 350}}],
            "/examples/0/expect/numerator",
            "the rows give 3, not 4: mend the definition or the example",
        ),
        (
            [{"rows": [{"falls": "three"}], "expect": {"numerator": 3}}],
            "/examples/0/rows",
            "'three' is not a value of falls, which is integer",
        ),
    ],
)
def test_a_definition_is_published_only_with_examples_that_hold(lead, second, examples, pointer, message):
    good(lead("POST", "/programmes", A_PROGRAMME), 201)
    good(lead("POST", "/measures", A_MEASURE | {"examples": examples}), 201)

    answer = second("POST", "/measures/east-falls/publish")

    refused(answer, 422, "invalid-definition")
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert message in error["message"]
    assert good(lead("GET", "/measures/east-falls/draft"))["revision"] == 1


def test_what_a_new_version_changed_is_shown_place_by_place(lead, second, drafted):
    good(second("POST", "/measures/east-falls/publish"))
    numerator = {"feed": "care-home-weekly", "value": {"sum": "falls_with_injury"}}
    examples = [{"rows": [{"falls_with_injury": 1, "resident_days": 350}], "expect": {"numerator": 1}}]
    good(lead("PUT", "/measures/east-falls/draft", A_MEASURE | {
        "name": "Falls that hurt", "numerator": numerator, "examples": examples,
    }))  # fmt: skip
    good(second("POST", "/measures/east-falls/publish"))

    newest, oldest = good(lead("GET", "/measures/east-falls/versions"))["items"]

    changed = {one["pointer"]: (one["before"], one["after"]) for one in newest["changes"]}
    assert changed["/name"] == (A_MEASURE["name"], "Falls that hurt")
    assert changed["/numerator/value/sum"] == ("falls", "falls_with_injury")
    assert "/denominator/value/sum" not in changed
    assert (newest["changed_from"], oldest["changed_from"], oldest["changes"]) == ("1.0.0", None, [])


def test_the_next_version_is_later_and_both_can_be_read(drafted, lead, second):
    good(second("POST", "/measures/east-falls/publish"))
    redrafted = good(lead("PUT", "/measures/east-falls/draft", A_MEASURE | {"name": "Falls"}))
    assert redrafted["version"] == "1.1.0"
    good(second("POST", "/measures/east-falls/publish"))
    assert good(lead("GET", "/measures/east-falls"))["name"] == "Falls"
    assert good(lead("GET", "/measures/east-falls/versions/1.0.0"))["name"] == A_MEASURE["name"]
    same = lead("PUT", "/measures/east-falls/draft", A_MEASURE | {"version": "1.1.0"})
    assert refused(same, 422, "invalid-definition")["errors"][0]["pointer"] == "/version"


def test_a_draft_read_and_sent_back_is_accepted(drafted, lead):
    assert good(lead("PUT", "/measures/east-falls/draft", drafted | {"name": "Falls"}))["name"] == "Falls"


def test_two_people_cannot_overwrite_each_others_draft(drafted, lead, second):
    tag = lead("GET", "/measures/east-falls/draft").headers["ETag"]
    good(second("PUT", "/measures/east-falls/draft", A_MEASURE | {"name": "Mine"}, headers={"If-Match": tag}))
    late = lead("PUT", "/measures/east-falls/draft", A_MEASURE | {"name": "Mine"}, headers={"If-Match": tag})
    refused(late, 412, "precondition-failed")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"numerator": {"feed": "care-home-weekly", "value": {"sum": "nope"}}}, "/numerator/value/sum"),
        ({"denominator": None}, "/denominator"),
        ({"programme": "nope"}, "/programme"),
        ({"kpi": True}, "/kpi"),
        ({"strata": ["colour"]}, "/strata/0"),
    ],
)
def test_a_definition_that_cannot_be_computed_is_refused_with_the_place(lead, change, pointer):
    good(lead("POST", "/programmes", A_PROGRAMME), 201)
    problem = refused(lead("POST", "/measures", A_MEASURE | change), 422, "invalid-definition")
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_a_national_measure_cannot_be_taken_over_by_way_of_a_local_programme(lead):
    good(lead("POST", "/programmes", A_PROGRAMME), 201)
    refused(lead("POST", "/measures", A_MEASURE | {"id": "mn-stillbirth"}), 403, "not-your-organisation")


def test_a_retired_measure_is_still_there(registry, national):
    assert good(national("POST", "/measures/ch-falls/retire"))["status"] == "retired"
    assert registry.published(MeasurePublished)[-1].status == "retired"
    refused(national("POST", "/measures/ch-falls/retire"), 404, "unknown-measure")


def test_a_discarded_draft_is_gone_and_on_record(drafted, lead):
    assert lead("DELETE", "/measures/east-falls/draft").status_code == 204
    refused(lead("GET", "/measures/east-falls/draft"), 404, "no-draft")
    actions = [change["action"] for change in good(lead("GET", "/changes?subject=east-falls"))["items"]]
    assert actions == ["drafted", "discarded"]


# Enrolments


def test_an_organisation_joins_moves_on_and_leaves(registry, lead):
    enrolment = good(lead("POST", "/enrolments", AN_ENROLMENT), 201)
    place = f"/enrolments/{enrolment['id']}"
    good(lead("PUT", place, {"stage": "testing", "since": "2026-03-02"}))
    left = good(lead("PUT", place, {"until": "2026-06-01"}))
    assert [step["stage"] for step in left["stages"]] == ["engaged", "testing"]
    assert [event.stage for event in registry.published(EnrolmentChanged)] == ["engaged", "testing", "testing"]
    assert registry.published(EnrolmentChanged)[-1].until == date(2026, 6, 1)


def test_nobody_joins_twice(lead):
    good(lead("POST", "/enrolments", AN_ENROLMENT), 201)
    refused(lead("POST", "/enrolments", AN_ENROLMENT), 409, "already-there")


@pytest.mark.parametrize(
    ("change", "pointer"), [({"programme": "nope"}, "/programme"), ({"change_idea": "nope"}, "/change_idea")]
)
def test_joining_what_does_not_exist_is_refused(lead, change, pointer):
    problem = refused(lead("POST", "/enrolments", AN_ENROLMENT | change), 422, "invalid-enrolment")
    assert problem["errors"][0]["pointer"] == pointer


def test_time_does_not_run_backwards_in_an_enrolment(lead):
    enrolment = good(lead("POST", "/enrolments", AN_ENROLMENT), 201)
    back = lead("PUT", f"/enrolments/{enrolment['id']}", {"stage": "testing", "since": "2025-12-31"})
    assert refused(back, 422, "invalid-enrolment")["errors"][0]["pointer"] == "/since"


def test_an_enrolment_is_not_seen_elsewhere(lead, elsewhere):
    enrolment = good(lead("POST", "/enrolments", AN_ENROLMENT), 201)
    refused(elsewhere("GET", f"/enrolments/{enrolment['id']}"), 404, "unknown-enrolment")
    refused(elsewhere("PUT", f"/enrolments/{enrolment['id']}", {"until": "2026-06-01"}), 404, "unknown-enrolment")
    assert good(elsewhere("GET", "/enrolments"))["items"] == []
    assert len(good(lead("GET", "/enrolments?within=EAST&programme=matneosip"))["items"]) == 1


def test_an_adoption_curve_counts_who_reached_at_least_a_stage(lead):
    for organisation, stage, since in [("RGT", "engaged", "2026-01-05"), ("RDE", "aware", "2026-02-10")]:
        sent = AN_ENROLMENT | {"organisation": organisation, "stage": stage, "since": since}
        enrolment = good(lead("POST", "/enrolments", sent), 201)
    good(lead("PUT", f"/enrolments/{enrolment['id']}", {"stage": "testing", "since": "2026-03-31"}))
    curve = good(lead("GET", "/programmes/matneosip/adoption?within=EAST&at=2026-03-31"))["items"]
    assert [(point["period"], point["reached"]["aware"], point["reached"]["testing"]) for point in curve] == [
        ("2026-01", 1, 0), ("2026-02", 2, 0), ("2026-03", 2, 1),
    ]  # fmt: skip


# Annotations


def test_a_change_idea_is_drawn_at_once_and_can_be_withdrawn(registry, lead):
    annotation = good(lead("POST", "/annotations", AN_ANNOTATION), 201)
    assert annotation["status"] == "accepted"
    assert lead("DELETE", f"/annotations/{annotation['id']}").status_code == 204
    assert [event.withdrawn for event in registry.published(AnnotationSet)] == [False, True]
    refused(lead("GET", f"/annotations/{annotation['id']}/accept"), 405, "method-not-allowed")
    assert good(lead("GET", "/annotations"))["items"] == []
    assert len(good(lead("GET", "/annotations?status=withdrawn"))["items"]) == 1


def test_a_step_change_is_drawn_only_once_a_second_person_has_accepted_it(registry, lead, second):
    step = good(lead("POST", "/annotations", A_STEP), 201)
    place = f"/annotations/{step['id']}/accept"
    assert (step["status"], registry.published(AnnotationSet)) == ("proposed", [])
    refused(lead("POST", f"{place}?reason=mine"), 403, "second-person-needed")
    refused(second("POST", place), 422, "invalid-annotation")
    accepted = good(second("POST", f"{place}?reason=the+pathway+began"))
    assert (accepted["status"], accepted["accepted_by"], accepted["reason"]) == (
        "accepted",
        "second",
        "the pathway began",
    )
    assert [event.kind for event in registry.published(AnnotationSet)] == ["step_change"]
    refused(second("POST", f"{place}?reason=again"), 409, "already-there")


@pytest.mark.parametrize(("missing", "pointer"), [("measure", "/measure"), ("evidence", "/evidence")])
def test_a_step_change_needs_its_measure_and_evidence(lead, missing, pointer):
    sent = {key: value for key, value in A_STEP.items() if key != missing}
    problem = refused(lead("POST", "/annotations", sent), 422, "invalid-annotation")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_annotations_are_seen_by_those_within_and_above_and_nobody_else(registry, lead, elsewhere):
    annotation = good(lead("POST", "/annotations", AN_ANNOTATION | {"organisation": "EAST"}), 201)
    inside = Caller(registry, "trust", "RGT")
    good(inside("GET", f"/annotations/{annotation['id']}"))
    refused(inside("DELETE", f"/annotations/{annotation['id']}"), 403, "not-your-organisation")
    refused(elsewhere("GET", f"/annotations/{annotation['id']}"), 404, "unknown-annotation")


# The audit


def test_every_change_is_on_record_with_who_what_and_why(lead, national):
    good(lead("POST", "/programmes?reason=agreed", A_PROGRAMME, headers={"X-Request-ID": "r-1"}), 201)
    good(lead("PUT", "/programmes/falls-east", A_PROGRAMME | {"name": "Fewer falls"}))
    first, then = good(lead("GET", "/changes?subject=falls-east"))["items"]
    assert (first["who"], first["action"], first["why"], first["request_id"]) == ("lead", "registered", "agreed", "r-1")
    assert (first["before"], first["after"]["name"]) == (None, A_PROGRAMME["name"])
    assert (then["before"]["name"], then["after"]["name"]) == (A_PROGRAMME["name"], "Fewer falls")
    assert good(national("GET", "/changes?order=newest&limit=1"))["items"] == [then]


def test_no_change_can_be_altered_or_taken_away(registry):
    for statement in ("update change set who = 'nobody'", "delete from change", "truncate change"):
        with pytest.raises(Exception, match="append-only"), registry.database.session() as session:
            session.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "update organisation set name = 'Quietly' where code = 'RGT'",
        "update edge set superseded_at = now() where child = 'RGT'",
        "delete from measure where name = 'ch-falls'",
        "update target set status = 'met'",
    ],
)
def test_nothing_changes_without_a_line_whoever_writes_it(registry, lead, statement):
    with pytest.raises(Exception, match="without a line in the audit"), registry.database.session() as session:
        session.execute(text(statement))


def test_a_cursor_of_another_list_is_refused(lead):
    elsewhere = good(lead("GET", "/measures?limit=1"))["next_cursor"]
    refused(lead("GET", f"/changes?cursor={elsewhere}"), 422, "invalid-request")


def test_changes_elsewhere_are_not_shown(lead, elsewhere):
    good(lead("POST", "/organisations", A_HOME), 201)
    assert good(elsewhere("GET", "/changes?subject=VM001"))["items"] == []


def test_a_change_that_fails_leaves_no_trace(registry, lead):
    refused(lead("POST", "/annotations", AN_ANNOTATION | {"measure": "nope"}), 422, "invalid-annotation")
    with registry.database.session() as session:
        assert session.execute(text("select count(*) from change where who = 'lead'")).scalar_one() == 0
        assert session.execute(text("select count(*) from outbox")).scalar_one() == 0


def test_a_home_in_the_footprint_may_be_enrolled_by_its_own_name(registry):
    registry.register(
        Organisation(
            code="VM002", name="Elms", kind="care_home", identifiers={"cqc": "1-2"},
            edges=(Edge(parent="T6Y0W", hierarchy="icb"),),
        )
    )  # fmt: skip
    home = Caller(registry, "home", "VM002")
    sent = {"organisation": "1-2", "programme": "care-homes", "since": "2026-01-05"}
    assert good(home("POST", "/enrolments", sent), 201)["organisation"] == "VM002"


# Repeats


def test_a_repeat_with_its_key_gets_the_first_answer_and_changes_nothing(registry, lead):
    first = lead("POST", "/annotations", AN_ANNOTATION, headers={"Idempotency-Key": "k-1"})
    again = lead("POST", "/annotations", AN_ANNOTATION, headers={"Idempotency-Key": "k-1"})
    assert (again.status_code, again.content) == (201, first.content)
    assert [again.headers[name] for name in ("Location", "ETag")] == [
        first.headers[name] for name in ("Location", "ETag")
    ]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(registry.published(AnnotationSet)) == 1


def test_who_may_no_longer_write_is_not_told_what_was_answered(registry, lead):
    good(lead("POST", "/annotations", AN_ANNOTATION, headers={"Idempotency-Key": "k-1"}), 201)
    reader = Caller(registry, "lead", "EAST", scopes="programmes:read")
    refused(reader("POST", "/annotations", AN_ANNOTATION, headers={"Idempotency-Key": "k-1"}), 403, "forbidden")


def test_of_many_who_change_the_same_thing_at_once_exactly_one_wins(lead, drafted):
    tag = lead("GET", "/measures/east-falls/draft").headers["ETag"]

    def change(number):
        sent = A_MEASURE | {"name": f"Falls {number}"}
        return lead("PUT", "/measures/east-falls/draft", sent, headers={"If-Match": tag}).status_code

    with ThreadPoolExecutor(4) as people:
        answers = sorted(people.map(change, range(8)))
    assert answers == [200] + [412] * 7
    assert good(lead("GET", "/measures/east-falls/draft"))["revision"] == 2

"""Organisations join programmes, move on and leave."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from services.programmes.commands import Act, Joining, enrol
from shared.contracts.programmes import EnrolmentChanged
from tests.programmes.writing.samples import AN_ENROLMENT, good, refused

REGISTERED = datetime(2026, 5, 1, 9, tzinfo=UTC)


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


def test_of_two_who_enrol_it_at_once_the_second_is_told_that_it_is_there(registry, lead):
    waits = text("select exists (select 1 from pg_locks where not granted)")
    with ThreadPoolExecutor(1) as beside:
        with registry.database.session() as session:
            enrol(session, Joining("RGT", "matneosip", None, "aware", date(2026, 1, 5)), Act("first", REGISTERED))
            second = beside.submit(lead, "POST", "/enrolments", AN_ENROLMENT)
            while not second.done() and not session.scalar(waits):
                pass
        refused(second.result(), 409, "already-there")


def test_an_enrolment_that_was_left_is_not_taken_up_again_beside_a_newer_one(lead):
    left, joined = ({"until": "2026-02-01"}, AN_ENROLMENT | {"since": "2026-03-01"})
    first = f"/enrolments/{good(lead('POST', '/enrolments', AN_ENROLMENT), 201)['id']}"
    good(lead("PUT", first, left))
    newer = good(lead("POST", "/enrolments", joined), 201)["id"]

    again = refused(lead("PUT", first, {"stage": "testing", "since": "2026-04-01"}), 409, "already-there")

    assert newer in again["detail"]


def test_the_stages_shown_are_those_that_were_known(lead):
    enrolment = good(lead("POST", "/enrolments", AN_ENROLMENT), 201)
    place = f"/enrolments/{enrolment['id']}"
    good(lead("PUT", place, {"stage": "testing", "since": "2026-03-02"}))

    then = good(lead("GET", place, params={"known_at": enrolment["recorded_at"]}))

    assert (then["stage"], [step["stage"] for step in then["stages"]]) == ("engaged", ["engaged"])


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

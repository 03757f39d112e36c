"""What is drawn on charts; a step change only when a second person has accepted it."""

import pytest

from shared.contracts.programmes import AnnotationSet
from tests.programmes.writing.conftest import Caller
from tests.programmes.writing.samples import A_STEP, AN_ANNOTATION, good, refused


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

"""Every change is on record, and no record can be changed."""

import pytest
from sqlalchemy import text

from services.programmes.rules.organisations import Organisation
from shared.contracts.programmes import Edge
from tests.programmes.writing.conftest import Caller
from tests.programmes.writing.samples import A_HOME, A_PROGRAMME, AN_ANNOTATION, good, refused


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

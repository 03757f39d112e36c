"""Definitions drafted by one person and published by another."""

import pytest

from shared.contracts.programmes import MeasurePublished
from tests.programmes.writing.samples import A_MEASURE, A_PROGRAMME, good, refused


def test_a_draft_is_seen_by_those_it_concerns_only(drafted, second, elsewhere):
    assert (drafted["status"], drafted["version"], drafted["authors"]) == ("draft", "1.0.0", ["lead"])
    assert good(second("GET", "/measures/east-falls/draft"))["revision"] == 1
    assert [one["id"] for one in good(second("GET", "/measures?status=draft"))["items"]] == ["east-falls"]
    refused(elsewhere("GET", "/measures/east-falls/draft"), 404, "no-draft")
    refused(elsewhere("POST", "/measures/east-falls/publish"), 404, "no-draft")
    assert good(elsewhere("GET", "/measures?status=draft"))["items"] == []
    assert good(elsewhere("GET", "/changes?kind=draft"))["items"] == []


@pytest.mark.parametrize(("asked", "found"), [("kind=outcome", 1), ("kind=process", 0), ("programme=matneosip", 0)])
def test_drafts_are_listed_by_what_is_asked_of_them(drafted, lead, asked, found):
    assert len(good(lead("GET", f"/measures?status=draft&{asked}"))["items"]) == found


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
    refused(lead("POST", "/measures/east-falls/publish"), 422, "invalid-definition")  # what is wrong before who asks

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

"""LFPSE has code lists of its own, some the other way round: they are checked as they are, never taken for others."""

import polars as pl
import pytest

from services.ingest.rules.feeds import Feed
from tests.ingest.builders import feed_spec

ROW = {
    "provider_org_code": "RGT", "lfpse_reference": "LRMS-1", "patient_sequence": "1", "event_type": "incident",
    "incident_date": "2026-05-03", "physical_harm": "5", "psychological_harm": "4", "service_area": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def incidents():
    return Feed.from_spec(feed_spec("incidents"))


@pytest.fixture
def incident(judge, incidents):
    def run(**changes):
        row = ROW | changes
        return judge(incidents, ",".join(row) + "\n" + ",".join(row.values()) + "\n")

    return run


@pytest.mark.parametrize(
    ("field", "code", "meaning"),
    [
        ("physical_harm", "1", "Fatal"),
        ("physical_harm", "5", "No physical harm"),
        ("psychological_harm", "1", "Severe psychological harm"),
        ("psychological_harm", "4", "No psychological harm"),
        ("gender", "1", "Female"),
        ("gender", "2", "Male"),
    ],
)
def test_harm_is_counted_downwards_and_female_is_one(incidents, field, code, meaning):
    assert incidents.by_name[field].codes[code].startswith(meaning)


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("physical_harm", "0"),
        ("physical_harm", "6"),
        ("psychological_harm", "5"),
        ("patient_ethnicity", "A"),
        ("gender", "9"),
        ("duty_of_candour", "1"),
        ("never_event", "none"),
    ],
)
def test_codes_of_other_lists_are_refused(incident, field, sent):
    assert (2, field, "not-in-code-list") in incident(**{field: sent}).errors


def test_the_words_of_a_code_name_it(incident):
    faults = incident(gender="Femal").faults.filter(pl.col("severity") == "error")

    assert faults["hint"].to_list() == ["1 means Female"]


def test_harm_must_be_graded_for_every_patient_of_an_incident_and_of_nothing_else(incident):
    assert incident(physical_harm="").errors == [(2, "physical_harm", "physical-harm-missing")]
    assert incident(physical_harm="", psychological_harm="", event_type="good care").errors == []
    assert incident(physical_harm="", psychological_harm="", patient_sequence="0").errors == []


@pytest.mark.parametrize(
    ("sent", "good"), [("4", True), ("4|3", True), ("4|3|13", True), ("4,3", False), ("4|99", False)]
)
def test_several_codes_stand_with_a_bar_between_and_each_is_looked_up(incident, sent, good):
    judged = incident(involved_agents=f'"{sent}"')

    assert judged.errors == ([] if good else [(2, "involved_agents", "not-in-code-list")])
    if not good:
        fault = judged.faults.filter(pl.col("severity") == "error").row(0, named=True)
        assert fault["expected"].startswith("codes with a bar between, each one of 4, 3, 9")

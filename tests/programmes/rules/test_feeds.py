"""A feed that no file could be checked against is refused; the shipped feeds ask for what they should."""

from copy import deepcopy
from typing import Any

import pytest

from services.programmes.rules.catalogue import load
from services.programmes.rules.feeds import plain, problems

FEEDS = load().feeds
BIRTH_OF_THE_FIELD_GUIDE = {
    "schema_version": "1.0.0", "source_message_id": "8c0e", "submitting_org_code": "RGT", "provider_org_code": "RGT",
    "site_code": "RGT01", "pregnancy_id": "P1", "births_per_labour": 1, "baby_local_id": "B1",
    "baby_birth_datetime": "2026-05-03T04:12:00+01:00", "pregnancy_outcome": "01", "gestation_length_at_birth": 221,
    "delivery_method": "8", "ethnic_category": "N", "imd_decile": 2,
    "steroid_course_complete_datetime": "2026-05-02T20:00:00+01:00", "mgso4_datetime": None, "cord_clamp_seconds": 75,
    "admission_temp_c": 36.7,
}  # fmt: skip


def field_of(feed: str, name: str) -> dict[str, Any]:
    return next(field for field in FEEDS[feed]["field"] if field["name"] == name)


def test_the_example_birth_lacks_nothing_that_is_required() -> None:
    lacking = [
        field["name"]
        for field in FEEDS["births"]["field"]
        if field.get("required") and "default" not in field and BIRTH_OF_THE_FIELD_GUIDE.get(field["name"]) is None
    ]
    assert lacking == []


def test_every_absent_column_of_the_source_standard_is_warned_about() -> None:
    for name in ("nhs_number_status", "labour_onset_method", "labour_delivery_id", "birth_order", "extract_datetime"):
        field = field_of("births", name)
        assert (field.get("required", False), field["recommended"]) == (False, True)


def test_gestation_is_in_days_and_weeks_are_turned_away_with_a_hint() -> None:
    gestation = field_of("births", "gestation_length_at_birth")
    assert (gestation["min"], gestation["max"]) == (140, 315)
    assert "weeks" in gestation["hint"]


def test_a_header_of_the_maternity_data_set_finds_its_column() -> None:
    names = {plain(alias): field["name"] for field in FEEDS["births"]["field"] for alias in field.get("aliases", ())}
    assert names[plain("PregOutcome")] == "pregnancy_outcome"
    assert names[plain("GestationLengthBirth")] == "gestation_length_at_birth"
    assert names[plain("EthnicCategoryMother")] == "ethnic_category"
    assert names[plain("OrgCodeProvider")] == names[plain("ods_code")] == "provider_org_code"


def test_what_identifies_a_person_is_declared() -> None:
    declared = {
        (feed, field["name"]): field["identifier"]
        for feed, spec in FEEDS.items()
        for field in spec["field"]
        if "identifier" in field
    }
    for feed in ("births", "observations", "medicines-administration"):
        assert declared[feed, "nhs_number"] == "nhs_number"
        assert declared[feed, "person_birth_date"] == "birth_date"
        assert declared[feed, "local_patient_id"] == "local"
    assert declared["births", "baby_local_id"] == declared["births", "pregnancy_id"] == "local"
    assert field_of("incidents", "free_text")["keep"] is False


def test_a_care_home_may_be_named_by_any_of_its_codes() -> None:
    homes = FEEDS["care-home-weekly"]
    assert homes["organisation"] == ["ods_care_home_code", "cqc_location_id", "provider_org_code"]
    assert homes["period_columns"] == ["week_ending"]
    assert field_of("care-home-weekly", "week_ending")["weekday"] == "sunday"


def test_incidents_and_counts_merge_and_the_others_replace() -> None:
    assert {feed: spec["mode"] for feed, spec in FEEDS.items()} == {
        "births": "replace", "care-home-weekly": "replace", "incidents": "merge", "measure-counts": "merge",
        "medicines-administration": "replace", "observations": "replace",
    }  # fmt: skip


@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_every_field_has_an_example_that_would_be_accepted(feed: str) -> None:
    assert problems(FEEDS[feed]) == []


def spoilt(place: str, **changed: Any) -> dict[str, Any]:
    spec = deepcopy(FEEDS["births"])
    entry = next(one for one in spec[place] if one.get("name", one.get("code")) in ("apgar_5", "apgar-out-of-range"))
    entry.update(changed)
    return spec


@pytest.mark.parametrize(
    ("spec", "ends", "says"),
    [
        (spoilt("field", type="float"), "/type", "'float' is not one of"),
        (spoilt("field", example="eleven"), "/example", "would not be accepted"),
        (spoilt("field", default="400"), "/default", "would not be accepted"),
        (spoilt("field", type="code"), "/codes", "either codes (the name of a list) or values"),
        (spoilt("field", type="code", codes="NO_SUCH_LIST"), "/codes", "there is no code list"),
        (spoilt("field", aliases=["Birth Weight"]), "", "could be"),
        (spoilt("field", identifier="passport"), "/identifier", "is not one of"),
        (spoilt("field", shade="blue"), "/shade", "not something said of a field"),
        (spoilt("rule", check={"field": "apgar", "above": 1}), "/check/field", "'apgar' is not a field"),
        (spoilt("rule", where={"field": "apgar", "above": 1}), "/where/field", "'apgar' is not a field"),
        (spoilt("rule", columns=["apgar"]), "/columns/0", "is not a field"),
        (spoilt("rule", severity="grave"), "/severity", "error or warning"),
        (spoilt("rule", code="period-backwards"), "/code", "already the code of another rule"),
        ({**FEEDS["births"], "key": ["baby"]}, "/key/0", "'baby' is not a field"),
        ({**FEEDS["births"], "nil_column": "nil"}, "/nil_column", "'nil' is not a field"),
        ({**FEEDS["births"], "period": "fortnight"}, "/period", "'fortnight' is not one of"),
        ({**FEEDS["births"], "mode": "merge"}, "/mode", "not among the modes"),
        ({**FEEDS["births"], "organisation": []}, "/organisation", "is needed"),
    ],
)
def test_each_fault_is_placed_and_explained(spec: dict[str, Any], ends: str, says: str) -> None:
    assert any(pointer.endswith(ends) and says in message for pointer, message in problems(spec))

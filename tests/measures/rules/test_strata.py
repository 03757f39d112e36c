"""How strata are derived from the fields of a feed."""

from typing import Any

import polars as pl
import pytest

from services.measures.rules.feeds import Feed, InvalidDefinition
from services.measures.rules.strata import stratum


def an_integer(name: str) -> dict[str, Any]:
    return {"name": name, "type": "integer"}


def a_text(name: str) -> dict[str, Any]:
    return {"name": name, "type": "text"}


LFPSE_GENDER = {"1": "Female", "2": "Male", "3": "Other", "4": "Unknown"}


def derived(name: str, field: dict[str, Any], values: list[Any], **lists: dict[str, str]) -> list[str]:
    feed = Feed.of({"id": "f", "field": [field], "code_lists": lists})
    frame = pl.DataFrame({field["name"]: pl.Series(values, dtype=feed.fields[field["name"]].dtype)})
    return frame.select(stratum(name, feed))[name].to_list()


@pytest.mark.parametrize(
    ("name", "field", "values", "expected"),
    [
        ("imd_quintile", an_integer("imd_decile"), [1, 2, 3, 10, 0, 11], ["1", "1", "2", "5", "unknown", "unknown"]),
        ("imd_quintile", a_text("imd_quintile"), ["5", "9"], ["5", "unknown"]),
        ("ethnic_group", a_text("ethnic_category"), list("AGLPS"), ["White", "Mixed", "Asian", "Black", "Other"]),
        ("ethnic_group", a_text("ethnic_category"), ["Z", "99", None], ["unknown", "unknown", "unknown"]),
        ("ethnic_group", a_text("patient_ethnicity"), ["11", "34", "52", "99"], ["White", "Asian", "Other", "unknown"]),
        ("age_band", an_integer("age"), [17, 18, 90, 130], ["0-17", "18-24", "85+", "unknown"]),
        ("sex", a_text("person_gender_code_stated"), ["1", "2", "9"], ["male", "female", "unknown"]),
    ],
)
def test_a_stratum_is_derived_from_the_field_that_says_it(
    name: str, field: dict[str, Any], values: list[Any], expected: list[str]
) -> None:
    assert derived(name, field, values) == expected


def test_the_sex_of_an_incident_is_read_through_its_own_code_list_where_one_is_female() -> None:
    field = {"name": "gender", "type": "code", "codes": "LFPSE_GENDER"}

    assert derived("sex", field, ["1", "2", "3", "4"], LFPSE_GENDER=LFPSE_GENDER) == [
        "female",
        "male",
        "unknown",
        "unknown",
    ]


def test_a_missing_value_is_unknown_and_keeps_its_row() -> None:
    assert derived("imd_quintile", {"name": "imd_decile", "type": "integer"}, [None]) == ["unknown"]


@pytest.mark.parametrize("name", ["imd_quintile", "shoe_size"])
def test_a_stratum_the_feed_cannot_give_is_refused(name: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        stratum(name, Feed.of({"id": "f", "field": []}), "/strata/0")

    assert refused.value.pointer == "/strata/0"

"""Nothing that could identify a patient comes through, and nothing else is taken for it."""

import hashlib
import hmac
import io
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.comments import Comment

from services.ingest.rules.blocks import block
from services.ingest.rules.formats import PARQUET, XLSX
from services.ingest.rules.identifiers import redact
from services.ingest.rules.identity import identifiable, nhs_numbers
from services.ingest.rules.pseudonyms import pseudonymise

VALID, GROUPED = "9434765919", "943 476 5919"
GUILTY = [
    VALID,
    GROUPED,
    "943-476-5919",
    "943\u00a0476\u00a05919",
    "call 943\u2013476\u20135919",
    "943 - 476 - 5919",
    f"seen by GP, NHS no {GROUPED}, well",
    f"NHS{VALID}",
    f"({VALID})",
    "lives at SW1A 1AA",
    "sw1a1aa",
    "M1 1AE",
    "DOB 12/03/1987",
    "date of birth: 1987-03-12",
    "born on 12th March 1987",
]
INNOCENT = [
    "9434765918",
    "9999999999",
    "94347659190",
    "1-9434765919",
    "B9434765919",
    "2026-10-05T10:30",
    "B12 5mg at 10",
    "E01000001",
    "RGT01",
    "ward 4 bed 12",
    "322236009 paracetamol 500mg",
    "born well",
    "",
]


@pytest.mark.parametrize("text", GUILTY)
def test_what_identifies_a_patient_is_found(text):
    assert identifiable(pl.Series([text])).to_list() == [True]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_it_is_not(text):
    assert identifiable(pl.Series([text])).to_list() == [False]


def test_record_identifiers_may_look_like_postcodes_without_a_space():
    ids = pl.Series(["B12AB", "W15NB", "SW1A 1AA"])

    assert identifiable(ids, record_ids=True).to_list() == [False, False, True]


@given(st.integers(0, 999_999_999))
def test_of_ten_digits_with_any_check_digit_at_most_one_is_an_nhs_number(first):
    tens = pl.Series([f"{first:09d}{check}" for check in range(10)])
    weighted = sum(int(digit) * weight for digit, weight in zip(f"{first:09d}", range(10, 1, -1), strict=True))
    check = (11 - weighted % 11) % 11
    one_digit = len({*f"{first:09d}"}) == 1 and str(check) == f"{first:09d}"[0]

    assert nhs_numbers(tens).to_list() == [check == digit and not one_digit for digit in range(10)]


@pytest.mark.parametrize("text", GUILTY)
@pytest.mark.parametrize("column", ["notes", "baby_id", "gestation", "outcome", "booked", "shoe"])
def test_a_row_that_identifies_a_patient_is_rejected_and_its_value_is_nowhere(judge, births, column, text):
    if column == "baby_id" and text == "sw1a1aa":
        pytest.skip("a record identifier may look like this")
    values = {"provider": "RGT", "baby_id": "B1", "born": "2026-10-05T10:30", "outcome": "01", "status": "final"}
    values[column] = text
    judged = judge(births, ",".join(values) + "\n" + ",".join(f'"{v}"' for v in values.values()) + "\n")

    assert (2, column, "identifiable-data") in judged.errors
    assert judged.counts["rejected"] == 1
    assert text not in str(judged.faults.rows())
    assert judged.accepted.is_empty()


@pytest.mark.parametrize("column", ["DOB", "Date of Birth", "patient_name", "Surname", "postcode"])
def test_a_column_named_after_a_person_rejects_every_row_that_fills_it(judge, births, column):
    head = f"provider,baby_id,born,outcome,status,{column}\n"
    judged = judge(births, head + "RGT,B1,2026-10-05T10:30,01,final,x\nRGT,B2,2026-10-05T10:30,01,final,\n")

    assert judged.errors == [(2, column, "identifiable-data")]
    assert judged.accepted["baby_id"].to_list() == ["B2"]


def test_free_text_in_a_column_that_is_not_of_the_feed_rejects_the_row(judge, births):
    story = "she was found on the floor by the night staff and taken to the hospital at once"
    head = "provider,baby_id,born,outcome,status,story\n"
    judged = judge(births, head + f"RGT,B1,2026-10-05T10:30,01,final,{story}\n")

    assert judged.errors == [(2, "story", "unexpected-free-text")]
    assert "floor" not in str(judged.faults.rows())


@pytest.mark.parametrize(
    ("number", "code"),
    [(VALID, None), (GROUPED, None), ("9434765918", "not-an-nhs-number"), ("9999999999", "implausible-nhs-number")],
)
def test_a_declared_nhs_number_is_checked_and_never_quoted(birth, number, code):
    judged = birth(nhs_number=number)

    assert [its for *_, its in judged.errors] == ([] if code is None else [code])
    assert number not in str(judged.faults.rows())


def test_a_number_out_of_range_that_is_an_nhs_number_is_not_quoted(birth):
    judged = birth(gestation=VALID)

    assert {code for *_, code in judged.errors} == {"identifiable-data"}
    assert VALID not in str(judged.faults.rows())


def test_what_is_kept_of_a_file_is_redacted(births):
    sent = pl.DataFrame(
        {
            "Provider": ["RGT", "1-9434765919"],
            "nhs_number": [VALID, None],
            "notes": ["well", f"call {GROUPED}"],
            "gestation": ["275", VALID],
            "DOB": ["1987-03-12", None],
            "colour": ["red", "M1 1AE"],
        }
    )
    kept = redact(block(sent, pl.Series([2, 3])).frame, births)

    assert kept.rows() == [
        ("RGT", "[withheld]", "well", "275", "[withheld]", "red", 2),
        ("1-9434765919", None, "[withheld]", "[withheld]", None, "[withheld]", 3),
    ]


def test_declared_identifiers_become_pseudonyms(birth, births):
    one = birth(nhs_number=VALID, mother_born="1994-11-02", born="2026-10-05T10:30")
    same = birth(nhs_number=GROUPED, mother_born="1994-10-01")

    first = pseudonymise(one.accepted, births, "key", "v1")
    again = pseudonymise(same.accepted, births, "key", "v1")
    rotated = pseudonymise(one.accepted, births, "another", "v2")

    assert first["nhs_number"][0] == again["nhs_number"][0]
    assert first["nhs_number"][0].startswith("v1:")
    assert rotated["nhs_number"][0].startswith("v2:")
    assert rotated["nhs_number"][0][3:] != first["nhs_number"][0][3:]
    assert VALID not in str(first.rows())
    assert "mother_born" not in first.columns
    assert first["age_band"].to_list() == ["30-34"]


@pytest.mark.parametrize(
    ("born", "period", "band"),
    [
        ("2011-10-01", "2026-10", "15-19"),
        ("2011-10-02", "2026-10", "under 15"),
        ("2011-10-05", "2026-W41", "15-19"),
        ("2011-10-06", "2026-W41", "under 15"),
        ("2011-04-01", "2026-27", "15-19"),
        ("2011-04-02", "2026-27", "under 15"),
        ("2008-02-29", "2027-02", "15-19"),
    ],
)
def test_an_age_is_that_on_the_first_day_of_the_period(births, born, period, band):
    rows = pl.DataFrame({"mother_born": [date.fromisoformat(born)], "_organisation": "RGT", "_period": period})

    assert pseudonymise(rows, births, "key", "1")["age_band"].to_list() == [band]


LOCAL = {"id": "x", "version": "1", "period": "month",
         "field": [{"name": "baby_id", "type": "text", "identifier": "local"}]}  # fmt: skip


@given(st.lists(st.text(max_size=70), min_size=1, max_size=5), st.text(min_size=1, max_size=200))
def test_a_pseudonym_is_the_beginning_of_an_hmac_with_sha_256_under_the_key(births, names, key):
    frame = pl.DataFrame({"baby_id": names, "_organisation": "RGT", "_period": "2026-10"})
    made = pseudonymise(frame, type(births).from_spec(LOCAL), key, "7")["baby_id"].to_list()

    digests = [hmac.new(key.encode(), f"local:RGT:{name}".encode(), hashlib.sha256).hexdigest() for name in names]
    assert made == [f"7:{digest[:32]}" for digest in digests]


def test_local_identifiers_of_two_organisations_stay_apart(births):
    frame = pl.DataFrame(
        {"baby_id": ["1", "1", "1", None], "_organisation": ["A", "B", "A", "A"], "_period": ["2026-10"] * 4}
    )
    names = pseudonymise(frame, type(births).from_spec(LOCAL), "key", "v1")["baby_id"].to_list()

    assert names[0] == names[2] != names[1]
    assert names[3] is None


LOST = {
    "a cell too many": (f"provider,outcome\nRGT,01,{VALID}\n", "text/csv"),
    "a cell too few": (f"provider,outcome,notes\nRGT,{VALID}\n", "text/csv"),
    "a line that is no JSON": (f'{{"provider": "RGT"}}\nnhs {GROUPED}\n', "application/x-ndjson"),
    "a row that is no object": (f'[{{"provider": "RGT"}}, "{VALID}"]', "application/json"),
    "a nested value": (f'[{{"provider": "RGT", "notes": ["{VALID}"]}}]', "application/json"),
}


@pytest.mark.parametrize(("content", "kind"), LOST.values(), ids=LOST.keys())
def test_what_identifies_is_found_where_no_column_takes_it_up(judge, births, content, kind):
    judged = judge(births, content, content_type=kind)

    assert "identifiable-data" in judged.faults["code"].to_list()
    assert VALID not in str(judged.faults.rows())
    assert GROUPED not in str(judged.faults.rows())


def a_workbook(*, sheet: str = "", comment: str = "", creator: str = "us") -> bytes:
    """One row of births, and what else a workbook may hold."""
    book = Workbook()
    book.properties.creator = creator
    table = book.active
    for row in (["provider", "outcome"], ["RGT", "01"]):
        table.append(row)
    if comment:
        table["A2"].comment = Comment(comment, "us")
    book.create_sheet("other").append(["see", sheet])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def a_parquet_file(said: str) -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"provider": ["RGT"], "outcome": ["01"]}).write_parquet(file, metadata={"said": said})
    return file.getvalue()


BESIDE = {
    "a comment": (f"# for {GROUPED}\nprovider,outcome\nRGT,01\n".encode(), "text/csv"),
    "a column name": (f"provider,outcome,{GROUPED}\nRGT,01,x\n".encode(), "text/csv"),
    "a key": (f'[{{"provider": "RGT"}}, {{"provider": "RGT", "{GROUPED}": 1}}]'.encode(), "application/json"),
    "another sheet": (a_workbook(sheet=VALID), XLSX),
    "a note on a cell": (a_workbook(comment=f"is {GROUPED}"), XLSX),
    "a property": (a_workbook(creator="of SW1A 1AA"), XLSX),
    "metadata": (a_parquet_file(f"from {VALID}"), PARQUET),
}


@pytest.mark.parametrize(("content", "kind"), BESIDE.values(), ids=BESIDE.keys())
def test_what_identifies_beside_the_rows_is_found_once_for_the_file(judge, births, content, kind):
    judged = judge(births, content, content_type=kind)

    assert judged.faults["code"].to_list().count("identifiable-beside-rows") == 1
    assert GROUPED not in str(judged.faults.rows())


@pytest.mark.parametrize("content", [(a_workbook(sheet="9434765918"), XLSX), (a_parquet_file("us"), PARQUET)])
def test_what_identifies_nobody_may_stand_beside_the_rows(judge, births, content):
    judged = judge(births, content[0], content_type=content[1])

    assert "identifiable-beside-rows" not in judged.faults["code"].to_list()


def test_an_nhs_number_is_no_count(judge, counts):
    head = "organisation,period,measure,numerator\n"
    judged = judge(counts, f"{head}RGT,2026-10,ch-falls,{VALID}\nRGT,2026-09,ch-falls,9434765918\n")

    assert judged.errors == [(2, "numerator", "identifiable-data")]
    assert VALID not in str(judged.faults.rows())


def test_the_second_column_of_a_name_is_withheld_as_the_first_is(births):
    names = ["nhs_number", "nhs_number (2)", "mother_born", "mother_born (2)", "secret (2)", "secret", "Surname (2)"]
    kept = redact(block(pl.DataFrame({name: ["x"] for name in names}), pl.Series([2])).frame, births)

    assert kept.row(0) == (*["[withheld]"] * len(names), 2)


def test_a_column_is_never_named_by_a_value_that_identifies(judge, births):
    judged = judge(births, f"provider,{VALID},SW1A 1AA\nRGT,1,2\n")

    told = judged.faults.filter(pl.col("code") == "unknown-column")
    assert told["column"].to_list() == ["column 2", "column 3"]

"""Each fault a sender can make, and how it is said."""

from datetime import date

import polars as pl
import pytest

from services.ingest.rules.reference import Organisation, Reference
from services.ingest.rules.remedies import REMEDIES
from services.ingest.rules.validation import Checker

CELLS = [
    ("gestation", "39+2", "not-an-integer", "39+2", "in days"),
    ("gestation", "275.5", "not-an-integer", "275.5", "a whole number is needed here: check the unit"),
    ("gestation", "1,275", "thousands-separator", "1,275", "write it without separators"),
    ("gestation", "unknown", "not-an-integer", "unknown", "leave the cell blank where the value is not known"),
    ("gestation", "39", "out-of-range", "39", "in days"),
    ("gestation", "#N/A", "excel-error", "#N/A", "in days"),
    ("temperature", "36,8", "not-a-number", "36,8", "write a full stop, not a comma"),
    ("temperature", "nan", "not-a-number", "nan", ""),
    ("temperature", "368", "out-of-range", "368", ""),
    ("admitted", "maybe", "not-yes-or-no", "maybe", ""),
    ("outcome", "1", "not-in-code-list", "1", "01 means Live birth"),
    ("outcome", "Live birht", "not-in-code-list", "Live birht", "01 means Live birth"),
    ("outcome", "Q9", "not-in-code-list", "Q9", ""),
    ("outcome", "", "missing-value", None, ""),
    ("booked", "45567", "excel-serial-date", "45567", "a spreadsheet counts days: format the column as a date"),
    ("booked", "31/02/2026", "not-a-date", "31/02/2026", ""),
    ("booked", "05/10/26", "not-a-date", "05/10/26", "write the year in four digits"),
    ("booked", "05/28/2026", "month-first-date", "05/28/2026", "write the year first: 2026-10-05"),
    ("born", "2026-10-05", "time-missing", "2026-10-05", ""),
    ("born", "yesterday", "not-a-datetime", "yesterday", ""),
    ("born", "2026-12-05T10:30", "period-in-future", "2026-12", ""),
    ("baby_id", "1.23457E+11", "excel-scientific", "1.23457E+11", ""),
    ("baby_id", "x" * 21, "too-long", "x" * 21, "at most 20 characters"),
    ("provider", "R G T", "not-an-organisation-code", "R G T", ""),
    ("provider", "NEW", None, None, ""),
]


@pytest.mark.parametrize(("column", "value", "code", "found", "hint"), CELLS)
def test_a_cell_that_is_wrong_is_named_with_what_was_found_and_how_to_mend_it(birth, column, value, code, found, hint):
    errors = birth(**{column: value}).faults.filter(pl.col("severity") == "error")

    if code is None:
        assert errors.is_empty()
    else:
        named = column if code != "period-in-future" else "born"
        said = hint or REMEDIES[code].remedy
        assert errors.select("line", "column", "code", "found", "hint").rows() == [(2, named, code, found, said)]


def test_every_fault_of_a_row_is_said_in_one_pass(birth):
    judged = birth(provider="R G T", baby_id="", born="x", outcome="1", gestation="a", booked="b")

    assert {(column, code) for _, column, code in judged.errors} == {
        ("provider", "not-an-organisation-code"),
        ("baby_id", "missing-value"),
        ("born", "not-a-datetime"),
        ("outcome", "not-in-code-list"),
        ("gestation", "not-an-integer"),
        ("booked", "not-a-date"),
    }


def test_a_rule_between_columns_says_both_values(birth):
    judged = birth(booked="2026-11-01")

    fault = judged.faults.filter(pl.col("code") == "booked-after-birth").row(0, named=True)
    assert fault["found"] == "booked=2026-11-01, born=2026-10-05 10:30:00.000000"
    assert fault["expected"] == "booking before the birth"


def test_a_rule_is_not_judged_where_a_value_is_missing_or_unreadable(birth):
    assert birth(booked="").errors == []
    assert [code for *_, code in birth(booked="x").errors] == ["not-a-date"]
    assert [code for *_, code in birth(admitted="yes", temperature="warm").errors] == ["not-a-number"]
    assert [code for *_, code in birth(admitted="yes", temperature="").errors] == ["weightless"]


def test_values_are_read_into_their_types(birth):
    judged = birth(
        provider="rgt",
        born="05/10/2026 10:30",
        gestation="275.0",
        temperature=" 36.8 ",
        admitted="Y",
        booked="2026-04-01",
        outcome="98",
        status="FINAL",
    )

    row = judged.accepted.row(0, named=True)
    assert row["provider"] == "RGT"
    assert row["born"].isoformat() == "2026-10-05T10:30:00"
    assert (row["gestation"], row["temperature"], row["admitted"]) == (275, 36.8, True)
    assert (row["status"], row["_organisation"], row["_period"], row["line"]) == ("final", "RGT", "2026-10", 2)
    assert "secret" not in row


@pytest.mark.parametrize(
    ("sent", "on_the_wall"),
    [
        ("2026-07-05T10:30:00Z", "2026-07-05T11:30:00"),
        ("2026-01-05T10:30Z", "2026-01-05T10:30:00"),
        ("2026-07-05 10:30:00+01:00", "2026-07-05T10:30:00"),
        ("2026-07-05T23:30:00.125-0500", "2026-07-06T05:30:00"),
        ("2026-03-29T01:30:00Z", "2026-03-29T02:30:00"),
    ],
)
def test_an_offset_is_converted_to_the_clock_on_the_wall(birth, sent, on_the_wall):
    assert birth(born=sent).accepted["born"][0].isoformat() == on_the_wall


def test_an_absent_column_with_a_default_warns_once(judge, births):
    header = "provider,baby_id,born,outcome\n"
    judged = judge(births, header + "RGT,B1,2026-10-05T10:30,01\nRGT,B2,2026-10-05T10:30,01\n")

    assert judged.warnings == [(None, "status", "default-used")]
    assert judged.accepted["status"].to_list() == ["provisional", "provisional"]


def test_an_absent_column_that_is_required_rejects_every_row_and_is_said_once(judge, births):
    judged = judge(births, "provider,baby_id,outcome,status\nRGT,B1,01,final\nRGT,B2,01,final\n", period="2026-10")

    assert judged.errors == []
    assert judged.counts["accepted"] == 2

    judged = judge(births, "provider,baby_id,born,status\nRGT,B1,2026-10-05T10:30,final\n")
    assert judged.errors == [(None, "outcome", "missing-column")]
    assert judged.counts["rejected"] == 1


def test_headers_match_whatever_their_case_spacing_order_or_alias(judge, births):
    judged = judge(
        births,
        "\ufeffOUTCOME,Baby ID,person birth date/time (baby),OrgCode provider,Status\n"
        "01,B1,2026-10-05T10:30,RGT,final\n",
    )

    assert judged.errors == []
    assert judged.accepted.select("outcome", "baby_id", "_organisation").row(0) == ("01", "B1", "RGT")


def test_unknown_and_repeated_columns_are_warnings(judge, births):
    text = "provider,baby_id,born,outcome,status,shoe size,Outcome\nRGT,B1,2026-10-05T10:30,01,final,43,02\n"
    judged = judge(births, text)

    assert judged.warnings == [(None, "shoe size", "unknown-column"), (None, "Outcome", "duplicate-column")]
    assert judged.accepted["outcome"].to_list() == ["01"]


@pytest.mark.parametrize(
    ("provider", "born", "severity", "code"),
    [
        ("OLD", "2026-03-31T10:00", None, None),
        ("OLD", "2026-04-01T10:00", "warning", "organisation-closed-recently"),
        ("OLD", "2026-06-15T10:00", "warning", "organisation-closed-recently"),
        ("OLD", "2026-07-01T10:00", "error", "organisation-closed"),
        ("NEW", "2026-09-30T10:00", "error", "organisation-not-open"),
        ("NEW", "2026-10-01T10:00", None, None),
        ("XYZ", "2026-10-01T10:00", "warning", "unknown-organisation"),
    ],
)
def test_an_organisation_must_have_been_open_in_the_period(birth, provider, born, severity, code):
    judged = birth(provider=provider, born=born)

    told = judged.faults.select("severity", "code").rows()
    assert told == ([] if code is None else [(severity, code)])
    assert judged.counts["waiting"] == (code == "unknown-organisation")


def test_a_closed_organisation_is_told_its_successor(birth):
    fault = birth(provider="OLD").faults.row(0, named=True)

    assert fault["hint"] == "OLD closed on 2026-03-31; its work passed to RGT"


def test_any_identifier_names_the_organisation(birth):
    assert birth(provider="1-123456789").accepted["_organisation"].to_list() == ["VN1AB"]


def test_rows_of_organisations_the_caller_may_not_write_for_are_refused(birth):
    assert [code for *_, code in birth(options={"allowed": {"VN1AB"}}).errors] == ["not-yours"]
    assert birth(options={"allowed": {"RGT"}}).errors == []


def test_the_request_fills_in_the_organisation_and_period(judge, births):
    text = "baby_id,outcome,status\nB1,01,final\n"
    judged = judge(births, text, organisation="rgt", period="2026-09")

    assert judged.accepted.select("_organisation", "_period").row(0) == ("RGT", "2026-09")


def test_a_waiting_row_lands_when_its_organisation_is_known(birth, births):
    waiting = birth(provider="XYZ").waiting

    known = Checker(births, Reference({"XYZ": Organisation("XYZ")}), today=date(2026, 11, 23)).recheck(waiting)
    closed = Reference({"XYZ": Organisation("XYZ", closed=date(2020, 1, 1))})
    refused = Checker(births, closed, today=date(2026, 11, 23)).recheck(waiting)

    assert known.accepted.drop("_organisation").equals(waiting.drop("_organisation"))
    assert refused.faults["code"].to_list() == ["organisation-closed"]


def test_the_first_of_two_records_stands(judge, births):
    head = "provider,baby_id,born,outcome,status\n"
    rows = ["RGT,B1,2026-10-05T10:30,01,final", "RGT,B1,2026-10-05T10:30,01,final", "RGT,B1,2026-10-05T10:30,02,final"]
    judged = judge(births, head + "\n".join(rows))

    assert judged.counts == {"received": 3, "accepted": 1, "waiting": 0, "rejected": 1, "duplicate": 1}
    fault = judged.faults.row(0, named=True)
    assert (fault["line"], fault["code"], fault["hint"]) == (4, "conflicting-duplicate", "the same record is on line 2")


COUNT_ROWS = [
    ("RGT,2026-10,mn-pph,3,10,", None),
    ("RGT,2026-10,MN-PPH,3,10,imd_quintile=1", None),
    ("RGT,2026-10,mn-pph,11,10,", "more-events-than-denominator"),
    ("RGT,2026-10,ch-falls,11,10,", None),
    ("RGT,2026-10,ch-falls,-1,10,", "out-of-range"),
    ("RGT,2026-10,ch-falls,1,10,quintile 1", "not-a-stratum"),
    ("RGT,2026-Q3,mn-pph,1,10,", "wrong-period-grain"),
    ("RGT,Oct-26,mn-pph,1,10,", "not-a-period"),
    ("RGT,,mn-pph,1,10,", "missing-value"),
    ("RGT,2027-10,mn-pph,1,10,", "period-in-future"),
    ("RGT,2026-10,,1,10,", "missing-value"),
]


@pytest.mark.parametrize(("row", "code"), COUNT_ROWS)
def test_counted_figures_must_make_sense(judge, counts, row, code):
    judged = judge(counts, f"organisation,period,measure,numerator,denominator,stratum\n{row}\n")

    assert [its for *_, its in judged.errors] == ([] if code is None else [code])


def test_figures_of_a_measure_not_yet_known_wait(judge, counts):
    judged = judge(counts, "organisation,period,measure,numerator,denominator,stratum\nRGT,2026-10,mn-new,1,2,\n")

    assert judged.warnings == [(2, "measure", "unknown-measure")]
    assert judged.waiting.select("measure", "stratum", "_organisation").row(0) == ("mn-new", "", "RGT")


def test_every_code_that_is_given_has_a_meaning_and_a_remedy():
    assert {code for _, _, code, _, _ in CELLS if code} <= set(REMEDIES)
    assert all(one.meaning and one.remedy for one in REMEDIES.values())


@pytest.mark.parametrize("space", [" ", "\t", "\u00a0", "\u2003", "\r"])
def test_white_space_round_a_value_does_not_count(birth, space):
    judged = birth(baby_id=f"{space}B1{space}", outcome=f"01{space}", gestation=f"{space}275", notes=space)

    assert judged.errors == []
    assert judged.accepted.select("baby_id", "outcome", "gestation", "notes").row(0) == ("B1", "01", 275, None)

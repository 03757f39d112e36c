"""Files found in the world, each with the answer written down."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from services.ingest.rules.faults import Unreadable
from services.ingest.rules.feeds import Feed
from services.ingest.rules.formats import XLSX, read_blocks
from services.ingest.rules.reference import Organisation, Reference
from services.ingest.rules.validation import Checker

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = [
    pytest.mark.published,
    pytest.mark.skipif(not DATA.exists(), reason="published figures are not beside this checkout"),
]


def files(folder, pattern="*"):
    return sorted(DATA.joinpath(folder).glob(pattern)) if DATA.exists() else []


def read(path, content_type="text/csv", wrap=None):
    data = path.read_bytes() if wrap is None else wrap(path.read_bytes())
    return list(read_blocks(iter([data]), content_type=content_type))


@pytest.mark.parametrize("path", files("peers/csv-spectrum/csvs"), ids=lambda path: path.stem)
def test_csv_spectrum_is_read_as_it_says(path):
    expected = json.loads((path.parents[1] / "json" / f"{path.stem}.json").read_text())

    assert pl.concat([b.frame.drop("line") for b in read(path)]).fill_null("").to_dicts() == expected


@pytest.mark.parametrize("path", files("peers/json-test-suite", "[yn]_*.json"), ids=lambda path: path.stem)
def test_json_test_suite_as_an_element_of_an_array(path):
    def outcome():
        try:
            return sum(b.frame.height for b in read(path, "application/json", lambda data: b"[" + data + b"]"))
        except Unreadable as refused:
            return refused.code

    if path.name.startswith("y"):
        assert outcome() == 1
    else:
        assert outcome() in ("not-json", "cut-off", "not-text", "header-only", "row-too-long")


FRICTIONLESS = {
    "table.csv": (2, []),
    "defective-rows.csv": (2, [(2, "ragged-row"), (3, "ragged-row")]),
    "duplicate-column.csv": (1, []),
    "blank-rows-multiple.csv": (2, [(4, "blank-row"), (5, "blank-row"), (6, "blank-row"), (7, "blank-row")]),
    "capital-invalid.csv": (10, [(10, "ragged-row"), (12, "ragged-row")]),
    "latin1.csv": (2, [(3, "windows-1252")]),
    "delimiter.csv": (2, [(None, "other-delimiter")]),
    "matrix-with-comment.csv": (4, [(None, "comment-lines")]),
    "schema-errors.csv": (4, [(5, "ragged-row")]),
    "doublequote.csv": (5, []),
    "invalid.csv": (3, [(2, "ragged-row"), (3, "ragged-row"), (5, "ragged-row")]),
    "long.csv": (6, []),
}


@pytest.mark.parametrize(("name", "answer"), FRICTIONLESS.items())
def test_frictionless_files(name, answer):
    blocks = read(DATA / "peers" / "frictionless" / name)

    assert sum(b.frame.height for b in blocks) == answer[0]
    assert [row for b in blocks for row in b.faults.select("line", "code").rows()][:4] == answer[1]


def test_dates_that_a_spreadsheet_exchanged_are_caught_by_the_length_of_the_period(judge):
    feed = Feed.from_spec(
        {
            "id": "msds",
            "version": "1",
            "period": "month",
            "organisation": ["Org_Code"],
            "period_columns": ["start"],
            "field": [
                {"name": "Org_Code", "type": "organisation"},
                {"name": "start", "type": "date", "aliases": ["ReportingPeriodStartDate"]},
                {"name": "end", "type": "date", "aliases": ["ReportingPeriodEndDate"]},
            ],
            "rule": [
                {
                    "code": "not-one-month",
                    "columns": ["start", "end"],
                    "check": {"field": "start", "within": {"field": "end", "hours": 31 * 24}},
                }
            ],
        }
    )
    judged = judge(feed, (DATA / "dirty" / "msds_2025-02_excel_mangled_dates_first_500.csv").read_bytes())

    assert judged.counts["rejected"] == judged.counts["received"] == 500
    assert {code for *_, code in judged.errors} == {"not-one-month"}


def test_a_file_with_comments_and_stray_bytes_is_read_with_both_reported():
    blocks = read(DATA / "dirty" / "nmpa_pph_2021-22_mixed_encoding_comments.csv")

    assert [code for b in blocks for code in b.faults["code"].unique().sort()] == ["comment-lines", "windows-1252"]
    assert "Organisation code" in blocks[0].frame.columns
    assert not blocks[0].frame.select(pl.any_horizontal(pl.col(pl.String).str.contains("\ufffd").any())).item()


def test_a_wide_file_is_not_taken_for_a_feed(judge, births):
    with pytest.raises(Unreadable) as refused:
        judge(births, (DATA / "dirty" / "practice_opioidspercent_wide_epoch_dates.csv").read_bytes())

    assert refused.value.code == "header-not-recognised"


@pytest.mark.parametrize("path", files("deterioration/ae_monthly_raw", "*.csv"), ids=lambda path: path.stem)
def test_monthly_ae_files_are_read_whole(path):
    blocks = read(path)

    assert sum(b.frame.height for b in blocks) > 150
    assert not any((b.faults["severity"] == "error").any() for b in blocks)


UPLOAD = {
    "id": "fingertips",
    "version": "1",
    "period": "year",
    "key": ["indicator", "quarter", "month", "age", "sex", "category_type", "category"],
    "organisation": ["area_code"],
    "period_columns": ["year"],
    "field": [
        {"name": "indicator", "type": "integer", "required": True, "aliases": ["IndicatorId"]},
        {"name": "year", "type": "period", "required": True},
        {"name": "area_code", "type": "organisation", "required": True},
        {"name": "age", "type": "integer", "required": True, "max": 400, "aliases": ["AgeId"]},
        {"name": "sex", "type": "integer", "required": True, "aliases": ["SexId"]},
        *({"name": name, "type": "integer"} for name in ("year_range", "quarter", "month")),
        *({"name": name, "type": "integer", "recommended": True, "aliases": [f"{name}Id"]}
          for name in ("category_type", "category")),
        {"name": "value_note", "type": "code", "values": ["0"], "aliases": ["ValueNoteId"]},
        *({"name": name, "type": "decimal"} for name in ("count", "denominator", "denominator_2")),
        {"name": "value", "type": "decimal", "required": True},
        {"name": "lower", "type": "decimal", "aliases": ["LowerCI", "LowerCI95"]},
        {"name": "upper", "type": "decimal", "aliases": ["UpperCI", "UpperCI95"]},
    ],
}  # fmt: skip

FINGERTIPS = {
    "upload-batch-duplicate-row-in-file.xlsx": ({"accepted": 1, "duplicate": 1}, []),
    "upload-batch-duplicate-row-in-pholio.xlsx": ({"accepted": 1}, []),
    "upload-batch-invalid-area-code.xlsx": ({"waiting": 1}, []),
    "upload-batch-invalid-data-type.xlsx": ({"rejected": 1}, [("age", "7777", "out-of-range")]),
    "upload-batch-invalid-value-note.xlsx": ({"rejected": 1}, [("value_note", "2", "not-in-code-list")]),
    "upload-duplicate-rows.csv": ({"accepted": 1, "duplicate": 1}, []),
    "upload-duplicate-rows.xlsx": ({"accepted": 1, "duplicate": 1}, []),
    "upload-duplicate-rows_complex_grouping.csv": ({"accepted": 2807, "duplicate": 12}, []),
    "upload-duplicate-rows_complex_grouping.xlsx": ({"accepted": 2807, "duplicate": 12}, []),
    "upload-new-data-missing-columns.csv": ({"accepted": 2}, []),
    "upload-new-data-old-ci-names.csv": ({"accepted": 1}, []),
    "upload-new-data_minus_one_cis.xlsx": ({"accepted": 1}, []),
    "upload-new-data_valid_cis.xlsx": ({"accepted": 1}, []),
    "upload-non-numeric-data.csv": (
        {"rejected": 1},
        [("lower", "#DIV/0!", "excel-error"), ("upper", "#DIV/0!", "excel-error"), ("value", "#DIV/0!", "excel-error")],
    ),
}


def whole(path, feed, known, **options):
    """How a file's rows are counted, and its errors."""
    blocks = read(path, XLSX if path.suffix == ".xlsx" else "text/csv")
    codes = {code for block in blocks for code in known(block.frame)}
    reference = Reference({code: Organisation(code) for code in codes})
    checker = Checker(Feed.from_spec(feed), reference, today=date(2100, 1, 1), **options)
    verdicts = [checker.check(block) for block in blocks]
    counts = {name: sum(one.counts[name] for one in verdicts) for name in verdicts[0].counts}
    return counts, pl.concat([*(one.faults for one in verdicts), checker.finish()])


@pytest.mark.parametrize(("name", "answer"), FINGERTIPS.items())
def test_uploads_whose_names_say_what_is_wrong_with_them(name, answer):
    (path,) = DATA.joinpath("peers", "fingertips-uploads").rglob(name)
    counts, found = whole(path, UPLOAD, lambda rows: set(rows.rename(str.lower)["areacode"]) - {"NOTACODE"})

    errors = found.filter(pl.col("severity") == "error").sort("column")
    assert {name: count for name, count in counts.items() if count and name != "received"} == answer[0]
    assert errors.select("column", "found", "code").rows() == answer[1]
    if "missing-columns" in name:
        told = found.filter(pl.col("code") == "recommended-column")["column"]
        assert sorted(told) == ["category", "category_type"]


def test_a_month_of_maternity_statistics_is_read_whole_but_for_groups_that_have_no_code():
    feed = {
        "id": "msds-statistics",
        "version": "1",
        "period": "month",
        "key": ["Dimension", "Org_Level", "Measure", "Count_Of"],
        "organisation": ["Org_Code"],
        "period_columns": ["ReportingPeriodStartDate"],
        "field": [
            {"name": "Org_Code", "type": "organisation", "required": True},
            *({"name": name, "type": "date"} for name in ("ReportingPeriodStartDate", "ReportingPeriodEndDate")),
            *({"name": name, "type": "text", "max": 200} for name in ("Dimension", "Org_Level", "Org_Name")),
            *({"name": name, "type": "text", "max": 200} for name in ("Measure", "Count_Of")),
            {"name": "Final_value", "type": "decimal", "min": 0},
        ],
    }
    counts, found = whole(DATA / "maternity" / "msds_monthly_2025-02.csv", feed, lambda rows: set(rows["Org_Code"]))

    errors = found.filter(pl.col("severity") == "error")
    assert counts == {"received": 19323, "accepted": 18525, "waiting": 0, "rejected": 798, "duplicate": 0}
    assert errors.group_by("column", "code").len().rows() == [("Org_Code", "not-an-organisation-code", 798)]


def test_a_month_of_emergency_attendances_is_judged_with_the_period_that_the_request_names():
    feed = {
        "id": "ae",
        "version": "1",
        "period": "month",
        "key": [],
        "organisation": ["code"],
        "period_columns": [],
        "field": [
            {"name": "code", "type": "organisation", "required": True, "aliases": ["Org Code"]},
            {"name": "type_1", "type": "integer", "min": 0, "aliases": ["A&E attendances Type 1"]},
            {"name": "over_4", "type": "integer", "min": 0, "aliases": ["Attendances over 4hrs Type 1"]},
        ],
        "rule": [
            {
                "code": "more-than-all",
                "columns": ["over_4", "type_1"],
                "check": {"field": "over_4", "at_most": "type_1"},
            }
        ],
    }
    path = DATA / "deterioration" / "ae_monthly_raw" / "Monthly-AE-2024-06.csv"
    counts, found = whole(path, feed, lambda rows: set(rows["Org Code"].drop_nulls()), period="2024-06")

    assert (counts["received"], counts["accepted"]) == (198, 198)
    assert set(found["code"]) == {"unknown-column"}


def test_in_the_haemorrhage_audit_every_row_lacks_its_counts_or_writes_its_rate_with_a_percent_sign():
    feed = {
        "id": "nmpa",
        "version": "1",
        "period": "financial_year",
        "key": [],
        "organisation": ["code"],
        "period_columns": [],
        "field": [
            {"name": "code", "type": "organisation", "required": True, "aliases": ["Organisation code"]},
            {"name": "numerator", "type": "integer", "required": True, "min": 0},
            {"name": "denominator", "type": "integer", "required": True, "min": 1},
            {"name": "rate", "type": "decimal", "aliases": ["Unadjusted rate"]},
        ],
        "rule": [
            {
                "code": "more-than-all",
                "columns": ["numerator", "denominator"],
                "check": {"field": "numerator", "at_most": "denominator"},
            }
        ],
    }
    path = DATA / "maternity" / "nmpa_pph_1500ml_2021-22.csv"
    counts, found = whole(path, feed, lambda rows: set(rows["Organisation code"].drop_nulls()), period="2021-22")

    errors = found.filter(pl.col("severity") == "error")
    assert (counts["received"], counts["rejected"]) == (138, 138)
    assert sorted(errors.group_by("column", "code").len().rows()) == [
        ("denominator", "missing-value", 59), ("numerator", "missing-value", 59), ("rate", "not-a-number", 79)
    ]  # fmt: skip
    assert set(errors.filter(pl.col("column") == "rate")["hint"]) == {"write the number without a percent sign"}

"""Files found in the world, each with the answer written down."""

import json
from pathlib import Path

import polars as pl
import pytest

from services.ingest.rules.faults import Unreadable
from services.ingest.rules.feeds import Feed
from services.ingest.rules.formats import read_blocks

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

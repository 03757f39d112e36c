"""Damaged files are unreadable or judged row by row: nothing else comes of them, however they are damaged."""

import gzip
import io
import zipfile
from itertools import islice

import pytest
import zstandard

from benchmarks.fuzz_ingest import FEED, SEED, TYPES, Case, cases, good_files, read
from services.ingest.rules import compression, workbooks
from services.ingest.rules.faults import Unreadable
from services.ingest.rules.formats import XLSX, read_blocks
from services.ingest.rules.remedies import UNREADABLE

FORMATS = sorted(TYPES)


def outcome(case):
    """The rows there were, or the code of why it cannot be read."""
    try:
        return read(case)
    except Unreadable as reason:
        return reason.code


@pytest.mark.parametrize("batch", range(4))
def test_damaged_files_are_judged_or_unreadable(batch):
    for case in islice(cases(SEED + batch * 60), 60):
        assert outcome(case), case.seed


@pytest.mark.parametrize("kind", FORMATS)
def test_a_good_file_is_read_whole(kind):
    assert read(Case(0, good_files()[kind], TYPES[kind], None)) == 12


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_off_anywhere_is_no_error_of_ours(kind):
    whole = good_files()[kind]
    for end in range(0, len(whole), 1 + len(whole) // 25):
        assert outcome(Case(end, whole[:end], TYPES[kind], None)) in UNREADABLE | dict.fromkeys(range(13))


def test_a_year_that_no_calendar_has_is_a_fault_of_its_row():
    body = b"org,id,born\nRGT,1,-2026-05-03T04:12:00\nRGT,2,2026-05-03T04:12:00\n"

    assert read(Case(0, body, "text/csv", None)) == 2


@pytest.mark.parametrize("kind", ["csv", "json", "ndjson"])
def test_a_file_of_more_columns_than_any_feed_is_refused_before_each_is_looked_at(kind):
    names = [f"c{n}" for n in range(1001)]
    row = "{" + ",".join(f'"{name}":1' for name in names) + "}"
    bodies = {"csv": ",".join(names) + "\n" + "1," * 1000 + "1\n", "json": f"[{row}]", "ndjson": row + "\n"}
    with pytest.raises(Unreadable) as refused:
        read(Case(0, bodies[kind].encode(), TYPES[kind], None))

    assert refused.value.code == "too-many-columns"


def test_a_workbook_that_unpacks_to_a_hundred_times_its_size_is_refused_before_it_is_unpacked():
    made = io.BytesIO(good_files()["xlsx"])
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as book, book.open("xl/worksheets/more.xml", "w") as part:
        for _ in range(20):
            part.write(b" " * 1_000_000)
    with pytest.raises(Unreadable) as refused:
        read(Case(0, made.getvalue(), XLSX, None))

    assert refused.value.code == "too-large"


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_file_that_unpacks_to_more_than_there_can_be_is_read_no_further(monkeypatch, encoding, pack):
    monkeypatch.setattr(compression, "LARGEST_UNPACKED", 1_000_000)
    body = pack(b"org,id\n" + b"RGT,1\n" * 200_000)
    with pytest.raises(Unreadable) as refused:
        list(read_blocks(iter([body]), content_type="text/csv", encoding=encoding))

    assert refused.value.code == "too-large"


def test_a_parquet_file_of_more_rows_than_there_can_be_is_refused(monkeypatch):
    monkeypatch.setattr(workbooks, "_MOST_ROWS", 11)
    assert outcome(Case(0, good_files()["parquet"], TYPES["parquet"], None)) == "too-large"


def sheet(rows: str) -> bytes:
    """A workbook with these rows in its first sheet."""
    good, made = zipfile.ZipFile(io.BytesIO(good_files()["xlsx"])), io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as book:
        for name in good.namelist():
            first = name == "xl/worksheets/sheet1.xml"
            book.writestr(
                name, f"<worksheet {_SHEET}><sheetData>{rows}</sheetData></worksheet>" if first else good.read(name)
            )
    return made.getvalue()


_SHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_HEADER = '<row r="1"><c r="A1" t="str"><v>org</v></c><c r="B1" t="str"><v>id</v></c></row>'


def test_a_row_number_that_no_sheet_has_is_not_counted_up_to():
    far = sheet(f'{_HEADER}<row r="999999999999"><c r="A2" t="str"><v>RGT</v></c></row>')

    assert outcome(Case(0, far, XLSX, None)) == "header-only"


def test_a_cell_at_the_far_end_of_a_row_is_a_cell_too_many_and_takes_no_columns():
    wide = sheet(f'{_HEADER}<row r="2"><c r="A2" t="str"><v>RGT</v></c><c r="XFD2" t="str"><v>x</v></c></row>')
    (one,) = read_blocks(iter([wide]), content_type=XLSX)

    assert one.frame.columns == ["org", "id", "line"]
    assert one.faults.select("line", "code").rows() == [(2, "ragged-row")]


def test_rows_of_few_of_many_columns_are_held_some_at_a_time():
    row = "{" + ",".join(f'"c{n}":1' for n in range(1000)) + "}"
    body = f"[{row}{',{}' * 10_000}]".encode()
    blocks = list(read_blocks(iter([body]), content_type="application/json"))

    assert max(one.frame.height for one in blocks) == 5_000
    assert [one.frame["line"][0] for one in blocks] == [1, 5_001, 10_001]


def test_many_short_rows_come_in_portions_with_their_lines_and_faults():
    body = b"org,id\n" + b"RGT,1\n" * 150_000 + b"RGT,1,2\n" + b"RGT,1\n" * 80_000
    blocks = list(read_blocks(iter([body]), content_type="text/csv"))

    assert max(one.frame.height for one in blocks) == 100_000
    assert sum(one.frame.height for one in blocks) == 230_001
    (ragged,) = (one for one in blocks if one.faults.height)
    assert ragged.faults["line"].to_list() == [150_002]
    assert 150_002 in ragged.frame["line"]


def test_the_feed_that_is_fuzzed_has_a_field_of_every_type():
    assert {field.type for field in FEED.fields} == {
        "text", "code", "integer", "decimal", "boolean", "date", "datetime", "period", "organisation"
    }  # fmt: skip

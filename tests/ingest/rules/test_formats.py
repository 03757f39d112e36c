"""One row model, whatever the format, the encoding and the chunks."""

import gzip
import io
import json

import openpyxl
import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.rules import delimited, encodings
from services.ingest.rules.faults import Unreadable
from services.ingest.rules.formats import PARQUET, XLSX, read_blocks


def read(content, content_type="text/csv", encoding=None, chunk=None):
    data = content.encode() if isinstance(content, str) else content
    size = chunk or max(1, len(data))
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return list(read_blocks(pieces, content_type=content_type, encoding=encoding))


def rows(blocks):
    return pl.concat([one.frame for one in blocks]).rows()


def told(blocks):
    return [row for one in blocks for row in one.faults.select("line", "code").rows()]


def workbook(*lines):
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def parquet(**columns):
    held = io.BytesIO()
    pl.DataFrame(columns).write_parquet(held)
    return held.getvalue()


CSVS = {
    "plain": ("a,b\n1,x\n2,y\n", [("1", "x", 2), ("2", "y", 3)]),
    "without a last line end": ("a,b\n1,x", [("1", "x", 2)]),
    "line ends of Windows": ("a,b\r\n1,x\r\n2,y\r\n", [("1", "x", 2), ("2", "y", 3)]),
    "line ends of old spreadsheets": ("a,b\r1,x\r2,y\r", [("1", "x", 2), ("2", "y", 3)]),
    "byte-order mark": ("\ufeffa,b\n1,x\n", [("1", "x", 2)]),
    "quoted line ends": ('a,b\n"one\ntwo",x\n3,y\n', [("one\ntwo", "x", 2), ("3", "y", 4)]),
    "quoted line ends of Windows": ('a,b\r\n"x","y"\r\n"p, ""q""",z\r\n', [("x", "y", 2), ('p, "q"', "z", 3)]),
    "inches": ('a,b\n5" tube,1\n6" tube,2\n', [('5" tube', "1", 2), ('6" tube', "2", 3)]),
    "text after a quotation": ('a,b\n"x"y,1\n2,3\n', [("xy", "1", 2), ("2", "3", 3)]),
    "blank lines": ("a,b\n\n1,x\n\n\n2,y\n", [("1", "x", 3), ("2", "y", 6)]),
    "blank cells": ('a,b\n,x\n"",y\n', [(None, "x", 2), (None, "y", 3)]),
    "one column": ("a\n1\n\n2\n", [("1", 2), ("2", 4)]),
    "quoted header": ('"a","b\nc"\n1,x\n', [("1", "x", 3)]),
}


@pytest.mark.parametrize(("text", "expected"), CSVS.values(), ids=CSVS.keys())
def test_cells_and_line_numbers_of_csv(text, expected):
    assert rows(read(text)) == expected


ODD = {
    "too few cells": (
        "a,b,c\n1,2,3\n4,5\n6,7,8\n",
        [("1", "2", "3", 2), ("4", "5", None, 3), ("6", "7", "8", 4)],
        [(3, "ragged-row")],
    ),
    "too many cells": ("a,b\n1,2\n3,4,5\n", [("1", "2", 2), ("3", "4", 3)], [(3, "ragged-row")]),
    "too many and too few": (
        "a,b\n1,2,3\n4\n5,6\n",
        [("1", "2", 2), ("4", None, 3), ("5", "6", 4)],
        [(2, "ragged-row"), (3, "ragged-row")],
    ),
    "rows of commas": ("a,b\n1,2\n,\n,\n", [("1", "2", 2)], [(3, "blank-row"), (4, "blank-row")]),
    "semicolons": ("a;b\n1;2\n", [("1", "2", 2)], [(None, "other-delimiter")]),
    "tabs": ("a\tb\n1\t2\n", [("1", "2", 2)], [(None, "other-delimiter")]),
    "comments": ("# made by us,\n#\na,b\n1,2\n", [("1", "2", 4)], [(None, "comment-lines")]),
    "Windows-1252": ("a,b\nx,y\ncafé,–\n".encode("cp1252"), [("x", "y", 2), ("café", "–", 3)], [(3, "windows-1252")]),
    "both encodings": (
        "a,b\né,1\n".encode() + "é,2\n".encode("cp1252"),
        [("é", "1", 2), ("é", "2", 3)],
        [(3, "windows-1252")],
    ),
    "no encoding": (
        b"a,b\n\x81,1\nx,2\n",
        [("\ufffd", "1", 2), ("x", "2", 3)],
        [(2, "windows-1252"), (2, "unreadable-characters")],
    ),
    "UTF-16": ("a,b\né,1\n".encode("utf-16"), [("é", "1", 2)], [(None, "utf-16")]),
}


@pytest.mark.parametrize(("content", "cells", "notes"), ODD.values(), ids=ODD.keys())
def test_odd_csv_is_read_with_its_faults_on_the_right_lines(content, cells, notes):
    blocks = read(content)

    assert rows(blocks) == cells
    assert told(blocks) == notes


def test_columns_get_unique_names():
    assert read("a,,a,line\n1,2,3,4\n")[0].frame.columns == ["a", "column 2", "a (2)", "line ", "line"]


UNREADABLE = {
    "nothing": (b"", "text/csv", None, "empty-file"),
    "only blank lines": (b"\n\n\n", "text/csv", None, "empty-file"),
    "only a header": (b"a,b\n", "text/csv", None, "header-only"),
    "NUL bytes": (b"a,b\n\0\0,1\n", "text/csv", None, "not-text"),
    "a workbook called CSV": (workbook(["a"], [1]), "text/csv", None, "wrong-format"),
    "gzip called CSV": (gzip.compress(b"a,b\n1,2\n"), "text/csv", None, "wrong-format"),
    "a quotation never closed": (b'a,b\n1,2\n3,"x\n5,6\n', "text/csv", None, "quote-not-closed"),
    "an unknown type": (b"a,b\n", "application/pdf", None, "unknown-format"),
    "no type": (b"a,b\n", None, None, "unknown-format"),
    "an unknown encoding": (b"a,b\n", "text/csv", "br", "unknown-compression"),
    "gzip cut off": (gzip.compress(b"a,b\n1,2\n" * 999)[:-20], "text/csv", "gzip", "broken-compression"),
    "zstd cut off": (zstandard.compress(b"a,b\n1,2\n" * 999)[:-3], "text/csv", "zstd", "broken-compression"),
    "no gzip": (b"a,b\n1,2\n", "text/csv", "gzip", "broken-compression"),
    "a JSON array cut off": (b'[{"a": 1}, {"a": 2', "application/json", None, "cut-off"),
    "a JSON array without its end": (b'[{"a": 1}', "application/json", None, "cut-off"),
    "a JSON array with a comma at its end": (b'[{"a": 1},]', "application/json", None, "not-json"),
    "JSON with something after it": (b'[{"a": 1}] x', "application/json", None, "not-json"),
    "JSON without commas": (b'[{"a": 1} {"a": 2}]', "application/json", None, "not-json"),
    "a JSON text": (b'"a"', "application/json", None, "not-json"),
    "an empty array": (b"[]", "application/json", None, "header-only"),
    "NDJSON cut off": (b'{"a": 1}\n{"a": ', "application/x-ndjson", None, "cut-off"),
    "no workbook": (b"PK\x03\x04 nothing", XLSX, None, "not-a-workbook"),
    "a CSV called a workbook": (b"a,b\n1,2\n", XLSX, None, "not-a-workbook"),
    "an empty workbook": (workbook(), XLSX, None, "empty-file"),
    "a workbook with a header": (workbook(["a", "b"]), XLSX, None, "header-only"),
    "Parquet cut off": (parquet(a=[1, 2])[:-9], PARQUET, None, "not-parquet"),
    "Parquet with lists": (parquet(a=[[1], [2]]), PARQUET, None, "nested-columns"),
}


@pytest.mark.parametrize(("content", "kind", "encoding", "code"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_refused_with_a_reason(content, kind, encoding, code):
    with pytest.raises(Unreadable) as refused:
        read(content, kind, encoding)

    assert refused.value.code == code
    assert refused.value.hint


def test_a_quotation_never_closed_takes_in_no_rows_where_others_are_not_well_formed():
    with pytest.raises(Unreadable) as refused:
        list(read_blocks(iter([b'org,id\nRGT,5" pipe\nRGT,"open\nRGT,2\nRGT,3\n']), content_type="text/csv"))

    assert (refused.value.code, refused.value.line) == ("quote-not-closed", 3)


def test_a_carriage_return_after_a_quotation_that_ends_no_line_is_white_space():
    assert rows(read('a,b\n1,"x"\r2\n3,4\n')) == [("1", "x 2", 2), ("3", "4", 3)]


def test_utf_16_too_holds_no_nul():
    with pytest.raises(Unreadable) as refused:
        list(read_blocks(iter(["\ufefforg,id\nRGT,a\0b\n".encode("utf-16-le")]), content_type="text/csv"))

    assert refused.value.code == "not-text"


def test_a_quotation_never_closed_is_found_on_its_line():
    with pytest.raises(Unreadable) as refused:
        read('a,b\n1,2\n3,"x\n5,6\n')

    assert refused.value.line == 3


TABLE = [{"a": "1", "b": "x, y"}, {"a": None, "b": "é"}, {"a": "3.5", "b": "true"}]
SAME = {
    "CSV": ('a,b\n1,"x, y"\n,é\n3.5,true\n', "text/csv"),
    "JSON": (json.dumps([{"a": 1, "b": "x, y"}, {"b": "é"}, {"a": 3.5, "b": True}]), "application/json"),
    "NDJSON by its newer name": (
        '{"a": 1.0, "b": "x, y"}\n\n{"a": null, "b": "é"}\n{"b": true, "a": 3.5}',
        "application/ndjson",
    ),
    "NDJSON": ('{"a": 1.0, "b": "x, y"}\n\n{"a": null, "b": "é"}\n{"b": true, "a": 3.5}', "application/x-ndjson"),
    "XLSX": (workbook(["a", "b"], [1, "x, y"], [None, "é"], [3.5, True]), XLSX),
    "Parquet": (parquet(a=[1.0, None, 3.5], b=["x, y", "é", "true"]), PARQUET),
}


@pytest.mark.parametrize(("content", "kind"), SAME.values(), ids=SAME.keys())
def test_every_format_gives_the_same_cells(content, kind):
    assert [dict(row) for row in pl.concat([b.frame.drop("line") for b in read(content, kind)]).to_dicts()] == TABLE


def test_lines_of_each_format_are_what_its_sender_counts():
    assert [row[-1] for row in rows(read('[{"a": 1}, {"a": 2}]', "application/json"))] == [1, 2]
    assert [row[-1] for row in rows(read('{"a": 1}\n\n{"a": 2}\n', "application/x-ndjson"))] == [1, 3]
    assert [row[-1] for row in rows(read(workbook(["a"], [1], [None], [2]), XLSX))] == [2, 4]


def test_a_single_json_object_is_one_row():
    assert rows(read('{"a": 1, "b": null}', "application/json; charset=utf-8")) == [("1", None, 1)]


def test_json_rows_that_are_no_plain_objects_are_faults_of_their_own():
    array = read('[{"a": 1}, 5, {"a": [1]}]', "application/json")
    lines = read('{"a": 1}\nnonsense\n{"a": {"b": 2}}\n', "application/x-ndjson")

    assert told(array) == [(2, "not-an-object"), (3, "nested-value")]
    assert told(lines) == [(2, "invalid-json-row"), (3, "nested-value")]
    assert array[0].frame.height == lines[0].frame.height == 3


@pytest.mark.parametrize(
    ("pack", "encoding"), [(gzip.compress, "gzip"), (zstandard.compress, "zstd"), (bytes, "identity")]
)
def test_compressed_bodies_are_unpacked(pack, encoding):
    data = pack(b"a,b\n1,x\n") if encoding != "gzip" else pack(b"a,b\n") + pack(b"1,x\n")

    assert rows(read(data, encoding=encoding, chunk=3)) == [("1", "x", 2)]


cell = st.text(st.sampled_from('ab1,;"\n\r é☃#'), max_size=6)


@given(
    table=st.lists(st.tuples(cell, cell), min_size=1, max_size=30),
    block=st.integers(40, 200),
    chunk=st.integers(1, 50),
)
def test_well_formed_csv_of_any_cells_is_read_back_whatever_the_blocks_and_chunks(table, block, chunk):
    quoted = [tuple('"' + one.replace('"', '""') + '"' for one in row) for row in table]
    data = ("a,b\n" + "".join(",".join(row) + "\n" for row in quoted)).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "LONGEST_ROW", block)
        patch.setattr(encodings.rechunked, "__defaults__", (block,))
        blocks = read(data, chunk=chunk) if any(any(row) for row in table) else []

    expected, line = [], 2
    for row in table:
        if any(row):
            expected.append((row[0] or None, row[1] or None, line))
        line += 1 + row[0].count("\n") + row[1].count("\n")
    assert (rows(blocks) if blocks else []) == expected


@given(
    data=st.binary(max_size=400) | st.text(st.sampled_from('a,"\n\r;é'), max_size=200).map(str.encode),
    chunk=st.integers(1, 9),
)
def test_any_bytes_in_any_chunks_give_the_same_rows_or_the_same_refusal(data, chunk):
    def outcome(size):
        try:
            blocks = read(data, chunk=size)
        except Unreadable as refused:
            return refused.code, refused.line
        return rows(blocks), told(blocks)

    assert outcome(chunk) == outcome(None)


@given(
    rows_sent=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.text(st.sampled_from('x{}[]"\\,'), max_size=5), min_size=1),
        min_size=1,
    ),
    block=st.integers(60, 200),
    chunk=st.integers(1, 40),
)
def test_any_json_array_is_read_back_whatever_the_blocks_and_chunks(rows_sent, block, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings.rechunked, "__defaults__", (block,))
        blocks = read(json.dumps(rows_sent), "application/json", chunk=chunk)

    read_back = [{k: v for k, v in row.items() if v and k != "line"} for b in blocks for row in b.frame.to_dicts()]
    assert read_back == [{k: v for k, v in row.items() if v} for row in rows_sent]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", PARQUET])
def test_a_character_that_cannot_be_kept_is_a_fault_of_its_row_alone(content_type):
    rows = [{"a": "x", "b": "1"}, {"a": "y\0z", "b": "2"}]
    held = io.BytesIO()
    pl.DataFrame(rows).write_parquet(held)
    bodies = {
        "application/json": json.dumps(rows).encode(),
        "application/x-ndjson": "\n".join(json.dumps(row) for row in rows).encode(),
        PARQUET: held.getvalue(),
    }
    blocks = list(read_blocks(iter([bodies[content_type]]), content_type=content_type))

    assert pl.concat(one.faults for one in blocks).select("line", "code").rows() == [(2, "unreadable-characters")]
    assert pl.concat(one.frame for one in blocks)["a"].to_list() == ["x", "y\ufffdz"]


def test_a_workbook_whose_rows_stand_behind_a_sheet_of_notes_is_read_from_its_table():
    book, held = openpyxl.Workbook(), io.BytesIO()
    book.worksheets[0].append(["Please read this first"])
    table = book.create_sheet("Data")
    table.append(["a", "b"])
    table.append(["1", "2"])
    book.save(held)
    (one,) = read_blocks(iter([held.getvalue()]), content_type=XLSX)

    assert one.frame.rows() == [("1", "2", 2)]

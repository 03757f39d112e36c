"""What is kept of a file: the file with its faults, its bad rows, and the file itself with what identifies withheld."""

import csv
import gzip
import io
import json
from typing import Any

import httpx
import polars as pl
import pytest

from tests.ingest.builders import as_csv, some_births, some_counts
from tests.ingest.conftest import Ingest


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def annotated(ingest: Ingest, receipt: dict[str, Any]) -> list[dict[str, str]]:
    return table(ingest.get(receipt["links"]["annotated"]).text)


def counts_with_one_fault() -> list[dict[str, Any]]:
    rows = some_counts(months=3)
    rows[1]["numerator"] = 500
    return rows


def test_the_annotated_file_has_every_row_and_says_what_is_wrong_where(ingest: Ingest) -> None:
    rows = counts_with_one_fault()
    receipt = ingest.send(as_csv(rows)).json()
    told = annotated(ingest, receipt)
    assert [one["psip_line"] for one in told] == ["2", "3", "4"]
    assert [one["numerator"] for one in told] == ["31", "500", "33"]
    assert [bool(one["psip_faults"]) for one in told] == [False, True, False]
    assert "more-events-than-denominator" in told[1]["psip_faults"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps(counts_with_one_fault()).encode()),
        ("application/x-ndjson", "\n".join(map(json.dumps, counts_with_one_fault())).encode()),
    ],
)
def test_the_annotated_file_of_another_format_is_csv(ingest: Ingest, content_type: str, body: bytes) -> None:
    told = annotated(ingest, ingest.send(body, content_type=content_type).json())
    assert [bool(one["psip_faults"]) for one in told] == [False, True, False]


def test_what_identifies_in_a_column_name_or_beside_a_content_type_is_kept_nowhere(ingest: Ingest) -> None:
    number = "943 476 5919"
    body = as_csv([row | {number: "x"} for row in some_counts()])
    receipt = ingest.send(body, content_type=f'text/csv; name="{number}.csv"').json()
    assert receipt["rows"]["accepted"] == 3
    answers = [ingest.get(receipt["links"][name]) for name in ("self", "original", "annotated", "faults")]
    assert [number in f"{answer.text}{answer.headers}" for answer in answers] == [False] * 4


@pytest.mark.parametrize("content_type", ["text/csv", "application/json"])
def test_an_annotated_file_that_is_sent_again_says_what_is_wrong_now(ingest: Ingest, content_type: str) -> None:
    told = annotated(ingest, ingest.send(as_csv(counts_with_one_fault())).json())
    told[1] |= {"numerator": "1"}
    told[2] |= {"numerator": "-1"}
    body = as_csv(told) if content_type == "text/csv" else json.dumps(told).encode()
    again = annotated(ingest, ingest.send(body, content_type=content_type).json())
    assert [*again[0]].count("psip_faults") == 1
    assert not any("_right" in name for name in again[0])
    assert [one["psip_faults"].partition(" ")[0] for one in again] == ["", "", "numerator:"]


def test_a_compressed_file_is_annotated_and_comes_back_as_it_was_sent(ingest: Ingest) -> None:
    body = gzip.compress(as_csv(counts_with_one_fault()))
    receipt = ingest.send(body, headers={"Content-Encoding": "gzip"}).json()
    assert len(annotated(ingest, receipt)) == 3
    with ingest.client.stream("GET", receipt["links"]["original"], headers=ingest.as_()) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert b"".join(answer.iter_raw()) == body


def test_lines_are_those_of_the_file_even_where_cells_span_lines_and_identifiers_are_withheld(ingest: Ingest) -> None:
    rows = some_births(3, comment="first line\nsecond line")
    rows[2]["pregnancy_outcome"] = "77"
    receipt = ingest.send(as_csv(rows), "births").json()
    told = annotated(ingest, receipt)
    assert [one["psip_line"] for one in told] == ["2", "4", "6"]
    assert {one["baby_local_id"] for one in told} == {"[withheld]"}
    assert "not-in-code-list" in told[2]["psip_faults"]


def test_an_annotated_file_can_be_mended_and_sent_back_as_it_is(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(counts_with_one_fault())).json()
    mended = ingest.get(receipt["links"]["annotated"]).text.replace("500", "50")
    again = ingest.send(mended.encode()).json()
    assert again["rows"] == {"received": 3, "accepted": 1, "unchanged": 2, "duplicate": 0, "waiting": 0, "rejected": 0}
    assert again["faults"] == []


def test_free_text_in_a_column_of_another_kind_is_kept_nowhere(ingest: Ingest) -> None:
    story = "she fell in the bathroom and her daughter was told about it the next day by the nurse"
    receipt = ingest.send(as_csv([row | {"remarks": story} for row in some_counts()])).json()
    assert {fault["code"] for fault in receipt["faults"]} >= {"unexpected-free-text"}
    for link in ("original", "annotated", "rejected", "faults"):
        assert story not in ingest.get(receipt["links"][link]).text


def test_a_field_that_the_feed_does_not_keep_is_not_in_the_original_either(ingest: Ingest) -> None:
    row = {"lsoa_of_residence": "E01000001"}
    receipt = ingest.send(as_csv(some_births(2, **row)), "births").json()
    assert receipt["rows"]["accepted"] == 2
    assert "E01000001" not in ingest.get(receipt["links"]["original"]).text


def test_a_file_refused_as_a_whole_says_why_in_its_first_row(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv([{"organisation": "RGT", "measure": "mn-cqimpreterm"}] * 2), period="2026-05").json()
    told = annotated(ingest, receipt)
    assert "numerator: missing-column" in told[0]["psip_faults"]


def test_rows_of_json_that_do_not_all_have_the_same_columns_are_shown_under_their_own(ingest: Ingest) -> None:
    rows = [row | {"extra": ""} for row in some_counts(months=1)] + some_counts(months=2)[1:]
    rows[1]["stratum"] = "nonsense"
    receipt = ingest.send(json.dumps(rows).encode(), content_type="application/json").json()
    told = annotated(ingest, receipt)
    assert [one["stratum"] for one in told] == ["", "nonsense"]


def test_parquet_is_annotated_too(ingest: Ingest) -> None:
    held = io.BytesIO()
    pl.DataFrame(counts_with_one_fault()).write_parquet(held)
    receipt = ingest.send(held.getvalue(), content_type="application/vnd.apache.parquet").json()
    assert [bool(one["psip_faults"]) for one in annotated(ingest, receipt)] == [False, True, False]


def test_an_answer_is_201_when_it_was_waited_for_and_202_otherwise(ingest: Ingest) -> None:
    waited = ingest.send(as_csv(some_counts()))
    not_waited = ingest.send(as_csv(some_counts()), headers={"Prefer": "respond-async"})
    assert (waited.status_code, not_waited.status_code) == (201, 202)
    assert not_waited.json()["status"] == "accepted"


def test_a_week_must_end_on_a_sunday_and_the_hint_names_it(ingest: Ingest) -> None:
    row = {
        "week_ending": "2026-05-08", "beds_registered": 40, "beds_occupied": 36, "resident_days": 252, "falls": 3,
        "falls_with_injury": 1, "med_errors": 0, "nil_return": "false",
    }  # fmt: skip
    receipt = ingest.send(as_csv([row]), "care-home-weekly", organisation="RGT").json()
    told = [fault for fault in receipt["faults"] if fault["severity"] == "error"]
    assert [(fault["code"], fault["column"], fault["found"]) for fault in told] == [
        ("wrong-weekday", "week_ending", "2026-05-08")
    ]
    assert "2026-05-10" in told[0]["hint"]


@pytest.mark.parametrize("by", ["format", "accept"])
def test_every_fault_is_told_in_the_form_that_is_asked_for(ingest: Ingest, by: str) -> None:
    receipt = ingest.send(as_csv(counts_with_one_fault())).json()

    def asked(form: str, media_type: str) -> httpx.Response:
        if by == "format":
            return ingest.get(receipt["links"]["faults"], format=form)
        return ingest.client.get(receipt["links"]["faults"], headers={**ingest.as_(), "Accept": media_type})

    whole = asked("json", "application/json").json()
    lines = asked("ndjson", "application/x-ndjson").text.splitlines()
    written = table(asked("csv", "text/csv").text)
    packed = pl.read_parquet(io.BytesIO(asked("parquet", "application/vnd.apache.parquet").content)).to_dicts()
    assert [one["line"] for one in whole["items"]] == [3]
    assert (whole["next_cursor"], whole["data_version"]) == (None, receipt["data_version"])
    assert [json.loads(one) for one in lines] == packed == whole["items"]
    assert [one["code"] for one in written] == [one["code"] for one in packed]


def test_a_file_without_faults_has_a_page_of_none(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(some_counts())).json()
    assert ingest.get(receipt["links"]["faults"]).json()["items"] == []
    assert pl.read_parquet(io.BytesIO(ingest.get(receipt["links"]["faults"], format="parquet").content)).height == 0


@pytest.mark.parametrize("kind", ["faults", "annotated", "rejected", "original"])
def test_what_one_has_already_is_not_sent_again_until_the_receipt_changes(ingest: Ingest, kind: str) -> None:
    receipt = ingest.send(as_csv(counts_with_one_fault())).json()
    place = receipt["links"][kind]
    first = ingest.get(place)
    has = {**ingest.as_(), "If-None-Match": first.headers["ETag"]}
    assert ingest.client.get(place, headers=has).status_code == 304
    assert first.headers["X-Data-Version"] == str(receipt["data_version"])
    ingest.client.delete(receipt["links"]["self"], headers=ingest.as_())
    assert ingest.client.get(place, headers=has).status_code == 200

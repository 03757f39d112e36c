"""What senders are given - schema, templates, guide - says what the feed checks, and cannot be turned against them."""

import csv
import io
import json
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import openpyxl
import pytest

from services.programmes.rules.catalogue import load
from services.programmes.rules.feed_documents import csv_template, row_schema, table_schema
from services.programmes.rules.feed_guide import html_guide
from services.programmes.rules.feed_workbook import xlsx_template

FEEDS = load().feeds
EVERY_FEED = pytest.mark.parametrize("feed", sorted(FEEDS))


def sheets(feed: str) -> Any:
    return openpyxl.load_workbook(io.BytesIO(xlsx_template(FEEDS[feed])))


def test_the_schema_of_a_row_has_types_limits_codes_and_what_is_needed() -> None:
    schema = row_schema(FEEDS["births"])
    gestation, outcome = (schema["properties"][name] for name in ("gestation_length_at_birth", "pregnancy_outcome"))
    assert (gestation["type"], gestation["minimum"], gestation["maximum"]) == ("integer", 140, 315)
    assert outcome["enum"] == ["01", "02", "03", "04", "05", "98"]
    assert "pregnancy_id" in schema["required"]
    assert schema["additionalProperties"] is False


def test_what_may_be_left_out_may_be_null_in_the_schema() -> None:
    feed = row_schema(FEEDS["births"])["properties"]["first_feed"]
    assert feed["type"] == ["string", "null"]
    assert feed["enum"] == ["01", "02", "03", None]


def test_a_default_is_for_a_column_that_is_not_there_and_a_blank_in_it_is_not_let_pass() -> None:
    weekly = FEEDS["care-home-weekly"]
    schema, rows = row_schema(weekly), sheets("care-home-weekly")
    (head,) = (cell for cell in rows["Rows"][1] if cell.value == "nil_return")
    (explained,) = (row for row in rows["Guide"].iter_rows(values_only=True) if row[0] == "nil_return")

    assert schema["properties"]["nil_return"]["type"] == "boolean"
    assert "nil_return" not in schema["required"]
    assert [one["constraints"] for one in table_schema(weekly)["fields"] if one["name"] == "nil_return"] == [
        {"required": True}
    ]
    assert (head.fill.fgColor.rgb, explained[1]) == ("00D8E6F3", "yes")
    assert "yes; false where the column is missing" in Reader(html_guide(weekly)).words


@EVERY_FEED
def test_schemas_are_json_and_name_every_field_in_order(feed: str) -> None:
    names = [field["name"] for field in FEEDS[feed]["field"]]
    assert list(json.loads(json.dumps(row_schema(FEEDS[feed])))["properties"]) == names
    assert [field["name"] for field in json.loads(json.dumps(table_schema(FEEDS[feed])))["fields"]] == names


def test_the_table_schema_has_constraints_in_the_words_of_frictionless() -> None:
    fields = {field["name"]: field for field in table_schema(FEEDS["births"])["fields"]}
    assert fields["gestation_length_at_birth"]["constraints"] == {"maximum": 315, "minimum": 140, "required": True}
    assert fields["delivery_method"]["constraints"]["enum"] == list("0123456789")
    assert fields["reporting_period_start"]["type"] == "date"


@EVERY_FEED
def test_the_csv_template_is_one_header_line(feed: str) -> None:
    (header,) = csv.reader(io.StringIO(csv_template(FEEDS[feed])))
    assert header == [field["name"] for field in FEEDS[feed]["field"]]


@EVERY_FEED
def test_the_workbook_has_the_same_header_and_no_rows(feed: str) -> None:
    rows = sheets(feed)["Rows"]
    assert [cell.value for cell in rows[1]] == [field["name"] for field in FEEDS[feed]["field"]]
    assert rows.max_row == 1


def test_the_workbook_offers_the_codes_of_each_column() -> None:
    book = sheets("births")
    column = [cell.value for cell in book["Rows"][1]].index("pregnancy_outcome") + 1
    letter = openpyxl.utils.get_column_letter(column)
    (offered,) = [
        one for one in book["Rows"].data_validations.dataValidation if str(one.sqref).startswith(f"{letter}2:")
    ]
    assert offered.type == "list"
    sheet, _, cells = offered.formula1.partition("!")
    assert [cell.value for (cell,) in book[sheet][cells.replace("$", "")]] == ["01", "02", "03", "04", "05", "98"]


def test_the_workbook_limits_numbers_as_the_feed_does() -> None:
    limits = {
        (one.type, one.formula1, one.formula2) for one in sheets("births")["Rows"].data_validations.dataValidation
    }
    assert ("whole", "140", "315") in limits


def test_the_same_feed_gives_the_same_workbook() -> None:
    assert xlsx_template(FEEDS["births"]) == xlsx_template(deepcopy(FEEDS["births"]))


def test_text_that_looks_like_a_formula_stays_text_in_the_workbook() -> None:
    spec = deepcopy(FEEDS["measure-counts"])
    spec["field"][2]["hint"] = '=HYPERLINK("http://elsewhere")'
    spec["field"][2] |= {"type": "code", "values": ["=1+1", "b"]}
    book = openpyxl.load_workbook(io.BytesIO(xlsx_template(spec)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}


class Reader(HTMLParser):
    """Collects the elements and the text of a page, and checks that what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@EVERY_FEED
def test_the_guide_is_well_formed_and_explains_every_column(feed: str) -> None:
    page = Reader(html_guide(FEEDS[feed]))
    assert page.open == []
    for field in FEEDS[feed]["field"]:
        assert field["name"] in page.words
        assert field["description"] in page.words


def test_the_guide_says_what_is_unverified_and_what_becomes_of_identifiers() -> None:
    words = Reader(html_guide(FEEDS["births"])).words
    assert "Not all of this has been verified." in words
    assert "made a pseudonym or dropped at the door" in words


def test_nothing_in_a_feed_becomes_markup_in_its_guide() -> None:
    spec = deepcopy(FEEDS["births"])
    nasty = '"><script>alert(1)</script>'
    spec |= {"title": nasty, "description": nasty, "id": nasty, "version": nasty, "source": nasty}
    for field in spec["field"]:
        field |= {"name": nasty, "description": nasty, "hint": nasty, "example": nasty, "aliases": [nasty]}
        if "values" in field:
            field["values"] = [nasty]
        if "codes" in field:
            field["codes"] = nasty
    spec["rule"] = [{"code": nasty, "columns": [nasty], "expected": nasty, "hint": nasty}]
    spec["code_lists"] = {nasty: {nasty: nasty}}
    page = Reader(html_guide(spec))
    assert "script" not in page.seen
    assert nasty in page.words

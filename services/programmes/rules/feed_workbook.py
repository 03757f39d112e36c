"""A feed as a spreadsheet to fill in: drop-downs for codes, limits on numbers and dates, a sheet that explains."""

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from services.programmes.rules.feed_documents import Spec, codes_of, is_needed

LAST_ROW = 5001
"""The drop-downs and limits reach this far down; more rows may follow."""

_MADE = datetime(2026, 1, 1)  # noqa: DTZ001 - the same specification gives the same bytes, whenever it is made
_NEEDED = PatternFill("solid", fgColor="D8E6F3")
_FORMATS = {"date": "yyyy-mm-dd", "datetime": "yyyy-mm-dd hh:mm", "text": "@", "code": "@", "organisation": "@"}
_BOOLEANS = {"true": "yes", "false": "no"}


def xlsx_template(spec: Spec) -> bytes:
    """The template as an .xlsx file; the same specification always gives the same bytes.

    The first sheet, `Rows`, has the header line and nothing else; `Codes` has the lists behind the drop-downs, and
    `Guide` explains every column.
    """
    book = Workbook()
    book.properties.title = spec["title"]
    book.properties.creator = ""
    book.properties.created = book.properties.modified = _MADE
    rows = book.active
    rows.title = "Rows"
    codes = book.create_sheet("Codes")
    guide = book.create_sheet("Guide")
    for number, field in enumerate(spec["field"], start=1):
        _column(rows, codes, number, field, spec)
    rows.freeze_panes = "A2"
    _explain(guide, spec)
    return _bytes(book)


def _column(rows: Any, codes: Any, number: int, field: Mapping[str, Any], spec: Spec) -> None:
    letter = get_column_letter(number)
    head = rows.cell(row=1, column=number, value=field["name"])
    head.font = Font(bold=True)
    head.comment = Comment(f"{field['description']}\nExample: {field['example']}", "")
    if is_needed(field):
        head.fill = _NEEDED
    width = rows.column_dimensions[letter]
    width.width = max(12, len(field["name"]) + 2)
    width.number_format = _FORMATS.get(field["type"], "General")
    listed = _BOOLEANS if field["type"] == "boolean" else codes_of(field, spec)
    limit = _drop_down(codes, field, listed) if listed else _limit(field)
    if limit is not None:
        limit.error = str(field.get("hint") or field["description"])[:255]
        limit.errorTitle = field["name"][:32]
        rows.add_data_validation(limit)
        limit.add(f"{letter}2:{letter}{LAST_ROW}")


def _drop_down(codes: Any, field: Mapping[str, Any], listed: Mapping[str, str]) -> DataValidation:
    column = codes.max_column + 1 if codes["A1"].value else 1
    codes.cell(row=1, column=column, value=field["name"]).font = Font(bold=True)
    for row, (code, label) in enumerate(listed.items(), start=2):
        cell = codes.cell(row=row, column=column, value=code)
        cell.number_format, cell.data_type = "@", "s"
        codes.cell(row=row, column=column + 1, value=_harmless(label))
    letter = get_column_letter(column)
    return DataValidation(
        type="list", formula1=f"Codes!${letter}$2:${letter}${len(listed) + 1}", allow_blank=True, showErrorMessage=True
    )


def _limit(field: Mapping[str, Any]) -> DataValidation | None:
    kind = {"integer": "whole", "decimal": "decimal"}.get(field["type"])
    low, high = field.get("min"), field.get("max")
    if kind is None or low is None:
        return None
    if high is None:
        return DataValidation(type=kind, operator="greaterThanOrEqual", formula1=str(low), showErrorMessage=True)
    return DataValidation(
        type=kind, operator="between", formula1=str(low), formula2=str(high), allow_blank=True, showErrorMessage=True
    )


def _explain(guide: Any, spec: Spec) -> None:
    guide.append(["Column", "Needed", "What it holds", "Example", "Hint"])
    for cell in guide[1]:
        cell.font = Font(bold=True)
    for field in spec["field"]:
        need = "yes" if is_needed(field) else "asked for" if field.get("recommended") else "no"
        words = (field["name"], need, field["description"], str(field["example"]), field.get("hint", ""))
        guide.append([_harmless(one) for one in words])
    for letter, width in zip("ABCDE", (30, 10, 80, 25, 80), strict=True):
        guide.column_dimensions[letter].width = width


def _harmless(text: str) -> str:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{text}" if text[:1] in "=+-@" and text else text


def _bytes(book: Workbook) -> bytes:
    made = io.BytesIO()
    book.save(made)
    again = io.BytesIO()
    with zipfile.ZipFile(made) as parts, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as whole:
        for name in parts.namelist():
            whole.writestr(zipfile.ZipInfo(name), _unstamped(name, parts.read(name)), zipfile.ZIP_DEFLATED)
    return again.getvalue()


def _unstamped(name: str, content: bytes) -> bytes:
    """The part without the time of saving, which openpyxl writes whatever the properties say."""
    if name != "docProps/core.xml":
        return content
    opened, closed = b'<dcterms:modified xsi:type="dcterms:W3CDTF">', b"</dcterms:modified>"
    before, _, rest = content.partition(opened)
    _, _, after = rest.partition(closed)
    return before + opened + _MADE.isoformat().encode() + b"Z" + closed + after if rest else content

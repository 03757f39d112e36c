"""The published layouts of organisations: ODS files, predecessors and successors, CQC locations and the CQC directory.

A layout is recognised by its header or, for the files that ODS publishes without one, by its columns; of which kind
the organisations of an ODS file are, its name says (`etr.csv` is trusts). Every fault is told with its row.
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from services.programmes.rules.national_organisations import friendly
from services.programmes.rules.statements import Statement
from shared.contracts.programmes import Succession

Row = Mapping[str, str]

ODS_COLUMNS = (
    "code", "name", "national_grouping", "high_level_health_geography", "addr1", "addr2", "addr3", "addr4", "addr5",
    "postcode", "open_date", "close_date", "status", "subtype", "gor_or_group",
)  # fmt: skip
"""The first columns of the files that ODS publishes without a header."""

ODS_KINDS: Mapping[str, str] = {
    "etr": "trust",
    "ect": "trust",
    "ets": "site",
    "epraccur": "practice",
    "ecarehomehq": "care_home_provider",
    "ecarehomesite": "care_home",
}
"""Which organisations an ODS file holds, by the word in its name."""

HELD_BY_GROUP = ("site", "care_home")
"""The kinds of which the last column names the organisation they belong to."""

OWN_PLACE: Mapping[str, tuple[str, ...]] = {"care_home": ("icb",)}
"""Where such a kind lies by itself: a home in its own ICB, not that of the company it belongs to."""

_CQC_NO_CARE_HOME = frozenset({"", "0"})
_MOST_FAULTS = 20
_AS_PUBLISHED = "give the file as it was published, in CSV"


class File(msgspec.Struct, frozen=True):
    """A file that was read: what it is called, its hash, its layout, and what it says."""

    name: str
    sha256: str
    layout: str
    statements: tuple[Statement, ...]


class UnreadableFile(ValueError):
    """A file that cannot be taken as it is; the message names every place and the remedy."""


class Layout(NamedTuple):
    """A published layout: the columns that give it away, and how a row of it is read."""

    name: str
    columns: frozenset[str]
    read: Callable[[int, Row, str], Iterator[Statement]]


def read_file(name: str, content: bytes, *, kind: str | None = None) -> File:
    """What a published file says of organisations. `kind` is that of an ODS file whose name does not tell.

    Raises UnreadableFile for a layout that is not known, and for rows that cannot be read, naming each.
    """
    layout, rows = _recognised(_records(content, name), name)
    sort = kind or _kind(name)
    if layout.name == "ODS" and sort is None:
        words = ", ".join(f"{word} ({held})" for word, held in ODS_KINDS.items())
        raise UnreadableFile(f"{name} does not say which organisations it holds: name it after the ODS file, {words}, "
                             "or say their kind")  # fmt: skip
    statements: list[Statement] = []
    faults: list[str] = []
    for number, row in rows:
        try:
            statements += layout.read(number, row, sort or "")
        except ValueError as reason:
            faults.append(f"row {number}: {reason}")
    found, twice = _once_each(statements)
    faults += twice
    if faults:
        more = f"\n... and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
        raise UnreadableFile("\n".join(faults[:_MOST_FAULTS]) + more)
    return File(name, hashlib.sha256(content).hexdigest(), layout.name, tuple(found))


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _records(content: bytes, name: str) -> list[list[str]]:
    text = _text(content)
    if "\0" in text:
        raise UnreadableFile(f"{name} is not text; {_AS_PUBLISHED}")
    reader = csv.reader(io.StringIO(text, newline=None), strict=True)
    try:
        return [[cell.strip() for cell in row] for row in reader]
    except csv.Error as reason:
        raise UnreadableFile(f"{name}, line {reader.line_num}: {reason}; {_AS_PUBLISHED}") from None


def _recognised(records: Sequence[list[str]], name: str) -> tuple[Layout, Iterator[tuple[int, Row]]]:
    lines = iter(records)
    header = next(lines, [])
    known = next((layout for layout in LAYOUTS if layout.columns <= set(header)), None)
    if known is not None:
        return known, (
            (number, dict(zip(header, row, strict=False))) for number, row in enumerate(lines, 2) if any(row)
        )
    bare = _without_header(header)
    if bare is None:
        raise UnreadableFile(
            f"{name}, row 1: this layout is not known; known are {', '.join(layout.name for layout in LAYOUTS)}; "
            f"{_AS_PUBLISHED}"
        )
    layout, columns = bare
    whole = ((1, header), *enumerate(lines, 2))
    return layout, ((number, dict(zip(columns, row, strict=False))) for number, row in whole if any(row))


def _without_header(cells: Sequence[str]) -> tuple[Layout, Sequence[str]] | None:
    if len(cells) > len(ODS_COLUMNS) and _is_code(cells[0]) and re.fullmatch(r"\d{8}|", cells[10]):
        return LAYOUTS[0], ODS_COLUMNS
    return None


def _is_code(text: str) -> bool:
    return re.fullmatch(r"[A-Z0-9]{3,10}", text) is not None


def _kind(name: str) -> str | None:
    words = re.split(r"[^a-z]+", name.lower())
    return next((kind for word, kind in ODS_KINDS.items() if word in words), None)


def _once_each(statements: Sequence[Statement]) -> tuple[list[Statement], list[str]]:
    """Each organisation once: what rows say alike is said once, successors are put together, the rest is a fault."""
    found: dict[str, Statement] = {}
    faults = []
    for one in statements:
        before = found.setdefault(one.code, one)
        if before is one or msgspec.structs.replace(one, row=before.row) == before:
            continue
        if one.kind is None and before.kind is None:
            steps = {step.successor: step for step in (*before.successions, *one.successions)}
            found[one.code] = msgspec.structs.replace(before, successions=tuple(steps.values()))
        else:
            faults.append(f"row {one.row}: {one.code} is in row {before.row} already, said otherwise: keep one")
    return list(found.values()), faults


def _ods(number: int, row: Row, kind: str) -> Iterator[Statement]:
    group = _cell(row, "gor_or_group")
    parents = {"region": _cell(row, "national_grouping"), "icb": _cell(row, "high_level_health_geography")}
    if kind in HELD_BY_GROUP:
        parents = {way: parents[way] for way in OWN_PLACE.get(kind, ())} | {"provider": group}
    attributes = {"postcode": _cell(row, "postcode"), "ods_icb": parents.get("icb", "")}
    yield Statement(
        code=_code(row, "code"),
        row=number,
        kind=kind,
        name=friendly(_needed(row, "name")),
        opened=_day(row, "open_date"),
        closed=_day(row, "close_date"),
        parents={way: parent for way, parent in parents.items() if parent},
        attributes={key: value for key, value in attributes.items() if value},
    )


def _succession(number: int, row: Row, kind: str) -> Iterator[Statement]:
    on = _day(row, "date")
    if on is None:
        raise ValueError("date is blank: give the day of the succession")
    step = Succession(successor=_code(row, "new_code"), on=on, source="ODS predecessors and successors")
    yield Statement(code=_code(row, "old_code"), row=number, successions=(step,))


def _cqc_location(number: int, row: Row, kind: str) -> Iterator[Statement]:
    if _cell(row, "Care homes beds") in _CQC_NO_CARE_HOME:
        return
    provider, home = _code(row, "Provider ID"), _code(row, "Location ID")
    yield _cqc_provider(number, provider, _needed(row, "Provider Name"), _day(row, "Provider HSCA start date"))
    yield Statement(
        code=_cell(row, "ODS Code").upper() or home,
        row=number,
        kind="care_home",
        name=_needed(row, "Location Name"),
        identifiers={"cqc": home},
        opened=_day(row, "Location HSCA start date"),
        closed=_day(row, "Location HSCA end date"),
        parents={"provider": provider},
        attributes={
            "beds": _count(row, "Care homes beds"),
            "local_authority": _cell(row, "Location Local Authority"),
            "uprn": _cell(row, "Location UPRN"),
        },
    )


def _cqc_directory(number: int, row: Row, kind: str) -> Iterator[Statement]:
    services = {one.strip().lower() for one in _cell(row, "Service types").split(",")}
    home = _cell(row, "CQC Location ID (for office use only)")
    if not home or not services & {"nursing homes", "residential homes", "care home"}:
        return
    provider = _code(row, "CQC Provider ID (for office use only)")
    yield _cqc_provider(number, provider, _needed(row, "Provider name"), None)
    yield Statement(
        code=home,
        row=number,
        kind="care_home",
        name=_needed(row, "Name"),
        identifiers={"cqc": home},
        parents={"provider": provider},
        attributes={"local_authority": _cell(row, "Local authority"), "postcode": _cell(row, "Postcode")},
    )


def _cqc_provider(number: int, code: str, name: str, opened: date | None) -> Statement:
    return Statement(
        code=code, row=number, kind="care_home_provider", name=name, identifiers={"cqc": code}, opened=opened
    )


LAYOUTS = (
    Layout("ODS", frozenset({"code", "name", "national_grouping", "high_level_health_geography", "open_date"}), _ods),
    Layout("ODS predecessors and successors", frozenset({"old_code", "new_code", "date"}), _succession),
    Layout("CQC locations", frozenset({"Location ID", "Provider ID", "Care homes beds"}), _cqc_location),
    Layout("CQC directory", frozenset({"CQC Location ID (for office use only)", "Service types"}), _cqc_directory),
)


def _cell(row: Row, name: str) -> str:
    return row.get(name, "")


def _needed(row: Row, name: str) -> str:
    value = _cell(row, name)
    if not value:
        raise ValueError(f"{name} is blank: it is needed")
    return value


def _code(row: Row, name: str) -> str:
    value = _needed(row, name).upper()
    if re.fullmatch(r"[A-Z0-9_-]{2,16}", value) is None:
        raise ValueError(f"{name} {value[:30]!r} is not a code: letters and digits, at most 16")
    return value


def _count(row: Row, name: str) -> int:
    text = _cell(row, name)
    if not text.removesuffix(".0").isdecimal():
        raise ValueError(f"{name} {text[:30]!r} is not a number: write it in digits")
    return int(text.removesuffix(".0"))


_FORMATS = ("%d/%m/%Y", "%m/%d/%Y %I:%M:%S %p")
"""How a day is written besides 20260401 and 2026-04-01."""


def _day(row: Row, name: str) -> date | None:
    text = _cell(row, name)
    try:
        return _parsed(text) if text else None
    except ValueError as reason:
        raise ValueError(f"{name} {reason}") from None


def _parsed(text: str) -> date:
    if text.isdecimal() or text[4:5] == "-":
        with suppress(ValueError):
            return date.fromisoformat(text)
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    raise ValueError(f"{text[:30]!r} is not a day: write it as 20260401 or 2026-04-01")

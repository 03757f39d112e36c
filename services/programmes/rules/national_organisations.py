"""England's regions, ICBs, safety collaboratives and trusts, from the tables of the catalogue.

Dates of the tables are first and last days, both included; the `end` of an edge is the first day it no longer holds.
Trusts are placed by the ODS of 2025 until ICBs merged on 1 April 2026, and by the ODS of July 2026 from then on.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from services.programmes.rules.organisations import Organisation
from services.programmes.rules.statements import AS_AT
from shared.contracts.programmes import Edge, Succession

Row = Mapping[str, str]

ENGLAND = "ENGLAND"
ICBS_BEGAN = date(2022, 7, 1)
ICBS_MERGED = date(2026, 4, 1)
TRUSTS_AS_AT = date(2026, 7, 31)
"""The month of the ODS file that the table of trusts is from: an older file does not change them."""
FROM_MEMORY = ("trust_type", "maternity_provider", "psc")
"""What the table of trusts has from memory for every trust."""

_SMALL = frozenset({"AND", "OF", "THE", "ON", "FOR", "UPON", "IN", "WITH"})


def national_organisations(
    *,
    regions: Sequence[Row],
    icbs: Sequence[Row],
    hins: Sequence[Row],
    trusts: Sequence[Row],
    successors: Sequence[Row],
    systems: Sequence[Row],
) -> list[Organisation]:
    """Every organisation of the tables, `ENGLAND` first, with its dated edges and its successors.

    `systems` are the trusts that work in another system than that of their registered address.
    """
    icb_table = {row["code"]: row for row in icbs}
    return [
        Organisation(code=ENGLAND, name="England", kind="national", source="the whole"),
        *map(_region, regions),
        *map(_hin, hins),
        *(_icb(row, hins) for row in icbs),
        *(_trust(row, icb_table, successors, systems) for row in trusts),
    ]


def friendly(name: str) -> str:
    """An ODS name, which is all capitals, as people write it: NORTH BRISTOL NHS TRUST is North Bristol NHS Trust."""
    words = name.split()
    return " ".join(_friendly_word(word, first=number == 0) for number, word in enumerate(words))


def _friendly_word(word: str, *, first: bool) -> str:
    if word == "NHS":
        return word
    if "-" in word:
        return "-".join(_friendly_word(part, first=False) for part in word.split("-"))
    return word.lower() if word in _SMALL and not first else word.capitalize()


def _region(row: Row) -> Organisation:
    return Organisation(
        code=row["code"],
        name=row["name"],
        kind="region",
        identifiers={"ons": row["ons_code"]},
        edges=(Edge(parent=ENGLAND, hierarchy="national"),),
        source=row["source"],
        unverified=_yes(row["unverified"]),
    )


def _hin(row: Row) -> Organisation:
    return Organisation(
        code=row["code"],
        name=row["name"],
        kind="hin",
        edges=(Edge(parent=ENGLAND, hierarchy="national"),),
        attributes={"psc_name": row["psc_name"], "regions": _listed(row["regions"]), "code_is_local": True},
        source=row["source"],
        unverified=_yes(row["unverified"]),
    )


def _icb(row: Row, hins: Sequence[Row]) -> Organisation:
    code, opened, closed = row["code"], _day(row["opened"]), _day(row["closed"])
    end = _after(closed)
    before = _footprints(code, hins, "icbs_to_2026_03")
    after = _footprints(code, hins, "icbs_from_2026_04")
    shared = [hin["code"] for hin in hins if f"{code} (part)" in _listed(hin["icbs_from_2026_04"])]
    return Organisation(
        code=code,
        name=friendly(row["name"]),
        kind="icb",
        identifiers={"ons": row["ons_code"]} if row["ons_code"] else {},
        opened=opened,
        closed=closed,
        edges=(
            Edge(parent=row["region"], hierarchy="region", start=opened, end=end),
            *_before_and_after(before, after, "psc", opened, end),
        ),
        successions=_successions(row),
        attributes=_filled(
            {
                "ods_name": row["name"],
                "note": row["note"],
                "psc_in_part": shared,
                "unverified": ["psc"] if before or after or shared else [],
            }
        ),
        source=row["source"],
        unverified=_yes(row["unverified"]),
    )


def _footprints(icb: str, hins: Sequence[Row], column: str) -> str:
    """The one collaborative whose footprint has the whole ICB; one shared between two belongs wholly to neither."""
    return next((hin["code"] for hin in hins if icb in _listed(hin[column])), "")


def _trust(row: Row, icbs: Mapping[str, Row], successors: Sequence[Row], systems: Sequence[Row]) -> Organisation:
    opened, closed = _day(row["opened"]), _day(row["closed"])
    end = _after(closed)
    then = row["icb_2025"] or (row["icb_2026"] if _began_before_merger(icbs[row["icb_2026"]]) else "")
    region_then = icbs[then]["region"] if then else row["region"]
    started = max(opened or ICBS_BEGAN, ICBS_BEGAN)
    succession = next((one for one in successors if one["code"] == row["code"]), None)
    system = next((one for one in systems if one["organisation"] == row["code"]), None)
    return Organisation(
        code=row["code"],
        name=friendly(row["name"]),
        kind="trust",
        opened=opened,
        closed=closed,
        edges=(
            *_before_and_after(region_then, row["region"], "region", None, end),
            *_before_and_after(then, row["icb_2026"], "icb", started, end),
            *([_within_system(system, end)] if system else []),
            *([Edge(parent=row["psc"], hierarchy="psc", end=end)] if row["psc"] else []),
        ),
        successions=_successions(succession) if succession else (),
        attributes=_trust_attributes(row, succession, successors, icbs, system),
        source=row["source"],
        unverified=_yes(row["unverified"]),
    )


def _within_system(system: Row, end: date | None) -> Edge:
    return Edge(parent=system["system"], hierarchy="system", start=_day(system["start"]), end=end)


def _trust_attributes(
    row: Row, succession: Row | None, successors: Sequence[Row], icbs: Mapping[str, Row], system: Row | None
) -> dict[str, object]:
    moved = row["icb_2025"] not in ("", row["icb_2026"]) and not icbs[row["icb_2025"]]["closed"]
    earlier = [one for one in successors if row["code"] in _listed(one["successors"])]
    return _filled(
        {
            "ods_name": row["name"],
            "former_name": friendly(row["former_name"]) if row["former_name"] else "",
            "trust_type": row["trust_type"],
            "maternity_provider": {"Y": True, "N": False}.get(row["maternity_provider"]),
            "postcode": row["postcode"],
            "ods_icb": row["icb_2026"],
            AS_AT: TRUSTS_AS_AT.isoformat(),
            "predecessors": [one["code"] for one in earlier],
            "succession_note": succession["note"] if succession else "",
            "icb_note": "moved between the ODS files of 2025 and 2026: the day is not known" if moved else "",
            "system_note": system["source"] if system else "",
            "unverified": [
                *FROM_MEMORY,
                *(["icb"] if moved else []),
                *(["system"] if system and _yes(system["unverified"]) else []),
            ],
        }
    )


def _before_and_after(before: str, after: str, hierarchy: str, start: date | None, end: date | None) -> list[Edge]:
    """One edge, or two that meet on the day ICBs merged; none for a stretch in which the organisation was not open."""
    stretches = [(before, start, end)] if before == after else [
        (before, start, min(end or date.max, ICBS_MERGED)),
        (after, max(start or date.min, ICBS_MERGED), end),
    ]  # fmt: skip
    return [
        Edge(parent=parent, hierarchy=hierarchy, start=first, end=last)
        for parent, first, last in stretches
        if parent and (first or date.min) < (last or date.max)
    ]


def _successions(row: Row) -> tuple[Succession, ...]:
    closed = _day(row["closed"])
    if closed is None:
        return ()
    on = closed + timedelta(days=1)
    # The source of an ICB's row is about the ICB; that it has a successor is then as certain as its closing.
    return tuple(
        Succession(successor=code, on=on, source=row["source"], unverified=_yes(row["unverified"]))
        for code in _listed(row["successors"])
    )


def _began_before_merger(icb: Row) -> bool:
    opened = _day(icb["opened"])
    return opened is not None and opened < ICBS_MERGED


def _after(day: date | None) -> date | None:
    return day + timedelta(days=1) if day else None


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _listed(text: str) -> list[str]:
    return [part for part in text.split("|") if part]


def _yes(text: str) -> bool:
    return text == "true"


def _filled(attributes: Mapping[str, Any]) -> dict[str, object]:
    return {name: value for name, value in attributes.items() if value not in (None, "", [])}

"""The care homes of the demonstration: invented, and named so that nobody mistakes them for real ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from deploy.demo.span import chance

HOMES = 150
ICBS_BEGAN, ICBS_MERGED = date(2022, 7, 1), date(2026, 4, 1)
SMALLEST, LARGEST = 15, 80
FIRST_CQC_ID = 900_000_000


@dataclass(frozen=True, slots=True)
class Area:
    """Where homes are: the ICB until and from April 2026, the safety collaborative, and how many homes."""

    before: str
    since: str
    collaborative: str
    homes: int


AREAS: tuple[Area, ...] = (
    Area("QUE", "S1Y5D", "EAST", 12),
    Area("QHG", "S1Y5D", "EAST", 9),
    Area("QM7", "S1Y5D", "EAST", 9),
    Area("QMM", "T6Y0W", "EAST", 14),
    Area("QJG", "D7T5G", "EAST", 8),
    Area("QH8", "D7T5G", "EAST", 8),
    Area("QOP", "QOP", "MAN", 12),
    Area("QWO", "QWO", "YH", 12),
    Area("QHM", "QHM", "NENC", 12),
    Area("QKK", "QKK", "HINSL", 9),
    Area("QJK", "QJK", "SW", 9),
    Area("QUY", "QUY", "WOE", 9),
    Area("QKS", "QKS", "KSS", 9),
    Area("QUA", "QUA", "WM", 9),
    Area("QT1", "QT1", "EM", 9),
)
"""As in the catalogue's tables of ICBs and collaboratives."""
LARGE = "VN001"
"""The home that the stories and the care-home client are about: as large as homes come, so that changes show."""


@dataclass(frozen=True, slots=True)
class Home:
    """A care home: its code, the CQC location id that it knows itself by, where it is, and its beds."""

    code: str
    cqc: str
    area: Area
    beds: int
    opened: date

    @property
    def name(self) -> str:
        """A name that says what it is."""
        return f"Synthetic care home {self.code[2:]}"

    def registered(self) -> dict[str, Any]:
        """The home as `POST /v1/organisations` takes it, and as `OrganisationChanged` holds it."""
        area, began = self.area, max(self.opened, ICBS_BEGAN)
        moved = area.before != area.since
        icbs = [_edge(area.before, "icb", began, ICBS_MERGED if moved else None)]
        icbs += [_edge(area.since, "icb", max(began, ICBS_MERGED))] if moved else []
        return {
            "code": self.code,
            "name": self.name,
            "kind": "care_home",
            "identifiers": {"cqc": self.cqc},
            "opened": self.opened.isoformat(),
            "edges": [*icbs, _edge(area.collaborative, "psc")],
            "attributes": {"beds": self.beds, "synthetic": True},
            "source": "invented for the demonstration",
        }


def homes() -> list[Home]:
    """Every care home of the demonstration, in order of its code."""
    areas = [area for area in AREAS for _ in range(area.homes)]
    return [_home(number, area) for number, area in enumerate(areas, start=1)]


def _home(number: int, area: Area) -> Home:
    code = f"VN{number:03}"
    generator = chance("home", code)
    beds = LARGEST if code == LARGE else int(generator.integers(SMALLEST, LARGEST + 1))
    opened = date(int(generator.integers(1995, 2020)), int(generator.integers(1, 13)), 1)
    return Home(code, f"1-{FIRST_CQC_ID + number * 7919}", area, beds, opened)


def _edge(parent: str, hierarchy: str, start: date | None = None, end: date | None = None) -> Mapping[str, str]:
    edge = {"parent": parent, "hierarchy": hierarchy}
    if start is not None:
        edge["start"] = start.isoformat()
    if end is not None:
        edge["end"] = end.isoformat()
    return edge

"""Who lies within whom is the same for whoever asks: the registry, those who send, and those who read figures."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from gateway.live.places import Places
from services.ingest.events import HANDLERS as INGEST
from services.ingest.queries.reference import load
from services.measures.events import HANDLERS as MEASURES
from services.measures.queries import organisations as measures
from services.programmes.rules.organisations import Organisation, Organisations, problems
from shared.contracts.hierarchies import HIERARCHY_OF
from shared.contracts.programmes import Edge, OrganisationChanged
from shared.db import Database

LEARNED = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(-20, 130, 25)]
WORLDS = 12


def a_stretch(chance: random.Random, parents: list[str], hierarchy: str) -> Iterator[Edge]:
    """No edge, one for ever, or two that meet or leave a gap."""
    chosen = chance.choice(["none", "one", "two", "gap", "later"])
    first, second = (FIRST + timedelta(days=day) for day in sorted(chance.sample(range(100), 2)))
    spans = {
        "none": [],
        "one": [(None, None)],
        "two": [(None, first), (first, None)],
        "gap": [(None, first), (second, None)],
        "later": [(second, None)],
    }[chosen]
    for start, end in spans:
        yield Edge(parent=chance.choice(parents), hierarchy=hierarchy, start=start, end=end)


def a_world(number: int) -> list[Organisation]:
    """A region or two, ICBs, collaboratives, trusts, sites and homes, placed and moved about at random."""
    chance = random.Random(number)
    codes = {kind: [f"{letter}{number:02}{n}" for n in range(count)] for kind, letter, count in
             (("region", "Y", 2), ("icb", "Q", 3), ("hin", "H", 2), ("trust", "R", 4), ("site", "S", 4),
              ("care_home", "V", 6), ("provider_group", "G", 2), ("peer_group", "P", 2))}  # fmt: skip
    above = {
        "region": (("national", ["ENGLAND"]),),
        "hin": (("national", ["ENGLAND"]),),
        "icb": (("region", codes["region"]), ("psc", codes["hin"])),
        "trust": (
            ("icb", codes["icb"]),
            ("system", codes["icb"]),
            ("psc", codes["hin"]),
            ("region", codes["region"]),
            ("group", codes["provider_group"]),
            ("peer", codes["peer_group"]),
        ),
        "provider_group": (),
        "peer_group": (("national", ["ENGLAND"]),),
        "site": (("provider", codes["trust"]), ("icb", codes["icb"]), ("psc", codes["hin"])),
        "care_home": (("icb", codes["icb"]), ("psc", codes["hin"]), ("provider", codes["trust"])),
    }
    return [
        Organisation(
            code=code,
            name=code,
            kind=kind,
            edges=tuple(edge for way, parents in above[kind] for edge in a_stretch(chance, parents, way)),
        )
        for kind, mine in codes.items()
        for code in mine
    ]


@pytest.fixture(scope="module")
def everybody() -> list[Organisation]:
    whole = [Organisation(code="ENGLAND", name="England", kind="national")]
    whole += [one for number in range(WORLDS) for one in a_world(number)]
    assert problems(whole) == []
    return whole


@pytest.fixture(scope="module")
def events(everybody) -> list[OrganisationChanged]:
    return [
        OrganisationChanged(
            **msgspec.structs.asdict(one) | {"edges": list(one.edges), "names": [], "successions": []},
            recorded_at=LEARNED,
        )
        for one in everybody
    ]


@pytest.fixture(scope="module")
def expected(everybody) -> dict[tuple[str, date], set[str]]:
    registry = Organisations(everybody)
    return {(one.code, day): set(registry.members(one.code, day)) for one in everybody for day in DAYS}


def told(service: str, handlers, events, new_database) -> Iterator[Database]:
    database = Database(new_database(service), pool_size=1)
    with database.session() as session:
        handlers[OrganisationChanged](session, events)
    yield database
    database.close()


@pytest.fixture(scope="module")
def figures(events, new_database) -> Iterator[Database]:
    yield from told("measures", MEASURES, events, new_database)


@pytest.fixture(scope="module")
def sending(events, new_database) -> Iterator[Database]:
    yield from told("ingest", INGEST, events, new_database)


def test_figures_of_an_area_are_those_of_whom_the_registry_says_lie_in_it(figures, everybody, expected):
    wholes = [one.code for one in everybody if one.kind in HIERARCHY_OF]
    with figures.session() as session:
        places = measures.places(session, codes=wholes)
        found = measures.members_of(session, places, basis="as_was")
    for code in wholes:
        for day in DAYS:
            inside = {
                one.code
                for one in found[code]
                if (one.start is None or one.start <= day) and (one.end is None or day < one.end)
            }
            assert inside == expected[code, day], (code, day)


def test_who_may_send_for_whom_is_who_lies_within_whom(sending, everybody, expected):
    with sending.session() as session:
        known = load(session, 1)
    for one in everybody:
        for day in DAYS:
            assert known.within([one.code], on=day) - {one.code} == expected[one.code, day], (one.code, day)


def test_who_may_hear_live_is_who_lies_within_whom(everybody, expected):
    parents = {
        one.code: [(edge.parent, edge.hierarchy, _text(edge.start), _text(edge.end)) for edge in one.edges]
        for one in everybody
    }
    places = Places(1, {one.code: one.kind for one in everybody}, parents)
    for one in everybody:
        for day in DAYS:
            assert places.within(frozenset({one.code}), day) - {one.code} == expected[one.code, day], (one.code, day)


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def test_those_above_are_those_of_whom_one_is_a_member(everybody, expected):
    registry = Organisations(everybody)
    for day in DAYS:
        for one in everybody:
            holding = {code for (code, when), members in expected.items() if when == day and one.code in members}
            assert registry.above(one.code, day) == holding, (one.code, day)


def test_nobody_is_in_two_places_of_one_hierarchy_on_one_day(everybody, expected):
    for kind in ("icb", "hin", "region"):
        wholes = [one.code for one in everybody if one.kind == kind]
        for day in DAYS:
            members = [code for whole in wholes for code in expected[whole, day]]
            assert len(members) == len(set(members)), (kind, day)

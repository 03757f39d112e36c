"""Where every organisation belonged on any day, over any history of moves, mergers and splits."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.programmes.rules.organisations import Organisation, Organisations, problems
from shared.contracts.programmes import Edge, Succession

START = date(2024, 1, 1)
DAYS = 60


def day(number: int) -> date:
    return START + timedelta(days=number)


def england() -> list[Organisation]:
    return [
        Organisation(code="ENGLAND", name="England", kind="national"),
        *(
            Organisation(code=code, name=code, kind="region", edges=(Edge(parent="ENGLAND", hierarchy="national"),))
            for code in ("Y1", "Y2")
        ),
    ]


@dataclass
class Body:
    """An organisation being lived through, day by day."""

    code: str
    kind: str
    parents: list[tuple[int, str]]
    closed: int | None = None
    heirs: list[str] = field(default_factory=list)

    def edges(self, hierarchy: str) -> tuple[Edge, ...]:
        ends = [start for start, _ in self.parents[1:]] + [None if self.closed is None else self.closed]
        return tuple(
            Edge(parent=parent, hierarchy=hierarchy, start=day(start), end=None if end is None else day(end))
            for (start, parent), end in zip(self.parents, ends, strict=True)
            if end is None or start < end
        )

    def organisation(self) -> Organisation:
        return Organisation(
            code=self.code,
            name=self.code,
            kind=self.kind,
            opened=day(self.parents[0][0]),
            closed=None if self.closed is None else day(self.closed - 1),
            edges=self.edges("region" if self.kind == "icb" else "icb"),
            successions=tuple(
                Succession(successor=heir, on=day(self.closed or 0)) for heir in dict.fromkeys(self.heirs)
            ),
        )


@dataclass
class History:
    """What happened, and for each day which ICB every open trust was in: the plain record to compare with."""

    bodies: list[Body]
    placed: list[dict[str, str]]

    def registry(self) -> list[Organisation]:
        return england() + [one.organisation() for one in self.bodies]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Two months in which trusts move and merge, and ICBs merge and split."""
    icbs = [Body(f"Q{n}", "icb", [(0, f"Y{1 + n % 2}")]) for n in range(draw(st.integers(1, 4)))]
    trusts = [Body(f"R{n}", "trust", [(0, draw(st.sampled_from(icbs)).code)]) for n in range(draw(st.integers(1, 8)))]
    busy = set(draw(st.lists(st.integers(1, DAYS - 1), max_size=8)))
    placed: list[dict[str, str]] = []
    for today in range(DAYS):
        if today in busy:
            live_icbs, live = [b for b in icbs if b.closed is None], [b for b in trusts if b.closed is None]
            event = draw(st.sampled_from(["move", "merge trusts", "replace icb"]))
            if event == "move":
                _move(draw(st.sampled_from(live)), draw(st.sampled_from(live_icbs)).code, today)
            elif event == "merge trusts" and len(live) > 1:
                gone, heir = draw(st.permutations(live))[:2]
                gone.closed, gone.heirs = today, [heir.code]
            elif event == "replace icb":
                _replace(draw, draw(st.sampled_from(live_icbs)), icbs, live, today)
        placed.append({one.code: one.parents[-1][1] for one in trusts if one.closed is None})
    return History(icbs + trusts, placed)


def _move(trust: Body, icb: str, today: int) -> None:
    if trust.parents[-1][1] != icb:
        trust.parents.append((today, icb))


def _replace(draw: st.DrawFn, gone: Body, icbs: list[Body], trusts: list[Body], today: int) -> None:
    """Its trusts are shared out among one or two new ICBs."""
    heirs = [Body(f"N{len(icbs) + n}", "icb", [(today, f"Y{1 + n % 2}")]) for n in range(draw(st.integers(1, 2)))]
    gone.closed, gone.heirs = today, [one.code for one in heirs]
    for trust in trusts:
        if trust.parents[-1][1] == gone.code:
            _move(trust, draw(st.sampled_from(heirs)).code, today)
    icbs.extend(heirs)


@given(histories(), st.integers(0, DAYS - 1))
def test_no_member_is_lost_or_counted_twice_at_any_date(history: History, number: int) -> None:
    states, at = history.registry(), day(number)
    registry = Organisations(states)
    expected = history.placed[number]

    found = {
        trust: icb.code for icb in states if icb.kind == "icb" for trust in registry.members(icb.code, at, kind="trust")
    }
    assert found == expected
    for wholes in (("ENGLAND",), ("Y1", "Y2")):
        counted = Counter(trust for whole in wholes for trust in registry.members(whole, at, kind="trust"))
        assert counted == Counter(list(expected))


@given(histories(), st.integers(0, DAYS - 1))
def test_members_and_ancestors_tell_the_same_story(history: History, number: int) -> None:
    states, at = history.registry(), day(number)
    registry = Organisations(states)
    for one in states:
        above = {code for _, code in registry.ancestors(one.code, at)}
        assert above == {
            whole.code for whole in states if one.exists(at) and one.code in registry.members(whole.code, at)
        } or not one.exists(at)


@given(histories())
def test_a_history_without_contradictions_has_no_problems(history: History) -> None:
    assert problems(history.registry()) == []


@given(histories(), st.integers(0, DAYS - 1))
def test_whatever_has_closed_is_stood_for_by_what_is_open(history: History, number: int) -> None:
    states, at = history.registry(), day(number)
    registry = Organisations(states)
    for one in states:
        if one.opened is None or one.opened <= at:
            heirs = registry.standing_for(one.code, at)
            assert heirs
            assert all(registry.by_code[heir].exists(at) for heir in heirs)


def leaf(code: str, *edges: Edge, **known: object) -> Organisation:
    return Organisation(code=code, name=code, kind="trust", edges=edges, **known)  # type: ignore[arg-type]


def some_icbs(*codes: str) -> list[Organisation]:
    return [
        Organisation(code=code, name=code, kind="icb", edges=(Edge(parent="Y1", hierarchy="region"),)) for code in codes
    ]


def test_a_site_inherits_the_icb_region_and_footprint_of_its_trust() -> None:
    psc = Organisation(code="MAN", name="Manchester", kind="hin")
    other = Organisation(code="NWC", name="North West Coast", kind="hin")
    (icb,) = some_icbs("QYG")
    icb = Organisation(
        code=icb.code, name=icb.name, kind="icb", edges=(*icb.edges, Edge(parent="NWC", hierarchy="psc"))
    )
    trust = leaf("RJN", Edge(parent="QYG", hierarchy="icb"), Edge(parent="MAN", hierarchy="psc"))
    site = Organisation(code="RJN01", name="Site", kind="site", edges=(Edge(parent="RJN", hierarchy="provider"),))
    registry = Organisations([*england(), psc, other, icb, trust, site])

    assert dict(registry.ancestors("RJN01", START)) == {
        "provider": "RJN", "icb": "QYG", "region": "Y1", "psc": "MAN", "national": "ENGLAND",
    }  # fmt: skip
    assert registry.members("MAN", START) == ("RJN", "RJN01")
    assert registry.members("NWC", START) == ("QYG",)


def test_a_chain_of_providers_is_followed_to_its_end() -> None:
    group, trust, site = (
        Organisation(
            code=code, name=code, kind="trust", edges=(Edge(parent=above, hierarchy="provider"),) if above else ()
        )
        for code, above in (("G", None), ("T", "G"), ("S", "T"))
    )
    registry = Organisations([group, trust, site])
    assert registry.ancestors("S", START, "provider") == (("provider", "T"), ("provider", "G"))
    assert registry.members("G", START) == ("S", "T")


def test_what_was_known_before_a_correction_can_be_asked_for() -> None:
    learned, corrected = datetime(2024, 1, 5, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
    wrong = Edge(parent="QA", hierarchy="icb", recorded_at=learned, superseded_at=corrected)
    right = Edge(parent="QB", hierarchy="icb", recorded_at=corrected)
    states = [*england(), *some_icbs("QA", "QB"), leaf("R1", wrong, right)]

    assert Organisations(states).parent("R1", "icb", START) == "QB"
    assert Organisations(states, known_at=datetime(2024, 1, 20, tzinfo=UTC)).parent("R1", "icb", START) == "QA"
    assert Organisations(states, known_at=datetime(2024, 1, 1, tzinfo=UTC)).parent("R1", "icb", START) is None
    assert problems(states) == []


def test_any_identifier_in_any_case_finds_the_code() -> None:
    home = Organisation(code="VN123", name="Home", kind="care_home", identifiers={"cqc": "1-1234567890"})
    registry = Organisations([home])
    assert registry.code_of(" vn123 ") == registry.code_of("1-1234567890") == "VN123"
    assert registry.code_of("1-999") is None


def test_a_closed_organisation_is_a_member_on_its_last_day_and_not_after() -> None:
    edge = Edge(parent="QA", hierarchy="icb")
    registry = Organisations([*england(), *some_icbs("QA"), leaf("R1", edge, closed=day(9))])
    assert registry.members("QA", day(9)) == ("R1",)
    assert registry.members("QA", day(10)) == ()


def test_closed_without_a_known_successor_is_stood_for_by_nobody() -> None:
    assert Organisations([leaf("R1", closed=day(9))]).standing_for("R1", day(10)) == ()


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ((Edge(parent="QZ", hierarchy="icb"),), "its icb QZ is not registered: register it first"),
        ((Edge(parent="Y1", hierarchy="icb"),), "its icb Y1 is of the kind region, not icb"),
        (
            (Edge(parent="QA", hierarchy="icb", start=day(5), end=day(5)),),
            "its edge to QA ends on 2024-01-06, not after its start 2024-01-06",
        ),
        (
            (Edge(parent="QA", hierarchy="icb"), Edge(parent="QB", hierarchy="icb", start=day(5))),
            "has two parents in icb from 2024-01-06: QA and QB; end the first on the day the second starts",
        ),
    ],
)
def test_an_edge_that_makes_no_sense_is_refused_with_the_remedy(edges: tuple[Edge, ...], message: str) -> None:
    assert problems([*england(), *some_icbs("QA", "QB"), leaf("R1", *edges)]) == [("R1", message)]


def test_a_cycle_is_refused_only_where_its_edges_hold_on_one_day() -> None:
    def pair(until: date | None, since: date | None) -> list[Organisation]:
        return [
            leaf("A", Edge(parent="B", hierarchy="provider", end=until)),
            leaf("B", Edge(parent="A", hierarchy="provider", start=since)),
        ]

    assert problems(pair(day(5), day(5))) == []
    message = "lies within itself in provider: end one of the edges"
    assert problems(pair(day(6), day(5))) == [("A", message), ("B", message)]


def test_an_identifier_names_one_organisation() -> None:
    homes = [Organisation(code=code, name=code, kind="care_home", identifiers={"cqc": "1-1"}) for code in ("V1", "V2")]
    assert problems(homes) == [("V2", "1-1 names 2 organisations (V1, V2): keep it for one of them")]


def test_a_life_that_ends_before_it_begins_or_succeeds_itself_is_refused() -> None:
    one = leaf("R1", opened=day(2), closed=day(1), successions=(Succession(successor="R1", on=day(2)),))
    assert problems([one]) == [
        ("R1", "its last day 2024-01-02 comes before its first 2024-01-03: mend one of them"),
        ("R1", "succeeds itself: name the other, or leave it out"),
    ]


def test_a_successor_must_be_registered() -> None:
    gone = leaf("R1", closed=day(1), successions=(Succession(successor="R2", on=day(2)),))
    assert problems([gone]) == [("R1", "its successor R2 is not registered: register it first")]

"""Questions about organisations at a date: who belonged to what, what became of whom. Pure values, no clock.

A hierarchy (`icb`, `system`, `region`, `psc`, `provider`, `national`) is a set of dated edges from an organisation to
its parent. At any date one has at most one parent of its own in a hierarchy. Where it has none it inherits one
(`shared.contracts.hierarchies`): a site sits in the ICB and the footprint of its trust, a care home in the region of
its ICB. So on any day everything has one place in each hierarchy, and a total over members counts each of them once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise

import msgspec

from shared.contracts.hierarchies import INHERITS, LIES_BY, below, chain, downwards, followed
from shared.contracts.programmes import Edge, Name, Override, Succession

HIERARCHIES = tuple(INHERITS)


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one organisation: the state that `OrganisationChanged` carries.

    `opened` and `closed` are its first and last day, both included; None where not known, or still open.
    `identifiers` are its other names in other registers (`{"cqc": "1-1234567890"}`); any of them finds it.
    `names` are what it was called and when, the last of them `name`; empty where no change of name is known.
    `overrides` are the facts kept by hand, by facet (see `rules.statements`).
    """

    code: str
    name: str
    kind: str
    names: tuple[Name, ...] = ()
    identifiers: dict[str, str] = {}
    opened: date | None = None
    closed: date | None = None
    edges: tuple[Edge, ...] = ()
    successions: tuple[Succession, ...] = ()
    attributes: dict[str, object] = {}
    source: str = ""
    unverified: bool = False
    overrides: dict[str, Override] = {}

    def called(self, at: date) -> str:
        """Its name on that day."""
        return next((one.name for one in self.names if _holds(one, at)), self.name)

    def exists(self, at: date) -> bool:
        """Whether it was open on that day."""
        return (self.opened is None or self.opened <= at) and (self.closed is None or at <= self.closed)


class Organisations:
    """The whole registry as it was known at one moment; 70,000 organisations are ordinary.

    Edges recorded after `known_at`, or superseded by then, are left out; without it the latest knowledge counts.
    """

    def __init__(self, organisations: Iterable[Organisation], *, known_at: datetime | None = None) -> None:
        self.by_code: Mapping[str, Organisation] = {one.code: one for one in organisations}
        self._parents = {
            code: tuple(edge for edge in one.edges if _known(edge, known_at)) for code, one in self.by_code.items()
        }
        self._children: dict[str, list[tuple[str, Edge]]] = {}
        for code, edges in self._parents.items():
            for edge in edges:
                self._children.setdefault(edge.parent, []).append((code, edge))
        self._by_identifier = {
            _plain(name): code for code, one in self.by_code.items() for name in one.identifiers.values()
        } | {_plain(code): code for code in self.by_code}

    def code_of(self, identifier: str) -> str | None:
        """The code of the organisation with this code or identifier, letters in either case; None if unknown."""
        return self._by_identifier.get(_plain(identifier))

    def parent(self, code: str, hierarchy: str, at: date) -> str | None:
        """The one parent in the hierarchy on that day, its own or inherited; None if it had none."""
        return next(iter(self._chain(code, hierarchy, at)), None)

    def ancestors(self, code: str, at: date, hierarchy: str | None = None) -> tuple[tuple[str, str], ...]:
        """Everything above it on that day as (hierarchy, code), each once, nearest first.

        One hierarchy is a chain (a site, its trust, the trust's group); without one, every hierarchy is followed.
        """
        ways = HIERARCHIES if hierarchy is None else (hierarchy,)
        found: dict[str, str] = {}
        for way in ways:
            for above in self._chain(code, way, at):
                found.setdefault(above, way)
        return tuple((way, above) for above, way in found.items())

    def above(self, code: str, at: date) -> frozenset[str]:
        """Everything that it lies within on that day: those of which it is one of the `members`."""
        return frozenset(above for way in LIES_BY for above in self._chain(code, way, at))

    def _chain(self, code: str, hierarchy: str, at: date) -> tuple[str, ...]:
        return chain(code, hierarchy, lambda one, way: self._own(one, way, at))

    def members(self, code: str, at: date, *, kind: str | None = None, hierarchy: str | None = None) -> tuple[str, ...]:
        """The codes of all that lay within it on that day and were open, sorted, each once.

        `hierarchy` asks about another than the one it stands at the top of; `kind` keeps to one kind of organisation.
        """
        ways = downwards(self.by_code[code].kind if code in self.by_code else "")
        found = self._below(code, at, ways if hierarchy is None else followed(hierarchy))
        return tuple(sorted(one for one in found if self._wanted(one, at, kind)))

    def standing_for(self, code: str, at: date) -> tuple[str, ...]:
        """The organisations that stand for it on that day, following successors of what has closed; sorted.

        An open organisation stands for itself. More than one is a split: a figure cannot be divided among them.
        None means that it closed and no successor is known.
        """
        found: set[str] = set()
        seen: set[str] = set()
        waiting = [code]
        while waiting:
            one = waiting.pop()
            if one in seen or one not in self.by_code:
                continue
            seen.add(one)
            closed = self.by_code[one].closed
            if closed is None or at <= closed:
                found.add(one)
            else:
                waiting += [step.successor for step in self.by_code[one].successions if step.on <= at]
        return tuple(sorted(found))

    def _own(self, code: str, hierarchy: str, at: date) -> str | None:
        return next(
            (edge.parent for edge in self._parents.get(code, ()) if edge.hierarchy == hierarchy and _holds(edge, at)),
            None,
        )

    def _wanted(self, code: str, at: date, kind: str | None) -> bool:
        one = self.by_code[code]
        return one.exists(at) and kind in (None, one.kind)

    def _below(self, code: str, at: date, hierarchies: Iterable[str]) -> set[str]:
        def children(parent: str) -> Iterator[tuple[str, str]]:
            return ((child, edge.hierarchy) for child, edge in self._children.get(parent, ()) if _holds(edge, at))

        def placed(child: str) -> Iterator[str]:
            edges = self._parents[child]
            return (edge.hierarchy for edge in edges if len(edges) > 1 and _holds(edge, at))

        return below(code, hierarchies, children, placed)


PARENT_KINDS: Mapping[str, str] = {
    "icb": "icb",
    "system": "icb",
    "region": "region",
    "psc": "hin",
    "national": "national",
    "group": "provider_group",
    "peer": "peer_group",
}
"""The kind of organisation that stands at the top of an edge; a provider may be of any kind."""


def problems(organisations: Iterable[Organisation]) -> list[tuple[str, str]]:
    """What is wrong with a registry, as (code, message): empty when every question has one answer.

    Refused: a code or identifier that names two organisations, a parent or successor that is not registered or of the
    wrong kind, an edge or a life that ends before it starts, two parents in one hierarchy on one day, and cycles; of
    successors, only who succeeds itself.
    """
    listed = list(organisations)
    registry = {one.code: one for one in listed}
    found = _shared_names(listed)
    for one in listed:
        current = [edge for edge in one.edges if edge.superseded_at is None]
        found += [(one.code, message) for edge in current for message in _edge_problems(edge, registry)]
        found += [(one.code, message) for message in _overlaps(current)]
        found += [(one.code, message) for message in _name_problems(one)]
        found += [(one.code, message) for message in _life_problems(one, registry)]
    for hierarchy, up in sorted(_upwards(listed).items()):
        found += [(code, f"lies within itself in {hierarchy}: end one of the edges") for code in _cycles(up)]
    return found


def _shared_names(organisations: Sequence[Organisation]) -> list[tuple[str, str]]:
    owners: dict[str, list[str]] = {}
    for one in organisations:
        for name in {_plain(one.code), *map(_plain, one.identifiers.values())}:
            owners.setdefault(name, []).append(one.code)
    return [
        (codes[-1], f"{name} names {len(codes)} organisations ({', '.join(sorted(codes))}): keep it for one of them")
        for name, codes in owners.items()
        if len(codes) > 1
    ]


def _life_problems(one: Organisation, registry: Mapping[str, Organisation]) -> Iterator[str]:
    if one.opened and one.closed and one.closed < one.opened:
        yield f"its last day {one.closed} comes before its first {one.opened}: mend one of them"
    for step in one.successions:
        if step.successor == one.code:
            yield "succeeds itself: name the other, or leave it out"
        elif step.successor not in registry:
            yield f"its successor {step.successor} is not registered: register it first"


def _edge_problems(edge: Edge, registry: Mapping[str, Organisation]) -> Iterator[str]:
    parent = registry.get(edge.parent)
    if parent is None:
        yield f"its {edge.hierarchy} {edge.parent} is not registered: register it first"
    elif parent.kind != PARENT_KINDS.get(edge.hierarchy, parent.kind):
        yield f"its {edge.hierarchy} {edge.parent} is of the kind {parent.kind}, not {PARENT_KINDS[edge.hierarchy]}"
    if edge.start and edge.end and edge.end <= edge.start:
        yield f"its edge to {edge.parent} ends on {edge.end}, not after its start {edge.start}"


def _overlaps(edges: Sequence[Edge]) -> Iterator[str]:
    for hierarchy in {edge.hierarchy for edge in edges}:
        own = sorted((edge for edge in edges if edge.hierarchy == hierarchy), key=lambda edge: edge.start or date.min)
        for earlier, later in pairwise(own):
            if (earlier.end or date.max) > (later.start or date.min):
                yield (
                    f"has two parents in {hierarchy} from {later.start or 'the beginning'}: "
                    f"{earlier.parent} and {later.parent}; end the first on the day the second starts"
                )


def _name_problems(one: Organisation) -> Iterator[str]:
    own = sorted(one.names, key=lambda name: name.start or date.min)
    for name in own:
        if name.start and name.end and name.end <= name.start:
            yield f"its name {name.name!r} ends on {name.end}, not after its start {name.start}"
    for earlier, later in pairwise(own):
        if (earlier.end or date.max) > (later.start or date.min):
            yield (
                f"has two names from {later.start or 'the beginning'}: {earlier.name!r} and {later.name!r}; end the "
                "first on the day the second starts"
            )
    if own and own[-1].name != one.name:
        yield f"its name is {one.name!r}, but the last of its names is {own[-1].name!r}: say the same in both"


def _upwards(organisations: Sequence[Organisation]) -> dict[str, dict[str, list[Edge]]]:
    """The current edges by hierarchy and the organisation they lead up from."""
    found: dict[str, dict[str, list[Edge]]] = {}
    for one in organisations:
        for edge in one.edges:
            if edge.superseded_at is None:
                found.setdefault(edge.hierarchy, {}).setdefault(one.code, []).append(edge)
    return found


def _cycles(up: Mapping[str, list[Edge]]) -> list[str]:
    """The codes that reach themselves along edges that all hold on some one day; each of them holds another."""
    parents = {edge.parent for edges in up.values() for edge in edges}
    return [code for code in up if code in parents and _reaches(code, code, up, (date.min, date.max), frozenset())]


def _reaches(code: str, goal: str, up: Mapping[str, list[Edge]], days: tuple[date, date], seen: frozenset[str]) -> bool:
    for edge in up.get(code, ()):
        first, last = max(days[0], edge.start or date.min), min(days[1], edge.end or date.max)
        if first >= last or edge.parent in seen:
            continue
        if edge.parent == goal or _reaches(edge.parent, goal, up, (first, last), seen | {edge.parent}):
            return True
    return False


def _holds(dated: Edge | Name, at: date) -> bool:
    return (dated.start is None or dated.start <= at) and (dated.end is None or at < dated.end)


def _known(edge: Edge, known_at: datetime | None) -> bool:
    if known_at is None:
        return edge.superseded_at is None
    learned = edge.recorded_at is None or edge.recorded_at <= known_at
    return learned and (edge.superseded_at is None or known_at < edge.superseded_at)


def _plain(identifier: str) -> str:
    return identifier.strip().upper()

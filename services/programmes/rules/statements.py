"""What a file says of an organisation, set against what is held of it: new facts are taken up, curated ones are kept.

A state has facets: its name, kind, identifiers, days, attributes, successors, and its place in each hierarchy. A file
speaks of some of them, and says how things are on one day (`on`): what was so before that day stays as it was. A
facet that somebody keeps by hand (`Organisation.overrides`) is left alone, and the difference says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Protocol, TypeVar

import msgspec

from services.programmes.rules.organisations import HIERARCHIES, Organisation
from shared.contracts.programmes import Edge, Name, Override, Succession

FACETS = ("name", "kind", "identifiers", "opened", "closed", "attributes", "successors", *HIERARCHIES)
"""What can be kept by hand, each by itself."""

AS_AT = "as_at"
"""The attribute that says of which day the facts are that were last taken up: an older file leaves them alone."""

D = TypeVar("D", Edge, Name)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What one file says of one organisation; what it does not speak of is None or empty. `row` is where it says it.

    `code` may be any identifier. `parents` is the one that holds it on the day, by hierarchy. Without a `kind` it
    speaks only of organisations that are registered.
    """

    code: str
    row: int
    kind: str | None = None
    name: str | None = None
    identifiers: dict[str, str] = {}
    opened: date | None = None
    closed: date | None = None
    parents: dict[str, str] = {}
    successions: tuple[Succession, ...] = ()
    attributes: dict[str, object] = {}


class Around(Protocol):
    """What must be known of the other organisations: the code behind an identifier, and the state behind a code."""

    by_code: Mapping[str, Organisation]

    def code_of(self, identifier: str) -> str | None:
        """The code, or None if unknown."""


def facet(one: Organisation, name: str) -> Any:
    """One facet of a state, in a form that compares and can be shown."""
    if name in HIERARCHIES:
        edges = (edge for edge in one.edges if edge.hierarchy == name and edge.superseded_at is None)
        return sorted((str(edge.start or ""), edge.parent, str(edge.end or "")) for edge in edges)
    if name == "successors":
        return sorted((str(step.on), step.successor) for step in one.successions)
    if name == "attributes":
        return {key: value for key, value in one.attributes.items() if key != AS_AT}
    if name == "name":
        return [one.name, *((named.name, str(named.start or ""), str(named.end or "")) for named in one.names)]
    return getattr(one, name)


def changed(before: Organisation, after: Organisation) -> tuple[str, ...]:
    """The facets in which two states differ."""
    return tuple(name for name in FACETS if facet(before, name) != facet(after, name))


def curated(before: Organisation, after: Organisation, override: Override) -> Organisation:
    """The state somebody gave, with every facet they changed kept by hand from now on."""
    return msgspec.structs.replace(after, overrides=after.overrides | dict.fromkeys(changed(before, after), override))


def kept(before: Organisation, after: Organisation) -> tuple[Organisation, tuple[str, ...]]:
    """The state without what it would change of the facets kept by hand, and the names of those facets."""
    names = tuple(name for name in changed(before, after) if name in before.overrides)
    whole = msgspec.structs.replace(after, overrides=before.overrides)
    for name in names:
        whole = _with_facet(whole, before, name)
    return whole, names


def _with_facet(one: Organisation, source: Organisation, name: str) -> Organisation:
    if name in HIERARCHIES:
        others = (edge for edge in one.edges if edge.hierarchy != name)
        return msgspec.structs.replace(one, edges=(*others, *(e for e in source.edges if e.hierarchy == name)))
    if name == "successors":
        return msgspec.structs.replace(one, successions=source.successions)
    if name == "name":
        return msgspec.structs.replace(one, name=source.name, names=source.names)
    return msgspec.structs.replace(one, **{name: getattr(source, name)})


def brought(
    before: Organisation | None, said: Statement, around: Around, *, on: date, source: str
) -> tuple[Organisation | None, tuple[str, ...]]:
    """The state of an organisation once a statement about a day is taken up, and what of it had to be left out.

    None when the organisation is not registered and the statement is not enough to register it.
    """
    if before is None and said.kind is None:
        return None, ("is not registered",)
    day = min(on, said.closed) if said.closed else on
    parents, left = _places(said, around, day)
    steps, lost = _steps(said, around)
    if before is not None and said.kind is not None and str(before.attributes.get(AS_AT, "")) > on.isoformat():
        older = ("is told of by a later file already",)
        return msgspec.structs.replace(before, successions=_joined(before.successions, steps)), (*older, *lost)
    dated = {} if said.kind is None else {AS_AT: on.isoformat()}
    said = msgspec.structs.replace(said, attributes={**said.attributes, **dated})
    one = _revised(before, said, parents, around, on) if before else _registered(said, parents, around, source)
    one = msgspec.structs.replace(
        _ended(one), successions=_joined(one.successions, steps), identifiers={**one.identifiers, **said.identifiers}
    )
    if before is not None and before.closed is not None and said.kind is not None and said.closed is None:
        left = (*left, "closed, which the file does not say: it stays closed")
    return one, (*left, *lost)


def _registered(said: Statement, parents: Mapping[str, str], around: Around, source: str) -> Organisation:
    return Organisation(
        code=said.code,
        name=said.name or said.code,
        kind=str(said.kind),
        opened=said.opened,
        closed=said.closed,
        edges=tuple(
            Edge(parent=parent, hierarchy=way, start=_later(said.opened, around.by_code[parent].opened))
            for way, parent in parents.items()
        ),
        attributes=dict(said.attributes),
        source=source,
    )


def _revised(
    before: Organisation, said: Statement, parents: Mapping[str, str], around: Around, on: date
) -> Organisation:
    one = msgspec.structs.replace(
        before,
        opened=said.opened or before.opened,
        closed=said.closed or before.closed,
        attributes={**before.attributes, **said.attributes},
    )
    if said.name is not None and not same_name(before.called(on), said.name):
        named = before.names or (Name(name=before.name),)
        names = _from_day_on(named, Name(name=said.name), on)
        one = msgspec.structs.replace(one, names=names, name=names[-1].name)
    day = max(on, one.opened or on)
    for way, parent in parents.items():
        own = [edge for edge in one.edges if edge.hierarchy == way and edge.superseded_at is None]
        if any(edge.parent == parent and _holds(edge, day) for edge in own):
            continue
        others = tuple(edge for edge in one.edges if edge not in own)
        since = day if own else _later(said.opened, around.by_code[parent].opened)
        placed = _from_day_on(own, Edge(parent=parent, hierarchy=way), since)
        one = msgspec.structs.replace(one, edges=(*others, *placed))
    return one


def _from_day_on(dated: Iterable[D], new: D, since: date | None) -> tuple[D, ...]:
    """The stretches with a new one put in from a day until the next begins; the one it breaks into ends there."""
    first = since or date.min
    found: list[D] = []
    later: list[D] = []
    for one in sorted(dated, key=lambda one: one.start or date.min):
        begins, breaks = one.start or date.min, (one.end or date.max) > first
        if begins < first:
            found.append(msgspec.structs.replace(one, end=since) if breaks else one)
        elif begins > first:
            later.append(one)
    found.append(msgspec.structs.replace(new, start=since, end=later[0].start if later else None))
    return tuple(found + later)


def _ended(one: Organisation) -> Organisation:
    """The state with nothing holding it after its last day."""
    if one.closed is None:
        return one
    end = one.closed + timedelta(days=1)
    edges = (
        msgspec.structs.replace(edge, end=end) if (edge.end or date.max) > end else edge
        for edge in one.edges
        if (edge.start or date.min) < end
    )
    return msgspec.structs.replace(one, edges=tuple(edges))


def _places(said: Statement, around: Around, day: date) -> tuple[dict[str, str], tuple[str, ...]]:
    """The parents that were there on the day, by hierarchy, and why others are left out."""
    found, left = {}, []
    for way, identifier in said.parents.items():
        code = around.code_of(identifier)
        if code is None:
            left.append(f"its {way} {identifier} is not registered")
        elif not around.by_code[code].exists(day):
            left.append(f"its {way} {code} was not open on the day the file tells of")
        else:
            found[way] = code
    return found, tuple(left)


def _steps(said: Statement, around: Around) -> tuple[tuple[Succession, ...], tuple[str, ...]]:
    found, left = [], []
    for step in said.successions:
        code = around.code_of(step.successor)
        if code is None:
            left.append("its successor is not registered")
        elif code == said.code:
            left.append("it would succeed itself")
        else:
            found.append(msgspec.structs.replace(step, successor=code))
    return tuple(found), tuple(left)


def _joined(held: Sequence[Succession], said: Sequence[Succession]) -> tuple[Succession, ...]:
    """What was held with what is said: of one successor the day that is said, unless it is that day already."""
    days = {(step.successor, step.on) for step in held}
    fresh = [step for step in said if (step.successor, step.on) not in days]
    replaced = {step.successor for step in fresh}
    return (*(step for step in held if step.successor not in replaced), *fresh)


def same_name(one: str, other: str) -> bool:
    """Whether two names differ only in how they are written: capitals, apostrophes, `&`."""
    return _letters(one) == _letters(other)


def _letters(name: str) -> str:
    return "".join(_alphanumeric(name.casefold().replace("&", "and")))


def _alphanumeric(text: str) -> Iterator[str]:
    return (letter for letter in text if letter.isalnum())


def _later(one: date | None, other: date | None) -> date | None:
    return max((day for day in (one, other) if day is not None), default=None)


def _holds(edge: Edge, at: date) -> bool:
    return (edge.start is None or edge.start <= at) and (edge.end is None or at < edge.end)

"""Organisations: registered, renamed, moved, merged, closed - one or seventy thousand by the same few statements."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from services.programmes import models
from services.programmes.commands.audit import Act, Line, record
from services.programmes.commands.entries import SOURCE, fingerprint
from services.programmes.footprint import NATIONAL, Footprint
from services.programmes.hierarchy import read
from services.programmes.models import among
from services.programmes.problems import InvalidOrganisation
from services.programmes.rules import statements
from services.programmes.rules.organisations import Organisation, problems
from shared.contracts.programmes import Edge, Name, OrganisationChanged, Override, Succession
from shared.db import Recorded, copy_rows
from shared.messaging.outbox import publish

_LOCK = 0x05_01_B0_02
_ORGANISATION = {
    "code": "text", "name": "text", "kind": "text", "names": "jsonb", "identifiers": "jsonb", "opened": "date",
    "closed": "date", "attributes": "jsonb", "source": "text", "unverified": "bool", "overrides": "jsonb",
    "fingerprint": "text", "recorded_at": "timestamptz",
}  # fmt: skip
_EDGE = {
    "child": "text", "parent": "text", "hierarchy": "text", "start": "date", "end": "date",
    "recorded_at": "timestamptz",
}  # fmt: skip
_SUCCESSION = {
    "predecessor": "text", "successor": "text", "on": "date", "source": "text", "unverified": "bool",
    "recorded_at": "timestamptz",
}  # fmt: skip
_IDENTIFIER = {"value": "text", "scheme": "text", "code": "text"}


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of some organisations: the current row, and every edge and succession ever recorded, by code."""

    rows: Mapping[str, models.Organisation] = field(default_factory=dict)
    edges: Mapping[str, Sequence[models.Edge]] = field(default_factory=dict)
    successions: Mapping[str, Sequence[models.Succession]] = field(default_factory=dict)


class Written(NamedTuple):
    """How many organisations were new, and how many changed."""

    registered: int
    changed: int


def register_organisations(
    session: Session,
    states: Sequence[Organisation],
    act: Act,
    *,
    caller: Footprint | None = None,
    keeping: Mapping[str, Collection[str]] | None = None,
) -> Written:
    """Make these the current states of their organisations, as `write` does, if the registry then makes sense.

    Raises NotYours unless the caller (None: the operator) acts for each of them, or for every parent of a new one;
    InvalidOrganisation, naming every place, for a parent or successor that is not registered, overlapping edges or
    names, a cycle, or an identifier that names two organisations. What a caller changes of an organisation that a
    catalogue or a file tells of is kept by hand from then on, and so needs a reason; `keeping` has the facets that
    stay so of an organisation, where not all do.
    """
    one_at_a_time(session)
    stated = {state.code: state for state in states}
    if len(stated) < len(states):
        raise InvalidOrganisation("the same code is given twice: give each organisation once")
    before = _around(session, stated)
    if caller is not None:
        _demand_right(caller, stated, before)
        stated = {code: _by_hand(before.get(code), state, act, keeping or {}) for code, state in stated.items()}
    _demand_sense(stated, before)
    return write(session, list(stated.values()), act)


def _by_hand(
    before: Organisation | None, state: Organisation, act: Act, keeping: Mapping[str, Collection[str]]
) -> Organisation:
    """The state with what somebody changed of it kept by hand from now on: files and catalogues leave it alone."""
    if before is None or before.source == "":
        return state
    kept = {name: one for name, one in before.overrides.items() if name in keeping.get(state.code, before.overrides)}
    state = msgspec.structs.replace(state, overrides=kept)
    override = Override(reason=act.why or "", by=act.who, at=act.at)
    if statements.changed(before, state) and not act.why:
        message = f"{state.code} is told of by {before.source!r}: say why this is kept against it (reason)"
        raise InvalidOrganisation(message, errors=[{"parameter": "reason", "message": message}])
    return statements.curated(before, state, override)


def _around(session: Session, stated: Mapping[str, Organisation]) -> dict[str, Organisation]:
    """What is registered of the organisations themselves and of all they touch: who holds them, directly or not, who
    succeeds them, and who has one of their identifiers. The rest of the registry cannot contradict them."""
    names = {name.strip().upper() for one in stated.values() for name in (one.code, *one.identifiers.values())}
    owners = select(models.Identifier.code).where(among(models.Identifier.value, names))
    wanted = {*names, *stated, *session.scalars(owners)}
    wanted |= {step.successor for one in stated.values() for step in one.successions}
    wanted |= {edge.parent for one in stated.values() for edge in one.edges}
    found: dict[str, Organisation] = {}
    while wanted:
        found |= {one.code: one for one in read(session, codes=wanted, whole=True)}
        wanted = {edge.parent for code in wanted if code in found for edge in found[code].edges} - found.keys()
    # Successors are only asked whether they exist.
    steps = {step.successor for one in found.values() for step in one.successions} - found.keys()
    return found | {one.code: one for one in read(session, codes=steps)}


def _demand_right(caller: Footprint, stated: Mapping[str, Organisation], before: Mapping[str, Organisation]) -> None:
    for code, state in stated.items():
        old = before.get(code)
        had = {(edge.parent, edge.hierarchy) for edge in old.edges} if old is not None else set()
        newly = {edge.parent for edge in state.edges if (edge.parent, edge.hierarchy) not in had}
        # What comes new with it is asked about in its own turn; what has no place at all is the nation's to register.
        wanted = {code} if old is not None else set() if newly else {NATIONAL}
        for one in wanted | {parent for parent in newly if parent in before or parent not in stated}:
            caller.demand(one)


def _demand_sense(stated: Mapping[str, Organisation], before: Mapping[str, Organisation]) -> None:
    places = {code: number for number, code in enumerate(stated)}
    errors = [
        {"pointer": f"/{places[code]}", "message": f"{code}: {message}"}
        for code, message in problems({**before, **stated}.values())
        if code in stated
    ]
    if errors:
        raise InvalidOrganisation("; ".join(error["message"] for error in errors[:3]), errors=errors)


def write(session: Session, states: Sequence[Organisation], act: Act) -> Written:
    """Make these the current states of their organisations, skipping those already as stated.

    A state is the whole of what is true: an edge or succession it does not name is superseded, and keeps its place in
    the past. Every organisation that changed is audited and published with its whole new state.
    """
    one_at_a_time(session)
    prints = {state.code: state_fingerprint(state) for state in states}
    stored = _fingerprints(session, list(prints))
    fresh = {state.code: state for state in states if stored.get(state.code) != prints[state.code]}
    known = _known(session, [code for code in fresh if code in stored])
    fresh = {code: _learned(state, known.rows.get(code), act) for code, state in fresh.items()}
    _supersede(session, fresh, known, act)
    _insert(session, fresh, known, prints, act)
    events = {code: _event(state, known, act) for code, state in fresh.items()}
    record(session, act, (_line(event, known, act) for event in events.values()))
    publish(session, events.values(), source=SOURCE)
    return Written(registered=len(fresh) - len(known.rows), changed=len(known.rows))


def state_fingerprint(state: Organisation) -> str:
    """The hash of what is said of an organisation, whenever it was learned."""
    edges = [edge for edge in state.edges if edge.superseded_at is None]
    said = msgspec.to_builtins(state) | {
        "names": sorted(repr(_name_key(one)) for one in state.names),
        "edges": sorted(repr(_edge_key(edge)) for edge in edges),
        "successions": sorted(repr(_succession_key(one)) for one in state.successions),
    }
    return fingerprint(said)


def one_at_a_time(session: Session) -> None:
    """Wait until nobody else is changing organisations, and keep others waiting until the transaction ends."""
    # Positions of the audit are given out before they are committed: two writers side by side could commit the higher
    # first, and whoever remembers the organisations up to it would never look for the lower.
    session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _fingerprints(session: Session, codes: list[str]) -> dict[str, str]:
    table = models.Organisation
    query = select(table.code, table.fingerprint).where(table.known(None), among(table.code, codes))
    return dict(session.execute(query).all())


def _known(session: Session, codes: list[str]) -> Known:
    if not codes:
        return Known()
    organisation, edge, succession = models.Organisation, models.Edge, models.Succession
    current = select(organisation).where(organisation.known(None), among(organisation.code, codes)).with_for_update()
    edges = select(edge).where(among(edge.child, codes)).order_by(edge.id)
    successions = select(succession).where(among(succession.predecessor, codes)).order_by(succession.id)
    return Known(
        {row.code: row for row in session.scalars(current)},
        _grouped((row.child, row) for row in session.scalars(edges)),
        _grouped((row.predecessor, row) for row in session.scalars(successions)),
    )


def _grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for code, row in pairs:
        groups[code].append(row)
    return groups


def _edge_key(edge: Edge | models.Edge) -> tuple[Any, ...]:
    return (edge.parent, edge.hierarchy, edge.start, edge.end)


def _name_key(one: Name) -> tuple[Any, ...]:
    return (one.name, one.start, one.end)


def _succession_key(one: Succession | models.Succession) -> tuple[Any, ...]:
    return (one.successor, one.on, one.source, one.unverified)


def _learned(state: Organisation, row: models.Organisation | None, act: Act) -> Organisation:
    """The state with the instant at which each of its names was learned."""
    if not state.names:
        return state
    held = _names(row) if row is not None else []
    since = {_name_key(one): one.recorded_at for one in held}
    names = (msgspec.structs.replace(one, recorded_at=since.get(_name_key(one)) or act.at) for one in state.names)
    return msgspec.structs.replace(state, names=tuple(names))


def _names(row: models.Organisation) -> list[Name]:
    return msgspec.convert(row.names, list[Name])


def _supersede(session: Session, fresh: Mapping[str, Organisation], known: Known, act: Act) -> None:
    """Close the current rows of everything that is no longer said."""
    edges, successions = [], []
    for code, state in fresh.items():
        said = {_edge_key(edge) for edge in state.edges if edge.superseded_at is None}
        edges += [row.id for row in _current(known.edges, code) if _edge_key(row) not in said]
        passed = {_succession_key(one) for one in state.successions}
        successions += [row.id for row in _current(known.successions, code) if _succession_key(row) not in passed]
    organisations = [row.id for row in known.rows.values()]
    for table, ids in ((models.Organisation, organisations), (models.Edge, edges), (models.Succession, successions)):
        if ids:
            _close(session, table, ids, act)
    if known.rows:
        session.execute(delete(models.Identifier).where(among(models.Identifier.code, known.rows)))


def _close(session: Session, table: type[Recorded], ids: list[int], act: Act) -> None:
    # The rows read before stay as they were read: they are the `before` of the audit.
    statement = update(table).where(among(table.id, ids)).values(superseded_at=act.at)
    session.execute(statement, execution_options={"synchronize_session": False})


def _current(groups: Mapping[str, Sequence[Any]], code: str) -> Iterator[Any]:
    return (row for row in groups.get(code, ()) if row.superseded_at is None)


def _insert(
    session: Session, fresh: Mapping[str, Organisation], known: Known, prints: Mapping[str, str], act: Act
) -> None:
    session.flush()
    states = fresh.values()
    organisations = (_organisation_row(one, prints[one.code], act) for one in states)
    copy_rows(session, "organisation", _ORGANISATION, organisations)
    copy_rows(session, "edge", _EDGE, (row for one in states for row in _edge_rows(one, known, act)))
    copy_rows(session, "succession", _SUCCESSION, (row for one in states for row in _succession_rows(one, known, act)))
    identifiers = {(v.strip().upper(), k): one.code for one in states for k, v in one.identifiers.items()}
    copy_rows(session, "identifier", _IDENTIFIER, ((*key, code) for key, code in identifiers.items()))


def _organisation_row(one: Organisation, printed: str, act: Act) -> Sequence[Any]:
    names, identifiers, attributes, overrides = map(
        msgspec.to_builtins, (one.names, one.identifiers, one.attributes, one.overrides)
    )
    facts = (one.code, one.name, one.kind, names, identifiers, one.opened, one.closed, attributes, one.source)
    return (*facts, one.unverified, overrides, printed, act.at)


def _edge_rows(one: Organisation, known: Known, act: Act) -> Iterator[Sequence[Any]]:
    stored = {_edge_key(row) for row in _current(known.edges, one.code)}
    for edge in one.edges:
        if edge.superseded_at is None and _edge_key(edge) not in stored:
            yield (one.code, *_edge_key(edge), act.at)


def _succession_rows(one: Organisation, known: Known, act: Act) -> Iterator[Sequence[Any]]:
    stored = {_succession_key(row) for row in _current(known.successions, one.code)}
    for succession in one.successions:
        if _succession_key(succession) not in stored:
            yield (one.code, *_succession_key(succession), act.at)


def _event(state: Organisation, known: Known, act: Act) -> OrganisationChanged:
    """The state with the day each edge was learned, and the edges that were believed before."""
    said = {_edge_key(edge): edge for edge in state.edges if edge.superseded_at is None}
    edges = []
    for row in known.edges.get(state.code, ()):
        kept = row.superseded_at is None and said.pop(_edge_key(row), None) is not None
        edges.append(_edge(row, None if kept else row.superseded_at or act.at))
    edges += [msgspec.structs.replace(edge, recorded_at=act.at) for edge in said.values()]
    facts = msgspec.structs.asdict(state)
    facts |= {"edges": edges, "successions": list(state.successions), "names": list(state.names)}
    return OrganisationChanged(**facts, recorded_at=act.at)


def _edge(row: models.Edge, superseded_at: Any) -> Edge:
    return Edge(
        parent=row.parent,
        hierarchy=row.hierarchy,
        start=row.start,
        end=row.end,
        recorded_at=row.recorded_at,
        superseded_at=superseded_at,
    )


def _stated(row: models.Organisation, known: Known) -> OrganisationChanged:
    return OrganisationChanged(
        code=row.code,
        name=row.name,
        kind=row.kind,
        names=_names(row),
        identifiers=row.identifiers,
        opened=row.opened,
        closed=row.closed,
        edges=[_edge(one, one.superseded_at) for one in known.edges.get(row.code, ())],
        successions=[
            Succession(successor=one.successor, on=one.on, source=one.source, unverified=one.unverified)
            for one in _current(known.successions, row.code)
        ],
        attributes=row.attributes,
        source=row.source,
        unverified=row.unverified,
        overrides=msgspec.convert(row.overrides, dict[str, Override]),
        recorded_at=row.recorded_at,
    )


def _line(event: OrganisationChanged, known: Known, act: Act) -> Line:
    row = known.rows.get(event.code)
    before = None if row is None else msgspec.to_builtins(_stated(row, known))
    action = "registered" if row is None else "revised"
    return Line(action, "organisation", event.code, event.code, before, msgspec.to_builtins(event))

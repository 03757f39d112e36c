"""Where organisations lie, as the gateway has heard: what lies within those that a caller acts for or asks about."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gateway.live.models import LivePlace, LiveState
from shared.contracts.hierarchies import below, downwards
from shared.contracts.programmes import OrganisationChanged

Edge = tuple[str, str, str | None, str | None]
"""A parent, in which hierarchy, from which day, until the day before which."""


class Places:
    """One consistent copy; answers are remembered as long as it is. `number` tells whether there is a newer one."""

    def __init__(self, number: int, kinds: Mapping[str, str], parents: Mapping[str, Sequence[Edge]]) -> None:
        self.number, self._kinds, self._parents = number, kinds, parents
        self._children: dict[str, list[tuple[str, Edge]]] = defaultdict(list)
        for code, edges in parents.items():
            for edge in edges:
                self._children[edge[0]].append((code, edge))
        self.within = lru_cache(maxsize=1024)(self._within)

    def knows(self, code: str) -> bool:
        """Whether there is such an organisation."""
        return code in self._kinds

    def _within(self, codes: frozenset[str], day: date) -> frozenset[str]:
        """These organisations and everything that lies within them on the day, step by step downwards."""
        return frozenset().union(*(self._below(code, day.isoformat()) for code in codes))

    def _below(self, code: str, day: str) -> set[str]:
        def children(parent: str) -> Iterator[tuple[str, str]]:
            return ((child, edge[1]) for child, edge in self._children.get(parent, ()) if _holds(edge, day))

        def placed(child: str) -> Iterator[str]:
            return (edge[1] for edge in self._parents[child] if _holds(edge, day))

        return {code} | below(code, downwards(self._kinds.get(code, "")), children, placed)


def _holds(edge: Edge, day: str) -> bool:
    _, _, start, end = edge
    return (start is None or start <= day) and (end is None or day < end)


NOWHERE = Places(-1, {}, {})
"""Before anything has been heard."""


def known(session: Session, before: Places = NOWHERE) -> Places:
    """The newest copy; `before` itself while nothing has changed."""
    number = session.scalars(select(LiveState.places)).one()
    if number == before.number:
        return before
    kinds: dict[str, str] = {}
    parents: dict[str, list[Edge]] = {}
    for code, kind, edges in session.execute(select(LivePlace.code, LivePlace.kind, LivePlace.parents)):
        kinds[code] = kind
        parents[code] = [(parent, hierarchy, start, end) for parent, hierarchy, start, end in edges]
    return Places(number, kinds, parents)


def adopt_organisations(session: Session, events: Iterable[OrganisationChanged]) -> None:
    """Keep where the organisations lie."""
    newest = {event.code: event for event in events}
    statement = insert(LivePlace)
    changed = {name: statement.excluded[name] for name in ("kind", "parents")}
    session.execute(
        statement.on_conflict_do_update(index_elements=["code"], set_=changed),
        [{"code": one.code, "kind": one.kind, "parents": _parents(one)} for one in newest.values()],
    )
    session.execute(update(LiveState).values(places=LiveState.places + 1))


def _parents(one: OrganisationChanged) -> list[list[str | None]]:
    return [
        [edge.parent, edge.hierarchy, _written(edge.start), _written(edge.end)]
        for edge in one.edges
        if edge.superseded_at is None
    ]


def _written(day: date | None) -> str | None:
    return None if day is None else day.isoformat()

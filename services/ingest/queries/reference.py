"""What ingest knows of feeds, organisations and measures, kept in memory until the registry says something new."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from threading import Lock

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.ingest import models
from services.ingest.problems import UnknownFeed, UnknownFeedVersion
from services.ingest.rules.feeds import Feed
from services.ingest.rules.reference import Organisation, Reference
from services.ingest.rules.versions import LIVE
from shared.contracts.hierarchies import below, downwards
from shared.principal import Principal


@dataclass(frozen=True, slots=True)
class Known:
    """One consistent copy.

    `feeds` are the versions of each, newest first; `children` are the members of each organisation, by which
    hierarchy and on which dates.
    """

    number: int
    feeds: Mapping[str, tuple[Feed, ...]]
    reference: Reference
    kinds: Mapping[str, str]
    children: Mapping[str, tuple[tuple[str, str, str | None, str | None], ...]]
    placed: Mapping[str, tuple[tuple[str, str | None, str | None], ...]]
    """The hierarchies in which each organisation has a parent, and when."""

    def feed(self, name: str) -> Feed:
        """The newest version of a feed. Raises UnknownFeed, which lists those there are."""
        if name not in self.feeds:
            message = f"no feed is called {name[:60]!r}; there are: {', '.join(sorted(self.feeds)) or 'none yet'}"
            raise UnknownFeed(message, errors=[{"parameter": "feed", "message": message}])
        return self.feeds[name][0]

    def live(self, name: str, version: str | None = None) -> tuple[Feed, ...]:
        """The versions of a feed that may be sent, newest first; or only the one that is named.

        Raises UnknownFeed; UnknownFeedVersion, which lists those that may be sent.
        """
        newest = self.feed(name)
        live = self.feeds[newest.id][:LIVE]
        chosen = tuple(one for one in live if version in (None, one.version))
        if not chosen:
            message = f"of {name} these versions may be sent: {', '.join(one.version for one in live)}"
            raise UnknownFeedVersion(message, errors=[{"parameter": "feed_version", "message": message}])
        return chosen

    def version(self, name: str, version: str) -> Feed:
        """The version that rows were taken in, however old. Raises UnknownFeed."""
        newest = self.feed(name)
        return next((one for one in self.feeds[name] if one.version == version), newest)

    def within(self, codes: Iterable[str], *, on: date) -> frozenset[str]:
        """These organisations and everything that lies within them on the day, step by step downwards."""
        return frozenset().union(*(self._within(code, on.isoformat()) for code in codes))

    def _within(self, code: str, day: str) -> frozenset[str]:
        def children(parent: str) -> Iterator[tuple[str, str]]:
            edges = self.children.get(parent, ())
            return ((child, hierarchy) for child, hierarchy, start, end in edges if _holds(start, end, day))

        def placed(child: str) -> Iterator[str]:
            return (hierarchy for hierarchy, start, end in self.placed[child] if _holds(start, end, day))

        return frozenset({code} | below(code, downwards(self.kinds.get(code, "")), children, placed))

    def yours(self, caller: Principal, *, on: date) -> frozenset[str] | None:
        """The codes a caller may write for; None means any."""
        return None if caller.for_everyone else self.within(caller.organisations, on=on)


def _holds(start: str | None, end: str | None, day: str) -> bool:
    return (start is None or start <= day) and (end is None or day < end)


class ReferenceBook:
    """Gives the newest copy, loading it again only when the registry has said something since."""

    def __init__(self) -> None:
        self._known: Known | None = None
        self._lock = Lock()

    def known(self, session: Session) -> Known:
        """What is known now."""
        number = session.execute(select(func.max(models.ReferenceState.number))).scalar_one()
        if self._known is None or self._known.number != number:
            with self._lock:
                if self._known is None or self._known.number != number:
                    self._known = load(session, number)
        return self._known


def load(session: Session, number: int) -> Known:
    """Read everything the registry has told."""
    feeds: dict[str, tuple[Feed, ...]] = {}
    for row in session.execute(
        select(models.Feed.feed, models.Feed.spec).order_by(models.Feed.published_at, models.Feed.version)
    ):
        feeds[row.feed] = (Feed.from_spec(row.spec), *feeds.get(row.feed, ()))
    one = models.Organisation
    rows = session.execute(
        select(one.code, one.kind, one.identifiers, one.opened, one.closed, one.successors, one.parents)
    )
    organisations: dict[str, Organisation] = {}
    kinds: dict[str, str] = {}
    children: dict[str, list[tuple[str, str, str | None, str | None]]] = defaultdict(list)
    placed: dict[str, tuple[tuple[str, str | None, str | None], ...]] = {}
    for code, kind, identifiers, opened, closed, successors, parents in rows:
        organisation = Organisation(code, opened, closed, tuple(successors))
        organisations[code], kinds[code] = organisation, kind
        for name in identifiers.values():
            organisations.setdefault(name.upper(), organisation)
        placed[code] = tuple((hierarchy, start, end) for _, hierarchy, start, end in parents)
        for parent, hierarchy, start, end in parents:
            children[parent].append((code, hierarchy, start, end))
    measures = {
        row.measure: {"proportion": row.proportion}
        for row in session.execute(select(models.Measure.measure, models.Measure.proportion))
    }
    return Known(
        number=number,
        feeds=feeds,
        reference=Reference(organisations, measures),
        kinds=kinds,
        children={parent: tuple(members) for parent, members in children.items()},
        placed=placed,
    )

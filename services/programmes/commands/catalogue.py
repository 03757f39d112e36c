"""Loading the national catalogue: what is new in it becomes current, what is current already is left alone."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.programmes.commands import entries, organisations
from services.programmes.commands.audit import Act
from services.programmes.commands.entries import Version
from services.programmes.hierarchy import read
from services.programmes.models import Entry, Feed, Load, Measure, Programme, Target
from services.programmes.models import Organisation as Row
from services.programmes.rules import statements
from services.programmes.rules.catalogue import Catalogue
from services.programmes.rules.documents import programme_document
from services.programmes.rules.national_organisations import ENGLAND
from services.programmes.rules.organisations import Organisation

CATALOGUE = "catalogue"
"""Under this name the loading of the catalogue stands in the audit."""


class Loaded(NamedTuple):
    """How many of each were written; all zero when the catalogue is the one that was loaded last.

    `kept` are the facts about organisations that are kept by hand, against what the catalogue now says.
    """

    organisations: int = 0
    feeds: int = 0
    programmes: int = 0
    measures: int = 0
    targets: int = 0
    kept: int = 0


def load_catalogue(session: Session, catalogue: Catalogue, *, now: datetime) -> Loaded:
    """Bring the registry to what the catalogue says, and publish the whole state of everything that changed.

    What it says as it did the last time is not said again: what people made of that since stays. Loading the same
    content again writes and publishes nothing. Raises PublishedOtherwise when a measure or feed changed without a new
    version.
    """
    sha256 = entries.fingerprint(msgspec.to_builtins(catalogue))
    latest = session.scalars(select(Load).order_by(Load.loaded_at.desc()).limit(1)).first()
    if latest is not None and latest.sha256 == sha256:
        return Loaded()
    act = Act(CATALOGUE, now, f"national catalogue {sha256[:12]}")
    documents = _documents(catalogue)
    prints = _prints(catalogue.organisations, documents)
    said = latest.said if latest is not None else {}
    news = {key for key, printed in prints.items() if said.get(key) != printed}
    states, kept = _beside_what_is_kept(
        session, (one for one in catalogue.organisations if _key(Row, one.code) in news)
    )
    written = organisations.write(session, states, act)
    counts = {
        f"{table.__tablename__}s": entries.write(
            session, table, [one for one in ones if _key(table, one.name) in news], act
        )
        for table, ones in documents.items()
    }
    done = insert(Load).values(sha256=sha256, loaded_at=now, said=prints)
    session.execute(done.on_conflict_do_update(index_elements=["sha256"], set_={"loaded_at": now}))
    return Loaded(organisations=written.registered + written.changed, **counts, kept=kept)


def _documents(catalogue: Catalogue) -> dict[type[Entry], list[Version]]:
    """What the catalogue says in versions; in this order, for what comes later speaks of what comes before."""
    programmes = {
        name: programme_document(programme, catalogue.programme_sets)
        for name, programme in catalogue.programmes.items()
    }
    return {
        Feed: _versions(catalogue.feeds),
        Programme: _versions(programmes),
        Measure: [_reviewed(one) for one in _versions(catalogue.measures)],
        Target: _versions(catalogue.targets),
    }


def _prints(states: Iterable[Organisation], documents: Mapping[type[Entry], Iterable[Version]]) -> dict[str, str]:
    """The hash of what the catalogue says of each thing."""
    prints = {_key(Row, one.code): organisations.state_fingerprint(one) for one in states}
    return prints | {_key(table, one.name): one.fingerprint for table, ones in documents.items() for one in ones}


def _key(table: type[Entry | Row], name: str) -> str:
    return f"{table.__tablename__}/{name}"


def _beside_what_is_kept(session: Session, states: Iterable[Organisation]) -> tuple[list[Organisation], int]:
    """The states without what they would change of facts kept by hand, and how many such facts there are."""
    states = list(states)
    held = {one.code: one for one in read(session, codes=[one.code for one in states], whole=True)}
    found = [statements.kept(held[one.code], one) if one.code in held else (one, ()) for one in states]
    return [state for state, _ in found], sum(len(names) for _, names in found)


def _versions(documents: Mapping[str, Mapping[str, Any]]) -> list[Version]:
    return [
        Version(name, document["version"], document, owner=ENGLAND, status=document.get("status", "live"))
        for name, document in _plain(documents)
    ]


def _plain(documents: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, Any]]:
    """The documents as JSON has them: dates as text, tuples as lists."""
    return ((name, msgspec.to_builtins(document)) for name, document in documents.items())


def _reviewed(one: Version) -> Version:
    review = one.document.get("review", {})
    author, checker = review.get("author", CATALOGUE), review.get("checker")
    return Version(one.name, one.version, one.document, one.owner, one.status, author, checker)

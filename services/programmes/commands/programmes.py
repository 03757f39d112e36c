"""Programmes and targets: registered and revised whole; every version is kept."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.programmes.commands import entries
from services.programmes.commands.audit import Act
from services.programmes.models import Entry, Measure, Organisation, Programme, Target
from services.programmes.problems import AlreadyThere, InvalidProgramme, InvalidTarget
from services.programmes.rules import programmes, targets, versions
from services.programmes.rules.documents import as_written, pointer_as_sent
from shared.problems import Problem

Document = Mapping[str, Any]
OPTIONAL_LOCALLY = {("/setting", "is needed"), ("/aim", "is needed")}
"""What a national programme must say and a local one may leave out."""


def register_programme(session: Session, sent: Document, owner: str, act: Act) -> None:
    """Register a programme of an organisation. Raises AlreadyThere or InvalidProgramme."""
    _refuse_second(session, Programme, sent["id"])
    _write_programme(session, sent, owner, None, act)


def revise_programme(session: Session, sent: Document, act: Act) -> None:
    """Make this the programme's current version. Raises UnknownProgramme's like when it is not there."""
    before = _current(session, Programme, sent["id"])
    _write_programme(session, sent, before.owner, before.version, act)


def set_target(session: Session, sent: Document, act: Act) -> None:
    """Agree a target for its scope. Raises AlreadyThere or InvalidTarget."""
    _refuse_second(session, Target, sent["id"])
    _write_target(session, sent, None, act)


def revise_target(session: Session, sent: Document, act: Act) -> None:
    """Make this the target's current version: changed, met, missed, lapsed or superseded. Raises InvalidTarget."""
    before = _current(session, Target, sent["id"])
    _write_target(session, sent, before.version, act)


def _write_programme(session: Session, sent: Document, owner: str, before: str | None, act: Act) -> None:
    document = _completed(sent, before, act) | {"owner": sent.get("owner") or owner}
    for name in ("aims", "settings", "drivers", "change_ideas", "principles"):
        document[name] = [_labelled(entry, document["source"]) for entry in document.get(name, ())]
    for driver in document["drivers"]:
        driver["secondary"] = [_labelled(entry, document["source"]) for entry in driver.get("secondary", ())]
    found = programmes.problems(as_written(document), _names(session, Measure))
    found = [
        (pointer_as_sent(pointer), message) for pointer, message in found if (pointer, message) not in OPTIONAL_LOCALLY
    ]
    found += _order(document, before)
    _refuse(InvalidProgramme, found)
    version = entries.Version(document["id"], document["version"], document, owner, document["status"])
    entries.write(session, Programme, [version], act)


def _write_target(session: Session, sent: Document, before: str | None, act: Act) -> None:
    document = _completed(sent, before, act)
    found = targets.problems(
        document,
        measures=_names(session, Measure),
        organisations=_registered(session, document.get("scope")),
        targets={*_names(session, Target), document["id"]},
    )
    if document.get("programme") and document["programme"] not in _names(session, Programme):
        found.append(("/programme", f"{document['programme']!r} is not a programme"))
    found += _order(document, before)
    _refuse(InvalidTarget, found)
    version = entries.Version(document["id"], document["version"], document, document["scope"], document["status"])
    entries.write(session, Target, [version], act)


def _completed(sent: Document, before: str | None, act: Act) -> dict[str, Any]:
    """What was sent with what goes without saying: the next version, that it is active, and who said so."""
    given = {key: value for key, value in sent.items() if value is not None}
    return {
        "version": versions.after(before),
        "status": "active",
        "source": f"registered by {act.who}",
        "unverified": False,
        **given,
    }


def _labelled(entry: Document, source: str) -> dict[str, Any]:
    return {"source": source, "unverified": False, **entry}


def _order(document: Document, before: str | None) -> Iterable[tuple[str, str]]:
    later = versions.is_later(document["version"], before)
    return [] if later else [("/version", f"{before} is current: give a later version, or none")]


def _refuse(problem: type[Problem], found: list[tuple[str, str]]) -> None:
    if found:
        raise problem(
            "; ".join(f"{pointer}: {message}" for pointer, message in found[:3]),
            errors=[{"pointer": pointer, "message": message} for pointer, message in found],
        )


def _refuse_second(session: Session, table: type[Entry], name: str) -> None:
    if session.scalars(select(table.id).where(table.name == name)).first() is not None:
        raise AlreadyThere(f"there is a {table.__tablename__} {name!r} already: change it, or choose another id")


def _current(session: Session, table: type[Entry], name: str) -> Entry:
    return session.scalars(select(table).where(table.known(None), table.name == name)).one()


def _names(session: Session, table: type[Entry]) -> set[str]:
    return set(session.scalars(select(table.name).where(table.known(None))))


def _registered(session: Session, code: object) -> set[str]:
    query = select(Organisation.code).where(Organisation.known(None), Organisation.code == str(code))
    return set(session.scalars(query))

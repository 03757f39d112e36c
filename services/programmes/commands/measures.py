"""Measures are drafted by some and published by somebody else; what was published never changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.programmes.commands import entries
from services.programmes.commands.audit import Act, Line, record
from services.programmes.footprint import Footprint
from services.programmes.models import Draft, Feed, Measure, Programme
from services.programmes.problems import (
    AlreadyThere,
    InvalidDefinition,
    NoDraft,
    SecondPersonNeeded,
    UnknownMeasure,
)
from services.programmes.rules import conditions, definitions, examples, versions

KIND = Draft.__tablename__


@dataclass(frozen=True, slots=True)
class Proposal:
    """A definition somebody would like to see published, and the organisation whose programme it is for."""

    definition: Mapping[str, Any]
    owner: str

    @property
    def measure(self) -> str:
        """The measure's id."""
        return str(self.definition["id"])


def proposal(session: Session, definition: Mapping[str, Any], caller: Footprint) -> Proposal:
    """The definition completed (its version, if it has none) and checked.

    Raises NotYours for the measure of an organisation that the caller does not act for; InvalidDefinition, naming
    every place, for anything that could not be computed, a programme that does not exist, or a version that does not
    follow the published one.
    """
    published = _published(session, str(definition.get("id")))
    whole = {"version": versions.after(published.version if published else None), **definition}
    programme = _programme(session, whole.get("programme"))
    drafted = session.get(Draft, str(whole.get("id")))
    for one in (programme, published, drafted):
        if one is not None:
            caller.demand(one.owner)
    found = definitions.problems(whole, _feeds(session))
    if programme is None and whole.get("programme"):
        found.append(("/programme", f"{whole['programme']!r} is not a programme: register it first"))
    if not found and published is not None and not versions.is_later(whole["version"], published.version):
        found.append(("/version", f"{published.version} is published: give a later version"))
    _refuse(found)
    return Proposal(whole, programme.owner if programme is not None else "")


def _refuse(found: Sequence[conditions.Problem]) -> None:
    if found:
        raise InvalidDefinition(
            "; ".join(f"{pointer}: {message}" for pointer, message in found[:3]),
            errors=[{"pointer": pointer, "message": message} for pointer, message in found],
        )


def draft_measure(session: Session, proposed: Proposal, act: Act) -> Draft:
    """Begin a draft. Raises AlreadyThere when somebody is working on one."""
    if session.get(Draft, proposed.measure) is not None:
        raise AlreadyThere(
            f"a draft of {proposed.measure} is being worked on: change /v1/measures/{proposed.measure}/draft"
        )
    return _keep(session, None, proposed, act)


def redraft_measure(session: Session, proposed: Proposal, act: Act) -> Draft:
    """Change the draft, or begin one."""
    return _keep(session, session.get(Draft, proposed.measure), proposed, act)


def discard_draft(session: Session, measure: str, caller: Footprint, act: Act) -> None:
    """Throw the draft away. Raises NoDraft."""
    draft = held_draft(session, measure, caller)
    record(session, act, [Line("discarded", KIND, measure, draft.owner, draft.document, None)])
    session.delete(draft)


def publish_measure(session: Session, measure: str, caller: Footprint, act: Act) -> None:
    """Publish the draft as the live version; whoever worked on it cannot be who publishes it.

    Raises NoDraft, SecondPersonNeeded, and InvalidDefinition for what has become wrong since it was drafted, for rows
    that are counted without an example, and for examples that do not give the figures they expect.
    """
    draft = held_draft(session, measure, caller)
    proposed = proposal(session, draft.document, caller)
    _refuse(examples.problems(proposed.definition, _feeds(session)))
    if act.who in draft.authors:
        raise SecondPersonNeeded("you wrote this definition: somebody else must check and publish it")
    version = entries.Version(
        measure,
        proposed.definition["version"],
        proposed.definition,
        owner=proposed.owner,
        author=", ".join(draft.authors),
        checker=act.who,
    )
    session.delete(draft)
    entries.write(session, Measure, [version], act)


def retire_measure(session: Session, measure: str, caller: Footprint, act: Act) -> None:
    """Retire a measure: its figures stay, no more are made. Raises UnknownMeasure when it is not live, or NotYours."""
    live = _published(session, measure)
    if live is None or live.status == "retired":
        raise UnknownMeasure(f"there is no live measure {measure!r} to retire")
    caller.demand(live.owner)
    retired = entries.Version(live.name, live.version, live.document, live.owner, "retired", live.author, live.checker)
    entries.write(session, Measure, [retired], act)


def held_draft(session: Session, measure: str, caller: Footprint) -> Draft:
    """The draft, to be changed. Raises NoDraft, also for one that the caller may not see."""
    draft = session.get(Draft, measure)
    if draft is None or not caller.holds(draft.owner):
        raise NoDraft
    return draft


def _keep(session: Session, draft: Draft | None, proposed: Proposal, act: Act) -> Draft:
    before = None if draft is None else draft.document
    if draft is None:
        draft = Draft(measure=proposed.measure, authors=[], revision=0)
        session.add(draft)
    draft.document = dict(proposed.definition)
    draft.owner = proposed.owner
    draft.authors = [*draft.authors, *([] if act.who in draft.authors else [act.who])]
    draft.revision += 1
    draft.changed_at = act.at
    record(session, act, [Line("drafted", KIND, proposed.measure, proposed.owner, before, draft.document)])
    return draft


def _published(session: Session, measure: str) -> Measure | None:
    return session.scalars(select(Measure).where(Measure.known(None), Measure.name == measure)).one_or_none()


def _programme(session: Session, name: object) -> Programme | None:
    query = select(Programme).where(Programme.known(None), Programme.name == str(name))
    return session.scalars(query).one_or_none()


def _feeds(session: Session) -> dict[str, Mapping[str, Any]]:
    return {feed.name: feed.document for feed in session.scalars(select(Feed).where(Feed.known(None)))}

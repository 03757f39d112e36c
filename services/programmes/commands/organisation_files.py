"""Loading a published file of organisations: first the difference it would make, then - if wanted - the change."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from services.programmes.commands import organisations
from services.programmes.commands.audit import Act
from services.programmes.hierarchy import read
from services.programmes.problems import InvalidOrganisation
from services.programmes.rules import statements
from services.programmes.rules.organisation_files import File
from services.programmes.rules.organisations import Organisation, Organisations, problems
from services.programmes.rules.statements import Statement

OPERATOR = "operator"
"""Under this name what is loaded from a terminal stands in the audit."""
MANY = 1000


class Changed(msgspec.Struct, frozen=True):
    """One facet of one organisation: what it is, and what the file makes of it."""

    code: str
    name: str
    facet: str
    before: Any
    after: Any


class Kept(msgspec.Struct, frozen=True):
    """A facet that is kept by hand, against what the file says; and why."""

    code: str
    name: str
    facet: str
    ours: Any
    theirs: Any
    reason: str


class Difference(msgspec.Struct, frozen=True):
    """What a file would change, or changed: states that are new, facets that differ, and what stays as it is.

    `closed` are those of `changed` that close. `left_out` counts what the file says and could not be taken up, by why.
    """

    file: str
    sha256: str
    layout: str
    added: tuple[Organisation, ...]
    changed: tuple[Changed, ...]
    closed: tuple[Changed, ...]
    kept: tuple[Kept, ...]
    left_out: Mapping[str, int]
    unchanged: int

    @property
    def empty(self) -> bool:
        """Whether there is nothing to apply."""
        return not self.added and not self.changed


def load_organisations(session: Session, file: File, *, on: date, now: datetime, apply: bool) -> Difference:
    """The difference between the registry and a file that tells how things are on a day; applied, if wanted.

    What the file does not speak of stays, and so does every facet kept by hand. Loading the same file again changes
    nothing. Raises InvalidOrganisation, naming the rows, when the registry would contradict itself.
    """
    organisations.one_at_a_time(session)
    held = {one.code: one for one in read(session, whole=True)}
    around = Organisations([*held.values(), *_newcomers(file, Organisations(held.values()))])
    said, states = {}, {}
    kept: list[Kept] = []
    left: Counter[str] = Counter()
    for statement in file.statements:
        code = _code(statement, around)
        before = held.get(code)
        stated = msgspec.structs.replace(statement, code=code)
        after, lost = statements.brought(before, stated, around, on=on, source=f"{file.layout}: {file.name}")
        left.update(lost)
        if after is None:
            continue
        said[code] = statement
        if before is not None:
            theirs, (after, names) = after, statements.kept(before, after)
            kept += _kept(before, theirs, names)
        if before is None or statements.changed(before, after):
            states[code] = after
    _demand_sense(held, states, said)
    if apply:
        organisations.write(session, list(states.values()), Act(OPERATOR, now, f"{file.name} sha256:{file.sha256}"))
        if len(states) > MANY:
            # Reads would be planned for the few there were until the database looks again by itself.
            session.execute(text("analyze organisation, edge"))
    changed = [one for code, after in states.items() if code in held for one in _changed(held[code], after)]
    return Difference(
        file=file.name,
        sha256=file.sha256,
        layout=file.layout,
        added=tuple(one for code, one in states.items() if code not in held),
        changed=tuple(changed),
        closed=tuple(one for one in changed if one.facet == "closed" and one.before is None),
        kept=tuple(kept),
        left_out=dict(left.most_common()),
        unchanged=len(said) - len(states),
    )


def _code(statement: Statement, around: Organisations) -> str:
    """The code of whom a statement is about: that of the organisation that has one of its identifiers, if any."""
    names = (statement.code, *statement.identifiers.values())
    return next((code for name in names if (code := around.code_of(name)) is not None), statement.code)


def _newcomers(file: File, held: Organisations) -> Iterator[Organisation]:
    """Those the file would register, so that others in it can lie within them; where they lie is said later."""
    for one in file.statements:
        if one.kind is not None and _code(one, held) not in held.by_code:
            yield Organisation(code=one.code, name=one.code, kind=one.kind, opened=one.opened, closed=one.closed,
                               identifiers=one.identifiers)  # fmt: skip


def _changed(before: Organisation, after: Organisation) -> Iterator[Changed]:
    for name in statements.changed(before, after):
        yield Changed(before.code, before.name, name, statements.facet(before, name), statements.facet(after, name))


def _kept(before: Organisation, theirs: Organisation, names: tuple[str, ...]) -> Iterator[Kept]:
    for name in names:
        ours, other = statements.facet(before, name), statements.facet(theirs, name)
        yield Kept(before.code, before.name, name, ours, other, before.overrides[name].reason)


def _demand_sense(
    held: Mapping[str, Organisation], states: Mapping[str, Organisation], said: Mapping[str, Statement]
) -> None:
    if not states:
        return
    errors = [
        {"pointer": f"/{said[code].row}", "message": f"row {said[code].row}, {code}: {message}"}
        for code, message in problems({**held, **states}.values())
        if code in states
    ]
    if errors:
        raise InvalidOrganisation("; ".join(error["message"] for error in errors[:10]), errors=errors)

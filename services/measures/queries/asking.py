"""What every read of many organisations is asked and says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.measures.queries import organisations
from services.measures.queries.moment import Moment, Stand, begin
from services.measures.queries.organisations import Basis, Place, Sight
from services.measures.rules.definitions import Definition
from services.measures.rules.disclosure import Policy, policy
from shared.principal import Principal


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, as known when, and with whose members."""

    caller: Principal
    known_at: datetime | None = None
    basis: Basis = "as_was"

    def begin(self, session: Session) -> tuple[Moment, Stand]:
        """The moment it is asked as of, and what its answer stands on."""
        return begin(session, self.known_at)


def places_asked(
    session: Session, asked: Asked, when: Moment, *, organisation: str | None, within: str | None
) -> Sequence[Place]:
    """The organisation asked for, or all that lie within one, itself first."""
    if organisation is not None:
        return [organisations.place(session, organisation, when)]
    whole = organisations.place(session, within or organisations.ENGLAND, when)
    return when.found(("asked", whole, asked.basis), lambda: _with_members(session, whole, asked.basis, when))


def _with_members(session: Session, whole: Place, basis: Basis, when: Moment) -> list[Place]:
    inside = organisations.members(session, whole, basis=basis, when=when)
    return [whole, *organisations.places(session, codes={one.code for one in inside}, when=when)]


def rules_for(sight: Sight, definition: Definition, place: Place) -> Policy | None:
    """The policy of disclosure for this measure here, None where the caller sees exact figures."""
    rules = policy(definition.disclosure)
    return None if rules.exact or sight.exact(place.code) else rules


def stated(stand: Stand, asked: Asked, rules: Sequence[Policy | None]) -> Mapping[str, Any]:
    """What the answer stands on: data version and instant, members, and the policies that were applied."""
    return {
        "as_of": stand.as_of,
        "data_version": stand.data_version,
        "known_at": asked.known_at,
        "org_basis": asked.basis,
        "disclosure": ", ".join(sorted({one.name for one in rules if one is not None})) or None,
    }

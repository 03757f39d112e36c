"""What a caller may be told: by its scopes, the organisations it acts for, its audience, and what it asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.live.kinds import BY_NAME, CELLS, SIGNAL, SUBMISSION
from gateway.live.noted import Noted
from gateway.live.places import Places
from shared.principal import Principal


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asked to be told of: events by name, organisations with all within them, measures. Empty: all."""

    events: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    measures: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class View:
    """How much of an event a caller sees: nothing, what everybody sees, or also what is for those it concerns."""

    visible: bool
    inside: bool = False


HIDDEN, PLAIN, WHOLE = View(False), View(True), View(True, True)


def view(one: Noted, principal: Principal, wanted: Wanted, places: Places, today: date) -> View:
    """How much of the event this caller sees."""
    if not _asked_for(one, wanted, places, today) or not principal.may(BY_NAME[one.name].scope):
        return HIDDEN
    inside = _acts_for(principal, one, places, today)
    if not MAY_SEE[one.name](one, principal, inside):
        return HIDDEN
    return WHOLE if inside and principal.may("submissions:read") else PLAIN


def _asked_for(one: Noted, wanted: Wanted, places: Places, today: date) -> bool:
    if wanted.events and one.name not in wanted.events:
        return False
    if wanted.measures and wanted.measures.isdisjoint(one.measures):
        return False
    return not wanted.organisations or not places.within(wanted.organisations, today).isdisjoint(one.organisations)


def _acts_for(principal: Principal, one: Noted, places: Places, today: date) -> bool:
    """Whether the caller acts for every organisation the event is about; what is about none is nobody's."""
    if principal.for_everyone:
        return True
    return bool(one.organisations) and places.within(principal.organisations, today).issuperset(one.organisations)


def _own_submission(one: Noted, principal: Principal, inside: bool) -> bool:
    """As for a receipt: who sent it, and who acts for all that it is about."""
    return inside or one.client_id == principal.client_id


def _anything(one: Noted, principal: Principal, inside: bool) -> bool:
    """That figures were computed anew is no secret: those that stayed as they were are named too, and none is told."""
    return True


def _signal(one: Noted, principal: Principal, inside: bool) -> bool:
    """As in the list of signals: of charts with small numbers only to those who see them exactly."""
    exact = principal.audience == "national" or (principal.audience == "member" and inside)
    return exact or not one.small


MAY_SEE: Final[Mapping[str, Callable[[Noted, Principal, bool], bool]]] = {
    SUBMISSION: _own_submission,
    CELLS: _anything,
    SIGNAL: _signal,
}

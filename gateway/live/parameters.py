"""What callers name events, organisations and measures by, and the refusal of names that mean nothing."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import StringConstraints

from gateway.live.kinds import BY_NAME, NAMES
from gateway.live.places import Places
from gateway.live.problems import UnknownOrganisation
from shared.principal import Principal
from shared.problems import Forbidden

EventName = Literal["submission.completed", "cells.changed", "signal.detected"]
OrganisationCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,19}$", to_upper=True)]
MeasureId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,59}$", to_lower=True)]


def check_scopes(caller: Principal, events: Iterable[str]) -> None:
    """Refuse an event that the caller may never see, or a caller who may see none. Raises Forbidden."""
    for name in events:
        if not caller.may(BY_NAME[name].scope):
            raise Forbidden(f"{name} needs the scope {BY_NAME[name].scope}")
    if not any(caller.may(BY_NAME[name].scope) for name in NAMES):
        raise Forbidden("this needs the scope measures:read or submissions:read")


def check_places(places: Places, codes: Iterable[str]) -> None:
    """Refuse an organisation there is not: it would be waited for in vain. Raises UnknownOrganisation."""
    for code in codes:
        if not places.knows(code):
            raise UnknownOrganisation(f"no organisation has the code {code}")

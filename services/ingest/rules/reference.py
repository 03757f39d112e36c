"""What ingest knows of organisations and measures when it checks rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from shared.contracts.periods import Period

LONG_AGO = date(1948, 7, 4)  # the day before the NHS


RECENTLY = "organisation-closed-recently"
"""The fault that is no more than a warning: an organisation in its days of grace."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation: its code, when it opened and closed (the last day it existed), and who took over."""

    code: str
    opened: date | None = None
    closed: date | None = None
    successors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """The organisations by code and by every other identifier (upper case), and the measures by id (lower case).

    A measure is `{"proportion": bool}` and may have a `period`, the grain of its figures.
    """

    organisations: Mapping[str, Organisation]
    measures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def all_closed(self) -> "Reference":
        """The same, had every organisation closed long ago."""
        closed = {name: replace(one, opened=None, closed=LONG_AGO) for name, one in self.organisations.items()}
        return replace(self, organisations=closed)


def standing(one: Organisation, period: Period, *, grace_days: int) -> tuple[str, str]:
    """The fault code and hint for an organisation in a period; two empty strings where it was open in it."""
    if one.opened is not None and one.opened > period.end:
        return "organisation-not-open", f"{one.code} opened on {one.opened.isoformat()}"
    if one.closed is None or one.closed >= period.start:
        return "", ""
    hint = f"{one.code} closed on {one.closed.isoformat()}"
    if one.successors:
        hint += f"; its work passed to {', '.join(one.successors)}"
    if period.start <= one.closed + timedelta(days=grace_days):
        return RECENTLY, hint
    return "organisation-closed", hint

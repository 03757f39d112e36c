"""When returns may be sent, when they are due, and how an organisation stands for a period.

A day is a day in England, from midnight to midnight on the clock of London; a due day is over when it ends. A window
says when a feed's returns open and are due, in one of three ways (counted from the end of the period):
- `provisional_after_months = 1, final_after_months = 2`: due on the last day of that later month, and final likewise;
- `due_after_days = 3`: due that many days later, or on the next working day;
- `opens_on_day = 8, due_on_day = 14`: from and to those days of the next month, or to the next working day.
A feed with none of these is never due.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from services.ingest.rules.reference import Organisation
from shared.contracts.periods import Period

Status = Literal["due", "received", "late", "missing", "nil", "exempt"]
STATUSES: tuple[Status, ...] = ("due", "received", "late", "missing", "nil", "exempt")
_LONDON = ZoneInfo("Europe/London")
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Window:
    """The window of a feed, as its spec has it. `expected` is the kind of organisation that must send it, if any."""

    opens_after_days: int = 1
    provisional_after_months: int | None = None
    final_after_months: int | None = None
    due_after_days: int | None = None
    opens_on_day: int | None = None
    due_on_day: int | None = None
    expected: str | None = None

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Self:
        """The window in a feed's spec; without one nothing is ever due."""
        given = spec.get("window", {})
        return cls(**{name: given[name] for name in cls.__slots__ if name in given})


@dataclass(frozen=True, slots=True)
class Days:
    """The days that matter for a period: the first on which it may be sent, and the last for it to be in time."""

    opens: date
    due: date | None
    final_due: date | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is held of a return: when it first came (versions withdrawn since left out), and its current version."""

    first_received: datetime
    kind: str
    version: int
    status: str


def days(period: Period, window: Window, bank_holidays: Collection[date]) -> Days:
    """When returns for the period open and are due."""
    opens = period.end + timedelta(days=window.opens_after_days)
    if window.opens_on_day is not None:
        opens = _in_next_month(period.end, window.opens_on_day)
    due = _due(period.end, window, bank_holidays)
    months = window.final_after_months
    return Days(opens, due, due if months is None else _last_of_month(period.end, months))


def _due(end: date, window: Window, bank_holidays: Collection[date]) -> date | None:
    if window.provisional_after_months is not None:
        return _last_of_month(end, window.provisional_after_months)
    if window.due_after_days is not None:
        return working_day(end + timedelta(days=window.due_after_days), bank_holidays)
    if window.due_on_day is not None:
        return working_day(_in_next_month(end, window.due_on_day), bank_holidays)
    return None


def working_day(day: date, bank_holidays: Collection[date]) -> date:
    """The day itself, or the next that is neither at a weekend nor a bank holiday."""
    while day.weekday() >= _SATURDAY or day in bank_holidays:
        day += timedelta(days=1)
    return day


def status(
    period: Period, of: Days, *, organisation: Organisation | None, standing: Standing | None, today: date
) -> Status:
    """How an organisation stands for a period: it has sent in time (`received`), `late` or a `nil` return, or it has
    not: then it is `due` to the end of the due day (for ever where there is none) and `missing` from then on. One that
    did not exist in the period is `exempt`, unless it sent something all the same."""
    if standing is not None:
        if of.due is not None and london_day(standing.first_received) > of.due:
            return "late"
        return "nil" if standing.kind == "nil" else "received"
    if organisation is not None and not _existed(organisation, period):
        return "exempt"
    return "due" if of.due is None or today <= of.due else "missing"


def days_late(of: Days, standing: Standing | None, *, today: date) -> int:
    """How many days after the due day the return came, or has not come yet; 0 where it is not late."""
    if of.due is None:
        return 0
    came = today if standing is None else london_day(standing.first_received)
    return max(0, (came - of.due).days)


def london_day(instant: datetime) -> date:
    """The day in England in which an instant falls."""
    return instant.astimezone(_LONDON).date()


def _existed(one: Organisation, period: Period) -> bool:
    return (one.opened is None or one.opened <= period.end) and (one.closed is None or one.closed >= period.start)


def _last_of_month(day: date, months: int) -> date:
    """The last day of the month that many months after the day's."""
    number = day.year * 12 + day.month + months
    return date(number // 12, number % 12 + 1, 1) - timedelta(days=1)


def _in_next_month(day: date, number: int) -> date:
    return _last_of_month(day, 0) + timedelta(days=number)

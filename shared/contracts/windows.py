"""When the returns of a feed may be sent and are due.

A day is a day in England, from midnight to midnight on the clock of London; a due day is over when it ends. A window
says when a feed's returns open and are due, in one of three ways (counted from the end of the period):
- `provisional_after_months = 1, final_after_months = 2`: due on the last day of that later month, and final likewise;
- `due_after_days = 3`: due that many days later, or on the next working day;
- `opens_on_day = 8, due_on_day = 14`: from and to those days of the next month, or to the next working day.
A feed with none of these is never due. The bank holidays of England are from the library `holidays`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Self
from zoneinfo import ZoneInfo

import holidays

from shared.contracts.periods import Period

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


@lru_cache(maxsize=64)
def bank_holidays(year: int) -> frozenset[date]:
    """The bank holidays of England in a year."""
    return frozenset(holidays.country_holidays("GB", subdiv="ENG", years=year))


def days(period: Period, window: Window) -> Days:
    """When returns for the period open and are due."""
    opens = period.end + timedelta(days=window.opens_after_days)
    if window.opens_on_day is not None:
        opens = _in_next_month(period.end, window.opens_on_day)
    due = _due(period.end, window)
    months = window.final_after_months
    return Days(opens, due, due if months is None else _last_of_month(period.end, months))


def _due(end: date, window: Window) -> date | None:
    if window.provisional_after_months is not None:
        return _last_of_month(end, window.provisional_after_months)
    if window.due_after_days is not None:
        return working_day(end + timedelta(days=window.due_after_days))
    if window.due_on_day is not None:
        return working_day(_in_next_month(end, window.due_on_day))
    return None


def working_day(day: date) -> date:
    """The day itself, or the next that is neither at a weekend nor a bank holiday."""
    while day.weekday() >= _SATURDAY or day in bank_holidays(day.year):
        day += timedelta(days=1)
    return day


def london_day(instant: datetime) -> date:
    """The day in England in which an instant falls."""
    return instant.astimezone(_LONDON).date()


def _last_of_month(day: date, months: int) -> date:
    """The last day of the month that many months after the day's."""
    number = day.year * 12 + day.month + months
    return date(number // 12, number % 12 + 1, 1) - timedelta(days=1)


def _in_next_month(day: date, number: int) -> date:
    return _last_of_month(day, 0) + timedelta(days=number)

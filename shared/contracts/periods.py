"""Periods as the public contract writes them: a day, an ISO week, a month, a quarter, a year, a financial year."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, final

Grain = Literal["day", "week", "month", "quarter", "year", "financial_year"]
GRAINS: tuple[Grain, ...] = ("day", "week", "month", "quarter", "year", "financial_year")
EXAMPLES: dict[Grain, str] = {
    "day": "2026-10-05",
    "week": "2026-W41",
    "month": "2026-10",
    "quarter": "2026-Q3",
    "year": "2026",
    "financial_year": "2026-27",
}
_SHAPE = re.compile(
    r"(?P<y>[12]\d{3})"
    r"(?:-(?:W(?P<week>[0-5]\d)|Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])(?:-(?P<day>[0-3]\d))?|(?P<fy>\d\d)))?",
    re.ASCII,
)


@final
@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A stretch of days, `start` to `end` inclusive, written `text`. Periods order by start, then end.

    `2000-01` to `2011-12` (and those of 1900) read as months: a month is by far the commoner meaning.
    """

    start: date
    end: date
    grain: Grain
    text: str

    @staticmethod
    @lru_cache(maxsize=20_000)  # the same few hundred periods are read millions of times
    def parse(text: str) -> "Period":
        """Read a period as the contract writes it. Raises ValueError, naming the forms, for anything else."""
        found = _SHAPE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a period: write it like {', '.join(EXAMPLES.values())}")
        year = int(found["y"])
        try:
            if found["day"]:
                return Period.of(date(year, int(found["month"]), int(found["day"])), "day")
            if found["month"]:
                return Period.of(date(year, int(found["month"]), 1), "month")
            if found["week"]:
                return Period.of(date.fromisocalendar(year, int(found["week"]), 1), "week")
            if found["quarter"]:
                return Period.of(date(year, 3 * int(found["quarter"]) - 2, 1), "quarter")
            if found["fy"]:
                if (year + 1) % 100 != int(found["fy"]):
                    raise ValueError("a financial year ends in the next year")
                return Period.of(date(year, 4, 1), "financial_year")
        except ValueError as reason:
            raise ValueError(f"{text!r} is not a period: {reason}") from None
        return Period.of(date(year, 1, 1), "year")

    @staticmethod
    @lru_cache(maxsize=20_000)
    def of(day: date, grain: Grain) -> "Period":
        """The period of that grain that holds the day."""
        if grain == "day":
            return Period(day, day, grain, day.isoformat())
        if grain == "week":
            year, week, weekday = day.isocalendar()
            monday = day - timedelta(days=weekday - 1)
            return Period(monday, monday + timedelta(days=6), grain, f"{year}-W{week:02d}")
        if grain == "month":
            first = day.replace(day=1)
            return Period(first, _months_after(first, 1) - timedelta(days=1), grain, f"{day:%Y-%m}")
        if grain == "quarter":
            first = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
            written = f"{day.year}-Q{(day.month + 2) // 3}"
            return Period(first, _months_after(first, 3) - timedelta(days=1), grain, written)
        if grain == "year":
            return Period(date(day.year, 1, 1), date(day.year, 12, 31), grain, str(day.year))
        first = date(day.year if day.month >= 4 else day.year - 1, 4, 1)
        return Period(first, date(first.year + 1, 3, 31), grain, f"{first.year}-{(first.year + 1) % 100:02d}")

    def next(self) -> "Period":
        """The period of the same grain that begins the day after this one ends."""
        return self.of(self.end + timedelta(days=1), self.grain)

    def previous(self) -> "Period":
        """The period of the same grain that ends the day before this one begins."""
        return self.of(self.start - timedelta(days=1), self.grain)

    def until(self, last: "Period") -> Iterator["Period"]:
        """This period and those that follow, up to and including `last` (none if it lies before)."""
        one = self
        while one.start <= last.start:
            yield one
            one = one.next()

    def holds(self, day: date) -> bool:
        """Whether the day lies in the period."""
        return self.start <= day <= self.end

    def __str__(self) -> str:
        return self.text


def _months_after(first: date, months: int) -> date:
    month = first.month - 1 + months
    return date(first.year + month // 12, month % 12 + 1, 1)

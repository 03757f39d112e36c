"""The stretch of time that the demonstration covers, and where its chance comes from."""

import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np

from shared.contracts.periods import Period

MONTHS = 36
WEEKS = 104
SEED = 20_260_901
FINAL_DAYS = 62
"""Days after the end of a month from which its return is final."""
EXTRACT_DAYS = 40


@dataclass(frozen=True, slots=True)
class Span:
    """The months and weeks before a day, `until`; the newest of each are the last that were over by then."""

    until: date
    months: tuple[Period, ...]
    weeks: tuple[Period, ...]

    @classmethod
    def before(cls, until: date) -> Self:
        """The demonstration's span as seen on a day."""
        months, weeks = [Period.of(until, "month").previous()], [Period.of(until, "week").previous()]
        while len(months) < MONTHS:
            months.insert(0, months[0].previous())
        while len(weeks) < WEEKS:
            weeks.insert(0, weeks[0].previous())
        return cls(until, tuple(months), tuple(weeks))

    def month(self, back: int) -> Period:
        """The month that many before the newest."""
        return self.months[-1 - back]

    def week(self, back: int) -> Period:
        """The week that many before the newest."""
        return self.weeks[-1 - back]

    def extracted(self, period: Period) -> date:
        """The day on which the rows of a period were taken from the system they were kept in."""
        return min(period.end + timedelta(days=EXTRACT_DAYS), self.until)

    def is_final(self, period: Period) -> bool:
        """Whether the period's return can change no more."""
        return period.end + timedelta(days=FINAL_DAYS) <= self.until


def chance(*names: str) -> np.random.Generator:
    """A generator of its own for whatever is named, the same every time."""
    return np.random.default_rng([SEED, *(zlib.crc32(name.encode()) for name in names)])

"""When a read is as of: what was known then, and which day it was."""

from dataclasses import dataclass
from datetime import date, datetime

from shared.contracts.windows import london_day
from shared.db import now


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant in the past, or now (`at` is None)."""

    at: datetime | None = None

    @property
    def today(self) -> date:
        """The day in England."""
        return london_day(self.at or now())


NOW = Moment()


def recorded(row: str, at: str = ":at") -> str:
    """The condition, in SQL, on what the registry said (the row of that name) for what was known at the instant that
    the parameter holds; null is now."""
    return (
        f"{row}.recorded_at <= coalesce(cast({at} as timestamptz), 'infinity') "
        f"and ({row}.superseded_at is null or {row}.superseded_at > cast({at} as timestamptz))"
    )

"""How a return that has not come stands, on either side of every boundary."""

from datetime import date

import pytest

from services.measures.rules.lateness import absent
from shared.contracts.periods import Period
from shared.contracts.windows import Window

MSDS = Window(provisional_after_months=1, final_after_months=2)
WEEKLY = Window(due_after_days=3)


@pytest.mark.parametrize(
    ("window", "period", "today", "state"),
    [
        (MSDS, "2026-10", "2026-10-31", "awaited"),
        (MSDS, "2026-10", "2026-11-30", "awaited"),
        (MSDS, "2026-10", "2026-12-01", "late"),
        (MSDS, "2026-10", "2026-12-31", "late"),
        (MSDS, "2026-10", "2027-01-01", "missing"),
        (WEEKLY, "2026-W41", "2026-10-14", "awaited"),
        (WEEKLY, "2026-W41", "2026-10-15", "missing"),
        (Window(), "2026-10", "2026-10-31", "awaited"),
        (Window(), "2026-10", "2026-11-01", "missing"),
    ],
)
def test_a_return_that_has_not_come(window: Window, period: str, today: str, state: str) -> None:
    assert absent(Period.parse(period), window, today=date.fromisoformat(today)) == state

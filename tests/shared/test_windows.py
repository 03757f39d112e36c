"""When returns open and are due: every boundary."""

from datetime import UTC, date, datetime

import pytest

from shared.contracts.periods import Period
from shared.contracts.windows import Days, Window, days, london_day, working_day

MSDS = Window(opens_after_days=1, provisional_after_months=1, final_after_months=2)
TRACKER = Window(opens_on_day=8, due_on_day=14)
WEEKLY = Window(opens_after_days=1, due_after_days=3)


@pytest.mark.parametrize(
    ("window", "period", "opens", "due", "final_due"),
    [
        (MSDS, "2026-10", "2026-11-01", "2026-11-30", "2026-12-31"),
        (MSDS, "2026-11", "2026-12-01", "2026-12-31", "2027-01-31"),
        (MSDS, "2026-12", "2027-01-01", "2027-01-31", "2027-02-28"),
        (MSDS, "2023-12", "2024-01-01", "2024-01-31", "2024-02-29"),
        (MSDS, "2024-01", "2024-02-01", "2024-02-29", "2024-03-31"),
        (MSDS, "2024-02", "2024-03-01", "2024-03-31", "2024-04-30"),
        (TRACKER, "2026-09", "2026-10-08", "2026-10-14", "2026-10-14"),
        (TRACKER, "2026-10", "2026-11-08", "2026-11-16", "2026-11-16"),  # the 14th is a Saturday
        (TRACKER, "2026-12", "2027-01-08", "2027-01-14", "2027-01-14"),
        (TRACKER, "2024-01", "2024-02-08", "2024-02-14", "2024-02-14"),
        (WEEKLY, "2026-W41", "2026-10-12", "2026-10-14", "2026-10-14"),
        (WEEKLY, "2025-W51", "2025-12-22", "2025-12-24", "2025-12-24"),
        (WEEKLY, "2025-W52", "2025-12-29", "2025-12-31", "2025-12-31"),
        (WEEKLY, "2026-W53", "2027-01-04", "2027-01-06", "2027-01-06"),
        (WEEKLY, "2023-W52", "2024-01-01", "2024-01-03", "2024-01-03"),
        (
            Window(due_after_days=5),
            "2026-W13",
            "2026-03-30",
            "2026-04-07",
            "2026-04-07",
        ),  # Good Friday to Easter Monday
        (
            Window(due_after_days=5),
            "2026-W51",
            "2026-12-21",
            "2026-12-29",
            "2026-12-29",
        ),  # Christmas, and its substitute
        (Window(opens_after_days=0), "2026-10", "2026-10-31", None, None),
    ],
)
def test_the_days_of_a_window(window, period, opens, due, final_due):
    read = date.fromisoformat
    expected = Days(read(opens), due and read(due), final_due and read(final_due))

    assert days(Period.parse(period), window) == expected


@pytest.mark.parametrize(
    ("day", "then"),
    [
        ("2026-11-20", "2026-11-20"),
        ("2026-11-21", "2026-11-23"),
        ("2026-11-22", "2026-11-23"),
        ("2026-05-04", "2026-05-05"),
        ("2026-08-29", "2026-09-01"),
        ("2027-12-25", "2027-12-29"),
        ("2028-01-01", "2028-01-04"),
    ],
)
def test_the_next_working_day(day, then):
    assert working_day(date.fromisoformat(day)) == date.fromisoformat(then)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), date(2026, 12, 1)),
        (datetime(2026, 6, 30, 22, 59, 59, tzinfo=UTC), date(2026, 6, 30)),
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), date(2026, 7, 1)),  # midnight in summer time
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 10, 24, 23, 30, tzinfo=UTC), date(2026, 10, 25)),  # the day on which the hour comes twice
        (datetime(2026, 10, 25, 23, 30, tzinfo=UTC), date(2026, 10, 25)),
    ],
)
def test_a_day_is_a_day_in_england(instant, day):
    assert london_day(instant) == day

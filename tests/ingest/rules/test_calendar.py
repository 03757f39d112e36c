"""How an organisation stands for a period: every boundary."""

from datetime import UTC, date, datetime

import pytest

from services.ingest.rules.calendar import Standing, days_late, status
from services.ingest.rules.reference import Organisation
from shared.contracts.periods import Period
from shared.contracts.windows import Window, days

MSDS = Window(opens_after_days=1, provisional_after_months=1, final_after_months=2)
OCTOBER = days(Period.parse("2026-10"), MSDS)
RGT = Organisation("RGT")


def held(*when: int, kind: str = "rows") -> Standing:
    return Standing(datetime(*when, tzinfo=UTC), kind, 1, "provisional")


@pytest.mark.parametrize(
    ("standing", "today", "expected", "late"),
    [
        (None, date(2026, 10, 31), "due", 0),
        (None, date(2026, 11, 30), "due", 0),
        (None, date(2026, 12, 1), "missing", 1),
        (None, date(2027, 1, 1), "missing", 32),
        (held(2026, 11, 1), date(2026, 11, 2), "received", 0),
        (held(2026, 11, 30, 23, 59), date(2027, 5, 1), "received", 0),
        (held(2026, 12, 1), date(2027, 5, 1), "late", 1),
        (held(2026, 11, 1, kind="nil"), date(2026, 11, 2), "nil", 0),
        (held(2026, 12, 31, kind="nil"), date(2027, 1, 2), "nil", 31),
    ],
)
def test_the_status_on_either_side_of_the_due_day(standing, today, expected, late):
    period = Period.parse("2026-10")

    assert status(period, OCTOBER, organisation=RGT, standing=standing, today=today) == expected
    assert days_late(OCTOBER, standing, today=today) == late


def test_what_arrives_before_midnight_in_summer_time_is_in_time_and_after_it_is_late():
    period = Period.parse("2026-05")
    of = days(period, MSDS)
    today = date(2026, 8, 1)

    assert of.due == date(2026, 6, 30)
    assert status(period, of, organisation=RGT, standing=held(2026, 6, 30, 22, 59), today=today) == "received"
    assert status(period, of, organisation=RGT, standing=held(2026, 6, 30, 23, 0), today=today) == "late"


@pytest.mark.parametrize(
    ("organisation", "expected"),
    [
        (Organisation("OLD", closed=date(2026, 9, 30)), "exempt"),
        (Organisation("OLD", closed=date(2026, 10, 1)), "missing"),
        (Organisation("NEW", opened=date(2026, 11, 1)), "exempt"),
        (Organisation("NEW", opened=date(2026, 10, 31)), "missing"),
        (None, "missing"),
    ],
)
def test_an_organisation_that_did_not_exist_in_the_period_is_exempt(organisation, expected):
    period, today = Period.parse("2026-10"), date(2027, 3, 1)

    assert status(period, OCTOBER, organisation=organisation, standing=None, today=today) == expected


def test_an_exempt_organisation_that_sends_all_the_same_has_sent():
    old = Organisation("OLD", closed=date(2026, 9, 30))
    period, today = Period.parse("2026-10"), date(2027, 3, 1)

    assert status(period, OCTOBER, organisation=old, standing=held(2026, 11, 3), today=today) == "received"


def test_a_feed_without_a_window_is_never_missing():
    period = Period.parse("2026-10")
    of = days(period, Window())

    assert status(period, of, organisation=RGT, standing=None, today=date(2036, 1, 1)) == "due"
    assert status(period, of, organisation=RGT, standing=held(2036, 1, 1), today=date(2036, 1, 1)) == "received"

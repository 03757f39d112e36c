"""Periods: each grain tiles the calendar without gap or overlap, and is written in one way."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.periods import EXAMPLES, GRAINS, Grain, Period

days = st.dates(date(1990, 1, 1), date(2120, 12, 31))
grains = st.sampled_from(GRAINS)


@given(days, grains)
def test_next_and_previous_undo_one_another(day: date, grain: Grain) -> None:
    period = Period.of(day, grain)

    assert period.next().previous() == period
    assert period.previous().next() == period


@given(days, grains)
def test_periods_of_a_grain_tile_the_calendar(day: date, grain: Grain) -> None:
    period = Period.of(day, grain)

    assert period.holds(day)
    assert period.holds(period.start)
    assert period.holds(period.end)
    assert period.next().start == period.end + timedelta(days=1)
    assert not period.next().holds(day)
    assert {Period.of(period.start, grain), Period.of(period.end, grain)} == {period}


@given(days, grains)
def test_what_is_written_is_read_again(day: date, grain: Grain) -> None:
    period = Period.of(day, grain)
    read = Period.parse(period.text)

    if grain == "financial_year" and 1 <= (period.start.year + 1) % 100 <= 12:
        assert read.grain == "month"  # 2009-10 reads as October
    else:
        assert read == period
    assert str(period) == period.text


@given(st.one_of(st.text(max_size=12), st.from_regex(r"[12]\d{3}(-[WQ]?\d{1,2}(-\d{2})?)?", fullmatch=True)))
def test_a_period_is_written_in_one_way_only(text: str) -> None:
    try:
        period = Period.parse(text)
    except ValueError:
        return
    assert period.text == text


@given(days, st.integers(0, 30), grains)
def test_until_gives_each_period_once_up_to_the_last(day: date, count: int, grain: Grain) -> None:
    first = last = Period.of(day, grain)
    for _ in range(count):
        last = last.next()

    found = list(first.until(last))

    assert len(found) == count + 1
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (first, last)
    assert list(last.next().until(first)) == []


@given(days)
def test_a_week_is_seven_days_from_a_monday_and_belongs_to_the_year_of_its_thursday(day: date) -> None:
    week = Period.of(day, "week")

    assert week.start.isoweekday() == 1
    assert week.end - week.start == timedelta(days=6)
    assert week.text.startswith(str((week.start + timedelta(days=3)).year))


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2021, 1, 3), "2020-W53"),
        (date(2020, 12, 31), "2020-W53"),
        (date(2024, 12, 30), "2025-W01"),
        (date(2027, 1, 1), "2026-W53"),
        (date(2026, 1, 1), "2026-W01"),
    ],
)
def test_a_week_at_the_turn_of_the_year_has_its_iso_year(day: date, text: str) -> None:
    assert Period.of(day, "week").text == text
    assert Period.parse(text).holds(day)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2023-02", date(2023, 2, 1), date(2023, 2, 28)),
        ("2100-02", date(2100, 2, 1), date(2100, 2, 28)),
        ("2024-02-29", date(2024, 2, 29), date(2024, 2, 29)),
        ("2024-Q1", date(2024, 1, 1), date(2024, 3, 31)),
        ("2024-Q4", date(2024, 10, 1), date(2024, 12, 31)),
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2023-24", date(2023, 4, 1), date(2024, 3, 31)),
        ("1999-00", date(1999, 4, 1), date(2000, 3, 31)),
        ("2012-13", date(2012, 4, 1), date(2013, 3, 31)),
        ("2011-12", date(2011, 12, 1), date(2011, 12, 31)),
    ],
)
def test_a_period_has_the_days_that_people_mean(text: str, start: date, end: date) -> None:
    period = Period.parse(text)

    assert (period.start, period.end) == (start, end)


@pytest.mark.parametrize(
    "text",
    ["2023-02-29", "2021-W53", "2026-W00", "2026-W54", "2026-13", "2026-Q5", "2026-28", "2026-00", "26-10", "2026-1",
     " 2026-10", "2026-10 ", "2026-10\n", "20\u0662\u0666-10", "3026", ""],
)  # fmt: skip
def test_what_the_calendar_does_not_have_is_no_period(text: str) -> None:
    with pytest.raises(ValueError, match="is not a period"):
        Period.parse(text)


def test_the_examples_that_people_are_shown_are_of_their_grain() -> None:
    assert {grain: Period.parse(text).grain for grain, text in EXAMPLES.items()} == {grain: grain for grain in GRAINS}


def test_periods_order_by_time() -> None:
    texts = ["2026-10", "2025", "2026-Q1", "2025-W52", "2026-01-01"]

    assert [one.text for one in sorted(map(Period.parse, texts))] == [
        "2025",
        "2025-W52",
        "2026-01-01",
        "2026-Q1",
        "2026-10",
    ]

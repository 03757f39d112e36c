"""Days that are computed anew: which they are, and that it is no matter how many are computed at a time."""

from datetime import UTC, date, datetime
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from services.measures.commands import computing, verify
from services.measures.commands.stretches import Current, Kind, Stretch, Touched, portions, stretches_of
from shared.contracts.periods import Period
from tests.measures.builders import (
    BIRTHS_FEED,
    COUNTS_FEED,
    a_feed,
    a_measure,
    a_return,
    an_organisation,
    counted,
    some_births,
)
from tests.measures.conftest import Measures

MONTHLY = Kind("month", 1)


def touched(period: str, organisation: str = "RGT") -> Touched:
    return Touched("births", organisation, Period.parse(period), "s1")


def current(period: str, organisation: str = "RGT", *, rows: int = 10) -> Current:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return Current(f"{organisation}/{period}", "births", organisation, Period.parse(period), "rows", "final", at, rows)


@pytest.mark.parametrize(
    ("period", "kind", "days"),
    [
        ("2026-02", MONTHLY, (date(2026, 2, 1), date(2026, 2, 28))),
        ("2026-02", Kind("quarter", 1), (date(2026, 1, 1), date(2026, 3, 31))),
        ("2026-02", Kind("week", 1), (date(2026, 1, 26), date(2026, 3, 1))),
        ("2026-02", Kind("month", 3), (date(2026, 2, 1), date(2026, 4, 30))),
        ("2026-W05", MONTHLY, (date(2026, 1, 1), date(2026, 2, 28))),
    ],
)
def test_the_days_of_a_return_are_widened_to_every_period_that_it_tells_on(
    period: str, kind: Kind, days: tuple[date, date]
) -> None:
    assert stretches_of([touched(period), touched(period)], kind) == [Stretch("RGT", *days)]


def told(some: list[tuple[list[Stretch], list[Current]]]) -> list[list[str]]:
    return [sorted(one.id for one in behind) for _, behind in some]


def test_months_are_computed_a_few_at_a_time_and_each_once() -> None:
    months = ["2026-01", "2026-02", "2026-03"]
    stretches = stretches_of(map(touched, months), MONTHLY)

    found = list(portions(stretches, [current(one) for one in months], MONTHLY, rows=20))

    assert told(found) == [["RGT/2026-01", "RGT/2026-02"], ["RGT/2026-03"]]
    assert [one for some, _ in found for one in some] == stretches


def test_what_must_be_computed_together_is_however_many_rows_it_has() -> None:
    months = ["2026-01", "2026-02", "2026-04"]
    quarterly = Kind("quarter", 1)
    stretches = stretches_of(map(touched, months), quarterly)

    found = list(portions(stretches, [current(one) for one in months], quarterly, rows=5))

    assert told(found) == [["RGT/2026-01", "RGT/2026-02"], ["RGT/2026-04"]]


def test_a_portion_has_the_returns_before_it_over_which_its_figures_roll() -> None:
    rolling = Kind("month", 2)
    stretches = stretches_of([touched("2026-02"), touched("2026-06"), touched("2026-02", "RDE")], rolling)
    returns = [current(f"2026-{month:02}", code) for month in range(1, 8) for code in ("RGT", "RDE")]

    found = list(portions(stretches, returns, rolling, rows=30))

    assert told(found) == [
        ["RDE/2026-01", "RDE/2026-02", "RDE/2026-03"],
        ["RGT/2026-01", "RGT/2026-02", "RGT/2026-03"],
        ["RGT/2026-05", "RGT/2026-06", "RGT/2026-07"],
    ]


MONTHS = st.builds("20{:02}-{:02}".format, st.integers(24, 26), st.integers(1, 12))
KINDS = st.builds(Kind, st.sampled_from(["week", "month", "quarter", "year"]), st.integers(1, 4))


@given(
    returns=st.sets(st.tuples(MONTHS, st.sampled_from(["RGT", "RDE"])), min_size=1, max_size=12),
    kind=KINDS, rows=st.integers(1, 60),
)  # fmt: skip
def test_no_stretch_is_lost_and_each_has_all_the_returns_behind_it(
    returns: set[tuple[str, str]], kind: Kind, rows: int
) -> None:
    stretches = stretches_of([touched(*one) for one in returns], kind)
    every = [current(*one) for one in sorted(returns)]

    found = list(portions(stretches, every, kind, rows=rows))

    assert [one for some, _ in found for one in some] == stretches
    for some, behind in found:
        for days in map(kind.reach, some):
            needed = {one.id for one in every if one.organisation == days.organisation
                      and one.period.start <= days.end and one.period.end >= days.start}  # fmt: skip
            assert needed <= {one.id for one in behind}
    for (some, _), (others, _) in combinations(found, 2):
        assert not any(
            one.organisation == other.organisation and one.start <= other.end and other.start <= one.end
            for one in some for other in others
        )  # fmt: skip


def test_cells_that_are_computed_a_few_at_a_time_are_those_computed_together(
    measures: Measures, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given measures of months, quarters and two months together, of two trusts with rows, ready figures and nothing
    measures.hear(a_feed(BIRTHS_FEED), a_feed(COUNTS_FEED), an_organisation("RGT"), an_organisation("RDE"))
    measures.hear(a_measure(), a_measure("quarterly", period="quarter"), a_measure("rolling", rolling=2, strata=[]))
    months = [f"2026-{month:02}" for month in range(1, 7)]
    births = [
        a_return(some_births(preterm=number, term=20, month=month), period=month, organisation=code)
        for number, month in enumerate(months) for code in ("RGT", "RDE")
    ]  # fmt: skip
    more = [a_return([counted("preterm", 3, 50)], feed="measure-counts", period="2026-08"),
            a_return([], period="2026-07", kind="nil")]  # fmt: skip

    monkeypatch.setattr(computing, "ROWS_TOGETHER", 30)
    measures.hear_together([*births, *more])
    monkeypatch.setattr(computing, "ROWS_TOGETHER", 10**6)

    with measures.database.session() as session:
        assert session.execute(text("select count(*) from cell where known_to is null")).scalar_one() == 30
    with measures.database.session() as session:
        assert verify(session) == []

from itertools import pairwise

import pytest

from services.measures.rules.invalid import InvalidRow
from services.measures.rules.phe_funnel import (
    NOT_APPLICABLE,
    assign_funnel_significance,
    calculate_funnel_limits,
    calculate_funnel_points,
)


def test_a_rate_funnel_narrows_towards_its_baseline() -> None:
    curve = calculate_funnel_limits(
        [20, 30, 400], [1000, 1500, 20000], [2000, 2000, 2000], statistic="rate", multiplier=100_000
    )
    assert curve["baseline"][0] == pytest.approx(2000)
    widths = [high - low for low, high in zip(curve["lower_2s_limit"], curve["upper_2s_limit"], strict=True)]
    assert widths == sorted(widths, reverse=True)


def test_the_horizontal_axis_has_a_hundred_whole_numbers_that_increase() -> None:
    steps = calculate_funnel_limits([3, 4, 50], [10, 12, 90], statistic="proportion")["population"]
    assert len(steps) == 100
    assert all(later >= earlier + 1 for earlier, later in pairwise(steps))


def test_a_standardised_rate_of_fewer_than_ten_events_is_not_judged() -> None:
    verdicts = assign_funnel_significance(
        [9, 40, 400], rates=[900, 400, 4000], statistic="rate", rate_type="dsr", multiplier=100_000
    )
    assert verdicts == [NOT_APPLICABLE, "Low (0.001)", "High (0.001)"]


def test_a_standardised_rate_of_few_events_has_no_place_on_the_funnel() -> None:
    points = calculate_funnel_points([9, 40], rates=[None, 400], rate_type="dsr", multiplier=1000, years_of_data=2)
    assert points == {"rate_chart": [None, 400], "denominator_derived": [None, 50]}


@pytest.mark.parametrize(
    ("numerators", "denominators", "place"),
    [
        ([1, 5], [4, 4], (1, "numerator")),
        ([1, -5], [4, 4], (1, "numerator")),
        ([1, 2], [4, 0], (1, "denominator")),
        ([1, 2], [4], (1, "numerators")),
        ([], [], (None, "numerators")),
    ],
)
def test_wrong_columns_are_refused_by_place(
    numerators: list[float], denominators: list[float | None], place: tuple[int | None, str]
) -> None:
    with pytest.raises(InvalidRow) as refused:
        assign_funnel_significance(numerators, denominators, statistic="proportion")
    assert (refused.value.index, refused.value.field) == place


def test_a_rate_of_no_events_needs_its_denominator() -> None:
    with pytest.raises(InvalidRow) as refused:
        calculate_funnel_limits([0, 20], rates=[0, 30], statistic="rate", multiplier=1000)
    assert (refused.value.index, refused.value.field) == (0, "denominator")

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.indicators import intervals
from services.measures.rules.invalid import InvalidRow
from services.measures.rules.standardisation import ESP2013


def bands(*, events: int, population: int = 1000, weights: tuple[int, ...] = ESP2013) -> list[dict[str, object]]:
    return [{"numerator": events, "denominator": population, "weight": weight} for weight in weights]


@given(events=st.integers(1, 500), weights=st.lists(st.integers(1, 9000), min_size=10, max_size=19))
def test_equal_rates_in_every_band_standardise_to_that_rate(events: int, weights: list[int]) -> None:
    (found,) = intervals("dsr", [{"bands": bands(events=events, weights=tuple(weights))}], multiplier=1000)
    assert found.value == pytest.approx(events)


def test_fewer_than_ten_events_have_no_standardised_rate() -> None:
    nine, ten = ({"bands": bands(events=1, weights=ESP2013[:size])} for size in (9, 10))
    assert [row.value is None for row in intervals("dsr", [nine, ten])] == [True, False]


def test_events_of_the_same_people_widen_the_interval_and_leave_the_rate() -> None:
    alone = [band | {"frequency": 1, "band": place} for place, band in enumerate(bands(events=6))]
    twice = [band | {"frequency": 2, "band": place} for place, band in enumerate(bands(events=3))]
    once, repeated = intervals("dsr", [{"bands": alone}, {"bands": twice}])
    assert repeated.value == pytest.approx(once.value)
    assert repeated.upper is not None
    assert once.upper is not None
    assert repeated.upper > once.upper


def test_a_band_has_one_population_at_every_frequency() -> None:
    first, second = bands(events=3, weights=(5, 5))
    row = {"bands": [first | {"frequency": 1, "band": "0-4"}, second | {"frequency": 2, "band": "0-4", "weight": 6}]}
    with pytest.raises(InvalidRow, match="differs from the same band"):
        intervals("dsr", [row])


def test_the_rates_of_the_reference_population_give_a_ratio_of_one() -> None:
    band = {"numerator": 20, "denominator": 100, "reference_numerator": 200, "reference_denominator": 1000}
    ratio = intervals("is_ratio", [{"bands": [band]}], multiplier=100)[0]
    rate = intervals("is_rate", [{"bands": [band]}], multiplier=1000)[0]
    assert (ratio.value, rate.value) == pytest.approx((100, 200))


def test_a_reference_without_events_gives_no_ratio() -> None:
    band = {"numerator": 20, "denominator": 100, "reference_numerator": 0, "reference_denominator": 1000}
    assert intervals("is_ratio", [{"bands": [band]}])[0].value is None

from collections.abc import Callable
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.inequality import inequality, quantiles
from services.measures.rules.invalid import InvalidRow

MIDDLES = (0.1, 0.3, 0.5, 0.7, 0.9)


def fifths(value: Callable[[float], float], *, spread: float = 0.02) -> list[dict[str, object]]:
    """Five quantiles of equal population whose values follow a curve over position in the population."""
    return [
        {
            "quantile": place + 1,
            "population": 1000,
            "value": value(x),
            "lower": value(x) * (1 - spread),
            "upper": value(x) * (1 + spread),
        }
        for place, x in enumerate(MIDDLES)
    ]


@given(start=st.floats(10, 100), slope=st.floats(-9, 9))
def test_values_on_a_line_have_that_slope_and_the_ratio_of_its_ends(start: float, slope: float) -> None:
    found = inequality(fifths(lambda x: start + slope * x), value_type="mean", repetitions=1000)
    assert found.sii == pytest.approx(slope, abs=1e-9)
    assert found.rii == pytest.approx((start + slope) / start)
    assert found.intercept == pytest.approx(start)


def test_rates_that_fall_by_a_constant_factor_have_it_as_their_transformed_ratio() -> None:
    found = inequality(fifths(lambda x: 40 * exp(-0.7 * x)), value_type="rate", transform=True)
    assert found.rii == pytest.approx(exp(-0.7))
    assert found.sii == pytest.approx(40 * exp(-0.7) - 40)
    assert found.intercept == pytest.approx(40)


def test_proportions_on_a_logistic_curve_have_the_gap_between_its_ends() -> None:
    def curve(x: float) -> float:
        return 1 / (1 + exp(-(x - 1)))

    found = inequality(fifths(curve), value_type="proportion", transform=True, multiplier=100)
    assert found.sii == pytest.approx(100 * (curve(1) - curve(0)))


@pytest.mark.parametrize(("value_type", "transform"), [("mean", False), ("rate", False), ("rate", True)])
@pytest.mark.parametrize("multiplier", [0.5, 1, -1])
def test_the_simulated_intervals_contain_the_indices(value_type: str, transform: bool, multiplier: float) -> None:
    rows = fifths(lambda x: 40 - 12 * x)
    found = inequality(rows, value_type=value_type, transform=transform, multiplier=multiplier)
    assert found.sii_lower is not None
    assert found.sii_upper is not None
    assert found.sii_lower < found.sii < found.sii_upper
    assert found.rii is not None
    assert found.rii_lower is not None
    assert found.rii_upper is not None
    assert found.rii_lower < found.rii < found.rii_upper


def test_the_same_rows_always_have_the_same_interval() -> None:
    rows = fifths(lambda x: 40 - 12 * x)
    assert inequality(rows, value_type="rate") == inequality(rows[::-1], value_type="rate")


def test_a_rate_whose_limit_is_zero_has_an_index_without_interval() -> None:
    rows = fifths(lambda x: 40 - 12 * x)
    rows[2]["lower"] = 0
    found = inequality(rows, value_type="rate")
    assert (found.sii, found.sii_lower) == (pytest.approx(-12), None)


@pytest.mark.parametrize(
    ("index", "change", "field"),
    [
        (1, {"population": 0}, "population"),
        (2, {"value": float("nan")}, "value"),
        (3, {"lower": 1.2}, "lower"),
        (4, {"quantile": 1}, "quantile"),
        (0, {"upper": None}, "upper"),
        (0, {"value": 1.5}, "value"),
    ],
)
def test_a_wrong_quantile_is_refused_by_its_index_and_field(index: int, change: dict[str, object], field: str) -> None:
    rows = fifths(lambda x: 0.4 - 0.1 * x)
    rows[index] |= change
    with pytest.raises(InvalidRow) as refused:
        inequality(rows, value_type="proportion")
    assert (refused.value.index, refused.value.field) == (index, field)


@pytest.mark.parametrize("count", [0, 4])
def test_fewer_than_five_quantiles_are_refused(count: int) -> None:
    with pytest.raises(InvalidRow, match="5 to 100"):
        inequality(fifths(lambda _: 0.4)[:count], value_type="proportion")


def test_more_than_ten_quantiles_come_with_a_notice() -> None:
    rows = [row | {"quantile": turn * 5 + place} for turn in range(3) for place, row in enumerate(fifths(lambda _: 5))]
    assert inequality(rows, value_type="rate").notices


@given(values=st.lists(st.integers(0, 50), min_size=10, max_size=60), number=st.integers(2, 10))
def test_a_higher_value_never_has_a_later_quantile(values: list[int], number: int) -> None:
    found = quantiles(values, number)
    pairs = sorted(zip(values, found, strict=True), reverse=True)
    order = [quantile for _, quantile in pairs if quantile is not None]
    assert order == sorted(order)
    assert set(order) <= set(range(1, number + 1))


def test_too_few_values_have_no_quantiles_and_missing_ones_never_do() -> None:
    assert quantiles([3, None, 1], 3) == [None, None, None]
    assert quantiles([3, None, 1, 2], 3) == [1, None, 3, 2]

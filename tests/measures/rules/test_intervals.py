import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.indicators import INTERVALS, intervals
from services.measures.rules.intervals import Interval
from services.measures.rules.invalid import InvalidRow

LEVELS = st.sampled_from([0.9, 0.95, 0.98, 0.99, 0.998])


@st.composite
def proportions(draw: st.DrawFn) -> dict[str, int]:
    denominator = draw(st.integers(1, 100_000))
    return {"numerator": draw(st.integers(0, denominator)), "denominator": denominator}


RATES = st.fixed_dictionaries({"numerator": st.integers(0, 100_000), "denominator": st.floats(0.1, 1e6)})


def one(method: str, row: dict[str, object], **options: float) -> Interval:
    return intervals(method, [row], **options)[0]


def contains_its_value(found: Interval) -> bool:
    assert found.value is not None
    assert found.lower is not None
    assert found.upper is not None
    return found.lower <= found.value * (1 + 1e-9) + 1e-12 and found.value <= found.upper * (1 + 1e-9) + 1e-12


def is_within(inner: Interval, outer: Interval) -> bool:
    assert inner.lower is not None
    assert outer.lower is not None
    assert inner.upper is not None
    assert outer.upper is not None
    return outer.lower <= inner.lower + 1e-12 and inner.upper <= outer.upper + 1e-12


@given(row=proportions(), level=LEVELS)
def test_the_interval_of_a_proportion_contains_it_and_stays_from_0_to_1(row: dict[str, object], level: float) -> None:
    found = one("proportion", row, confidence=level)
    assert contains_its_value(found)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower >= 0
    assert found.upper <= 1


def test_no_interval_of_all_cases_is_of_more_than_all() -> None:
    assert all(one("proportion", {"numerator": n, "denominator": n}).upper == pytest.approx(1) for n in range(1, 50))
    assert max(one("proportion", {"numerator": n, "denominator": n}).upper or 0 for n in range(1, 50)) == 1


@given(row=RATES, level=LEVELS)
def test_the_interval_of_a_rate_contains_it(row: dict[str, object], level: float) -> None:
    assert contains_its_value(one("rate", row, confidence=level, multiplier=1000))


@given(row=proportions(), levels=st.tuples(LEVELS, LEVELS).map(sorted))
def test_more_confidence_never_narrows_the_interval_of_a_proportion(
    row: dict[str, object], levels: list[float]
) -> None:
    assert is_within(*(one("proportion", row, confidence=level) for level in levels))


@given(row=RATES, levels=st.tuples(LEVELS, LEVELS).map(sorted))
def test_more_confidence_never_narrows_the_interval_of_a_rate(row: dict[str, object], levels: list[float]) -> None:
    assert is_within(*(one("rate", row, confidence=level) for level in levels))


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), level=LEVELS)
def test_the_interval_of_a_mean_is_even_about_it(values: list[float], level: float) -> None:
    found = one("mean", {"values": values}, confidence=level)
    assert found.value is not None
    assert found.lower is not None
    assert found.upper is not None
    assert found.value - found.lower == pytest.approx(found.upper - found.value, abs=1e-6)


def test_a_rate_is_exact_under_ten_events_and_byars_from_ten() -> None:
    rows = [{"numerator": events, "denominator": 100} for events in (0, 9, 10)]
    assert [row.method for row in intervals("rate", rows)] == ["exact", "exact", "byar"]


def test_no_events_have_a_lower_bound_of_zero() -> None:
    assert one("rate", {"numerator": 0, "denominator": 100}).lower == 0


def test_a_missing_numerator_gives_no_figures_rather_than_an_error() -> None:
    assert one("proportion", {"numerator": None, "denominator": 5}) == Interval(None, None, None, "wilson")


def test_a_single_value_has_a_mean_and_no_interval() -> None:
    assert one("mean", {"values": [4]}) == Interval(4.0, None, None, "student")


def test_ninety_five_per_cent_may_be_written_as_95() -> None:
    row = {"numerator": 3, "denominator": 7}
    assert one("proportion", row, confidence=95) == one("proportion", row, confidence=0.95)


@pytest.mark.parametrize("confidence", [0, 0.5, 0.89, 1.5, 89, 101, -0.95, float("nan"), float("inf")])
@pytest.mark.parametrize("method", INTERVALS)
def test_a_confidence_out_of_range_is_refused_by_name(method: str, confidence: float) -> None:
    with pytest.raises(InvalidRow) as refused:
        intervals(method, [], confidence=confidence)
    assert (refused.value.index, refused.value.field) == (None, "confidence")


GOOD = {"numerator": 1, "denominator": 2}
BAND = {"numerator": 1, "denominator": 9, "weight": 5, "reference_numerator": 1, "reference_denominator": 9}


@pytest.mark.parametrize(
    ("method", "row", "field"),
    [
        ("proportion", {"numerator": 3, "denominator": 2}, "numerator"),
        ("proportion", {"numerator": -1, "denominator": 2}, "numerator"),
        ("proportion", {"numerator": 0, "denominator": 0}, "denominator"),
        ("rate", {"numerator": 1, "denominator": -2}, "denominator"),
        ("rate", {"numerator": float("nan"), "denominator": 2}, "numerator"),
        ("rate", {"numerator": 1, "denominator": float("inf")}, "denominator"),
        ("rate", {"numerator": "1", "denominator": 2}, "numerator"),
        ("rate", {"numerator": True, "denominator": 2}, "numerator"),
        ("rate", {"numerater": 1, "denominator": 2}, "numerator"),
        ("proportion", {"numerator": 1}, "denominator"),
        ("mean", {"values": []}, "values"),
        ("mean", {"values": [1e308, 1e308]}, "values"),
        ("mean", {"values": [1, "x"]}, "values/1"),
        ("dsr", {"bands": [BAND, BAND | {"denominator": 0}]}, "bands/1/denominator"),
        ("dsr", {"bands": [BAND | {"weight": None}]}, "bands/0/weight"),
        ("dsr", {"bands": [BAND | {"weight": 0}]}, "bands"),
        ("dsr", {"bands": [BAND | {"denominator": 1e-300, "weight": 1e300}]}, "bands"),
        ("dsr", {"bands": [BAND, {"denominator": 9, "weight": 5}]}, "bands/1/numerator"),
        ("is_ratio", {"bands": [{"numerator": 1}]}, "bands/0/denominator"),
        ("dsr", {"bands": 3}, "bands"),
        ("dsr", {"bands": [3]}, "bands/0"),
        ("is_ratio", {"bands": [BAND | {"reference_denominator": 0}]}, "bands/0/reference_denominator"),
        ("is_rate", {"bands": [BAND | {"numerator": -1}]}, "bands/0/numerator"),
    ],
)
def test_a_wrong_row_is_refused_by_its_index_and_field(method: str, row: dict[str, object], field: str) -> None:
    good = {"dsr": {"bands": [BAND]}, "is_ratio": {"bands": [BAND]}, "is_rate": {"bands": [BAND]}}
    first = good.get(method, {"values": [1, 2]} if method == "mean" else GOOD)
    with pytest.raises(InvalidRow) as refused:
        intervals(method, [first, row])
    assert (refused.value.index, refused.value.field) == (1, field)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InvalidRow, match="method must be one of"):
        intervals("median", [])

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.cusum import bernoulli_cusum, eo_cusum, risk_adjusted_cusum
from services.measures.rules.invalid import InvalidRow

OPTIONS: dict[str, Any] = {"odds_ratio_up": 2, "odds_ratio_down": 0.5, "limit_up": 2, "limit_down": 2}
CASES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), max_size=80)


@given(cases=CASES, reset=st.booleans())
def test_a_cusum_is_never_negative_and_signals_exactly_above_its_limit(
    cases: list[tuple[float, int]], reset: bool
) -> None:
    found = risk_adjusted_cusum([p for p, _ in cases], [y for _, y in cases], reset=reset, **OPTIONS)
    for values, signals in ((found.cusum_up, found.signal_up), (found.cusum_down, found.signal_down)):
        assert all(value >= 0 for value in values)
        assert signals == [value > 2 for value in values]


@given(cases=CASES)
def test_the_vlad_ends_at_expected_less_observed(cases: list[tuple[float, int]]) -> None:
    found = risk_adjusted_cusum([p for p, _ in cases], [y for _, y in cases], **OPTIONS)
    assert (found.vlad or [0])[-1] == pytest.approx(sum(p - y for p, y in cases), abs=1e-9)


def test_after_a_signal_both_charts_start_again_when_asked() -> None:
    p, y = [0.1] * 8, [1, 1, 1, 1, 1, 0, 0, 0]
    kept, begun = (risk_adjusted_cusum(p, y, reset=reset, **OPTIONS) for reset in (False, True))
    assert kept.signal_up == [False, False, False, True, True, True, True, True][: len(kept.signal_up)]
    assert begun.signal_up == [False, False, False, True, False, False, False, False]
    assert begun.cusum_up[3] == kept.cusum_up[3]


def test_more_deaths_than_expected_move_the_lower_line_only() -> None:
    found = eo_cusum([0.1] * 5, [1] * 5, slack_up=0.01, slack_down=0.01)
    assert found.up == [0] * 5
    assert found.down == sorted(found.down, reverse=True)
    assert found.down[-1] == pytest.approx(-4.45)


def test_a_bernoulli_chart_without_a_target_takes_the_mean_risk() -> None:
    assert bernoulli_cusum([0, 1, 0, 0]).p0 == 0.25


@pytest.mark.parametrize(
    ("p", "y", "change", "place"),
    [
        ([0.1, 1.2], [0, 0], {}, (1, "p")),
        ([0.1, float("nan")], [0, 0], {}, (1, "p")),
        ([0.1, 0.2], [0, 2], {}, (1, "y")),
        ([0.1, 0.2], [0], {}, (1, "p")),
        ([0.1], [0, 1, 0], {}, (1, "y")),
        ([], [], {"odds_ratio_up": 1}, (None, "odds_ratio_up")),
        ([], [], {"odds_ratio_down": 2}, (None, "odds_ratio_down")),
        ([], [], {"limit_up": 0}, (None, "limit_up")),
        ([], [], {"limit_down": -1}, (None, "limit_down")),
    ],
)
def test_wrong_input_is_refused_by_place(
    p: list[float], y: list[float], change: dict[str, float], place: tuple[int | None, str]
) -> None:
    with pytest.raises(InvalidRow) as refused:
        risk_adjusted_cusum(p, y, **{**OPTIONS, **change})
    assert (refused.value.index, refused.value.field) == place


@pytest.mark.parametrize("x", [[], [0, 0], [1, 1]])
def test_a_bernoulli_chart_needs_a_risk_between_none_and_certainty(x: list[float]) -> None:
    with pytest.raises(InvalidRow, match="target"):
        bernoulli_cusum(x)

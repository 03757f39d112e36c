"""What holds of any series: scale, shift, reversal, rebasing, and company."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.measures.rules.spc import CHARTS, Ruleset, Series, evaluate
from services.measures.rules.spc.exact import mean, total

DECIMALS = st.integers(-300, 300).map(lambda tenths: tenths / 10)
VALUES = st.lists(st.none() | DECIMALS, min_size=1, max_size=40)
WHOLE = st.lists(st.none() | st.integers(-40, 40), min_size=1, max_size=40)
FLIPPED = {"increase": "decrease", "decrease": "increase", "neutral": "neutral"}
MIRRORED = {"high": "low", "low": "high", "cause": "cause"}


def series(values, **options):
    return Series(labels=[str(index) for index in range(len(values))], values=values, **options)


def chart(values, **options):
    (answer,) = evaluate([series(values, **options)])
    return answer


def told(answer):
    return [(point.rule, point.signal) for point in answer.points]


@given(st.lists(st.integers(-(10**9), 10**9).map(lambda value: value / 1000), min_size=1, max_size=70))
def test_a_mean_is_the_true_mean_rounded_once(values):
    """Given decimals, when averaged, then the mean and the total are those of exact arithmetic, rounded."""
    exact = sum(map(Fraction, values))
    column = np.array(values)[:, np.newaxis]
    assert total(column)[0] == float(exact)
    assert mean(column)[0] == float(exact / len(values))


@given(WHOLE, st.integers(-3, 9), st.sampled_from(["xmr", "i", "run", "mr"]))
def test_doubling_a_series_doubles_its_lines_and_changes_no_verdict(values, power, kind):
    """Given a series, when all its values are multiplied by a power of two, then lines are too and verdicts stay."""
    factor = 2.0**power
    plain = chart(values, chart=kind)
    scaled = chart([None if value is None else value * factor for value in values], chart=kind)
    assert told(scaled) == told(plain)
    assert scaled.runs == plain.runs
    for one, other in zip(plain.points, scaled.points, strict=True):
        for line in ("value", "centre", "lower", "upper", "lower_2sigma", "upper_2sigma"):
            before, after = getattr(one, line), getattr(other, line)
            assert after == (None if before is None else before * factor)


@given(WHOLE.filter(lambda values: any(value is not None for value in values)), st.integers(-64, 64))
def test_shifting_a_series_shifts_its_lines(values, shift):
    """Given a series, when all its values rise by as much, then the centre and the limits do too."""
    plain = chart(values)
    shifted = chart([None if value is None else value + shift for value in values])
    for one, other in zip(plain.segments, shifted.segments, strict=True):
        assert other.centre == pytest.approx(one.centre + shift, abs=1e-9)
        assert (one.upper is None) == (other.upper is None)
        if one.upper is not None:
            assert other.upper == pytest.approx(one.upper + shift, abs=1e-9)


@given(VALUES, st.sampled_from(sorted(FLIPPED)))
def test_a_series_upside_down_says_the_same_with_the_other_improvement(values, improvement):
    """Given a series, when it is negated and the other direction is better, then every rule and icon is mirrored."""
    plain = chart(values, improvement=improvement)
    mirrored = chart([None if value is None else -value for value in values], improvement=FLIPPED[improvement])
    assert [point.rule for point in mirrored.points] == [point.rule for point in plain.points]
    kind, _, side = plain.variation.rpartition("_")
    assert mirrored.variation == f"{kind}_{MIRRORED[side]}"
    if improvement != "neutral":
        assert [point.signal for point in mirrored.points] == [point.signal for point in plain.points]


@given(VALUES, VALUES, st.sampled_from(["xmr", "i", "run", "mr"]))
def test_a_rebased_series_is_two_series(before, after, kind):
    """Given two series laid end to end, when rebased where they meet, then points and runs are those of each alone."""
    together = chart(before + after, chart=kind, rebase=[len(before)])
    first, second = chart(before, chart=kind), chart(after, chart=kind)
    assert told(together) == told(first) + told(second)
    lines = [(point.value, point.centre, point.lower, point.upper) for point in together.points]
    assert lines == [(p.value, p.centre, p.lower, p.upper) for p in first.points + second.points]
    assert [runs.longest_run for runs in together.runs] == [first.runs[0].longest_run, second.runs[0].longest_run]


@st.composite
def any_series(draw):
    """A series of any chart, with any of the options."""
    kind = draw(st.sampled_from(sorted(CHARTS)))
    size = draw(st.integers(0, 30))
    count = st.none() | st.integers(1, 30)
    value = st.none() | st.lists(count, max_size=5) if CHARTS[kind].grouped else count
    values = draw(st.lists(value, min_size=size, max_size=size))
    rated = CHARTS[kind].denominators == "required" or (CHARTS[kind].denominators == "optional" and draw(st.booleans()))
    places = st.lists(st.integers(0, size - 1), max_size=3, unique=True) if size else st.just([])
    return series(
        values,
        chart=kind,
        denominators=draw(st.lists(st.none() | st.integers(30, 99), min_size=size, max_size=size)) if rated else None,
        improvement=draw(st.sampled_from(sorted(FLIPPED))),
        target=draw(st.none() | st.floats(0, 30)),
        rebase=draw(places),
        exclude=draw(places),
        fix_after=draw(st.none() | st.integers(12, 20)),
        centre=draw(st.none() | st.floats(0.1, 0.9)),
        multiplier=draw(st.sampled_from([1, 100, 0.5])),
        screen=draw(st.booleans()),
    )


@settings(max_examples=60)
@given(st.lists(any_series(), max_size=12), st.sampled_from([7, 6]))
def test_a_series_is_judged_alike_alone_and_in_company(company, window):
    """Given series of all charts and lengths, when judged together, then each answer is the one it gets alone."""
    ruleset = Ruleset(trend_points=window, shift_points=window)
    alone = [evaluate([each], ruleset=ruleset)[0] for each in company]
    assert evaluate(company, ruleset=ruleset) == alone

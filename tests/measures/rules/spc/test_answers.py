"""What an answer says, beyond what the published packages decide."""

import msgspec
import pytest

from services.measures.rules.spc import CHARTS, Ruleset, Series, evaluate, evaluate_json

STEADY = [10, 12, 9, 11, 10, 12, 9, 11, 10, 12, 9, 11, 10]


def chart(values, **options):
    labels = [str(index) for index in range(len(values))]
    (answer,) = evaluate([Series(labels=labels, values=values, **options)], ruleset=options.pop("ruleset", Ruleset()))
    return answer


def judged(values, ruleset, **options):
    labels = [str(index) for index in range(len(values))]
    (answer,) = evaluate([Series(labels=labels, values=values, **options)], ruleset=ruleset)
    return [point.rule for point in answer.points]


def test_an_empty_series_is_an_empty_chart():
    """Given no points, when charted, then there are none, and nothing is signalled."""
    answer = chart([], target=3, improvement="increase")
    assert (answer.points, answer.segments, answer.variation, answer.assurance) == ([], [], "common_cause", None)


@pytest.mark.parametrize("kind", [name for name in CHARTS if name not in ("xbar", "s")])
def test_a_series_with_nothing_in_it_has_no_lines(kind):
    """Given only missing values, when charted, then values, centre and limits are null and nothing signals."""
    answer = chart([None] * 3, chart=kind, denominators=[1, 2, 3] if CHARTS[kind].denominators == "required" else None)
    assert {(p.value, p.centre, p.upper, p.outside, p.signal) for p in answer.points} <= {
        (None, None, None, False, "common_cause")
    }
    assert answer.runs[0].n_useful == 0


def test_a_constant_series_has_a_centre_no_limits_and_no_signal():
    """Given a value that never changes, when charted, then no limits exist, a notice says so, and nothing signals."""
    answer = chart([0.1] * 20, improvement="increase", target=0.1)
    assert {(p.centre, p.lower, p.upper, p.rule) for p in answer.points} == {(0.1, None, None, None)}
    assert answer.assurance == "inconsistent"
    assert "no limits" in answer.notices[0]


def test_twelve_points_make_trial_limits_and_thirteen_do_not():
    """Given 12 and 13 points, when charted, then a notice calls the limits of the first trial limits."""
    assert "trial limits" in chart(STEADY[:12]).notices[0]
    assert chart(STEADY).notices == []


def test_an_unfinished_baseline_is_noted():
    """Given fewer points than are to fix the limits, when charted, then a notice counts them."""
    assert chart(STEADY, fix_after=20).notices == ["There are 13 of the 20 points that are to fix the limits."]


def test_a_fixed_baseline_holds_in_every_segment():
    """Given a rebase and a fixed baseline, when charted, then each segment's limits come from its own first points."""
    values = STEADY + [40] * 5 + [20 + x for x in STEADY] + [90] * 5
    answer = chart(values, rebase=[18], fix_after=13)
    before, after = chart(STEADY), chart([20 + x for x in STEADY])
    assert [s.centre for s in answer.segments] == [before.segments[0].centre, after.segments[0].centre]
    assert [s.upper for s in answer.segments] == pytest.approx([before.segments[0].upper, after.segments[0].upper])
    assert [(s.first, s.last, s.n) for s in answer.segments] == [(0, 17, 18), (18, 35, 18)]


def test_an_excluded_point_makes_no_limits_but_may_be_outside_them():
    """Given an outlier left out, when charted, then limits are as without its value, and it is outside."""
    answer = chart([*STEADY, 60, *STEADY], exclude=[13])
    assert answer.segments[0].centre == chart([*STEADY, None, *STEADY]).segments[0].centre
    assert answer.points[13].rule == "outside"


def test_an_excluded_point_breaks_a_shift():
    """Given a run of seven with its middle left out, when charted, then it is no shift."""
    values = [*STEADY, *[11.5] * 7, *[8.5] * 4]
    assert chart(values, centre=10.5).points[16].rule == "shift"
    assert chart(values, centre=10.5, exclude=[16]).points[15].rule is None


def test_a_missing_value_breaks_a_trend():
    """Given seven rising values with a gap among them, when charted, then they are no trend."""
    noise, whole, broken = [20, 0] * 4, [8, 9, 10, 11, 12, 13], [8, 9, 10, None, 11, 12, 13]
    assert [p.rule for p in chart([*noise, *whole]).points][7:] == ["trend"] * 7
    assert {p.rule for p in chart([*noise, *broken]).points} == {None}


def test_the_first_rule_that_applies_is_the_one_told():
    """Given a trend that ends outside the limits, when charted, then the last points are outside, the others trend."""
    rules = [p.rule for p in chart([*STEADY * 2, 10, 12, 14, 16, 18, 20, 22]).points]
    assert rules[26:] == ["trend"] * 4 + ["outside"] * 3


def test_six_points_can_be_a_shift_and_a_trend():
    """Given six points on one side, and six rising, when the ruleset says six, then they signal; by default not."""
    six = Ruleset(shift_points=6, trend_points=6)
    shifted, rising = [*STEADY, *[11] * 6, 9, 9], [*STEADY, 8, 9, 10, 11, 11.5, 12]
    assert judged(shifted, six, centre=10.5)[13:19] == ["shift"] * 6
    assert set(judged(shifted, Ruleset(), centre=10.5)) == {None}
    assert judged(rising, six, centre=10)[13:] == ["trend"] * 6
    assert set(judged(rising, Ruleset(), centre=10)) == {None}


def test_two_of_three_counts_points_outside_only_beyond():
    """Given one point beyond 3 sigma and one between 2 and 3, then only `beyond` makes them two of three."""
    upper = chart(STEADY).segments[0].upper
    values = [*STEADY, upper + 1, 10.7, upper - 0.5]
    assert judged(values, Ruleset(), fix_after=13)[13:] == ["outside", None, None]
    assert judged(values, Ruleset(two_of_three="beyond"), fix_after=13)[13:] == ["outside", None, "two_of_three"]


def test_the_answer_says_which_ruleset_judged():
    """Given a variant of the rules, when charted, then the answer names it."""
    ruleset = Ruleset(shift_points=6)
    (answer,) = evaluate([Series(labels=["1"], values=[1])], ruleset=ruleset)
    assert answer.ruleset == ruleset


@pytest.mark.parametrize(
    ("improvement", "target", "expected"),
    [
        ("increase", 100, "fail"),
        ("increase", 0.5, "pass"),
        ("decrease", 100, "pass"),
        ("decrease", 0.5, "fail"),
        ("decrease", 10, "inconsistent"),
        ("neutral", 100, None),
        ("increase", None, None),
    ],
)
@pytest.mark.parametrize("kind", ["xmr", "c"])
def test_assurance_is_the_target_against_the_last_limits(kind, improvement, target, expected):
    """Given limits around 10, when a target is beyond, short of or within them, then the icon follows the direction."""
    answer = chart(STEADY, chart=kind, improvement=improvement, target=target)
    assert answer.assurance == expected


def test_assurance_on_a_chart_of_rates_uses_the_last_limits_there_are():
    """Given a p chart whose last figure is missing, when charted, then the target meets the limits before it."""
    options = {"chart": "p", "improvement": "increase", "target": 0.9, "denominators": [100] * 13 + [None]}
    assert chart([*STEADY, None], **options).assurance == "fail"


def test_a_run_chart_has_no_assurance():
    """Given a chart without limits, when it has a target, then nothing is assured."""
    assert chart(STEADY, chart="run", improvement="increase", target=5).assurance is None


def test_an_ongoing_long_run_is_the_variation_of_a_run_chart():
    """Given a run chart that ends in a run longer than chance allows, when charted, then the icon says so."""
    answer = chart([1, 2, *STEADY, *[30, 31] * 6], chart="run", improvement="decrease")
    assert answer.runs[0].signal
    assert answer.variation == "concern_high"


def test_a_point_outside_a_control_chart_signals_in_its_direction():
    """Given a count above the upper limit, when fewer is better, then it is a concern, and the chart's variation."""
    answer = chart([*STEADY, 40], chart="c", improvement="decrease")
    assert (answer.points[-1].rule, answer.points[-1].signal, answer.variation) == (
        "outside",
        "concern",
        "concern_high",
    )


def test_a_multiplier_scales_what_is_drawn_and_not_what_is_said():
    """Given rates per 1,000, when charted with and without the multiplier, then only the lines differ."""
    plain = chart(STEADY, chart="u", denominators=[500] * 13)
    scaled = chart(STEADY, chart="u", denominators=[500] * 13, multiplier=1000)
    assert [p.upper for p in scaled.points] == pytest.approx([1000 * p.upper for p in plain.points])
    assert [p.denominator for p in scaled.points] == [500] * 13
    assert scaled.runs == plain.runs


def test_subgroups_may_lack_values():
    """Given subgroups with gaps and an empty one, when charted, then means and spreads are of what is there."""
    answer = chart([[1, 3], [2, None], None, [4, 6]], chart="xbar")
    assert [p.value for p in answer.points] == [2, 2, None, 5]
    spreads = chart([[1, 3], [2, None], None, [4, 6]], chart="s")
    assert [p.value for p in spreads.points] == [pytest.approx(2**0.5), None, None, pytest.approx(2**0.5)]


def test_the_text_is_the_answers():
    """Given one series of each chart, when answered in text, then it reads as the same answers."""
    every = [
        Series(
            id=f'"{kind}"',
            chart=kind,
            labels=[f"{index}é" for index in range(13)],
            values=[[value, value + index % 3] for index, value in enumerate(STEADY)]
            if CHARTS[kind].grouped
            else [*STEADY[:-1], None],
            denominators=None if CHARTS[kind].denominators == "none" else [100 + value for value in STEADY],
            rebase=[4],
            improvement="decrease",
            target=10,
        )
        for kind in CHARTS
    ]
    every.append(Series(labels=[], values=[]))
    text = msgspec.json.decode(b"".join(evaluate_json(every)))
    assert text == {"series": msgspec.to_builtins(evaluate(every))}


def test_no_series_is_an_empty_answer():
    """Given no series, when answered, then the list is empty."""
    assert b"".join(evaluate_json([])) == b'{"series":[]}'
    assert evaluate([]) == []

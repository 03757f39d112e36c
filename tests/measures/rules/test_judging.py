"""Many charts judged in one call say what each of them says alone."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from services.measures.rules.definitions import Definition
from services.measures.rules.judging import Track, judged, value_of
from tests.measures.builders import BIRTHS_FEED, a_measure

PROPORTION = Definition.compile(a_measure(minimum_denominator=10).definition, {"births": BIRTHS_FEED})
MONTHS = [f"{2025 + n // 12}-{n % 12 + 1:02}" for n in range(24)]
COUNTS = st.lists(st.integers(0, 60), max_size=24)


def a_track(counts: list[int], **more: object) -> Track:
    figures = {month: (float(count), 100.0) for month, count in zip(MONTHS, counts, strict=False)}
    return Track(PROPORTION, figures, **more)  # type: ignore[arg-type]


@settings(max_examples=30)
@given(st.lists(COUNTS, max_size=5))
def test_company_changes_no_verdict(many: list[list[int]]) -> None:
    tracks = [a_track(counts) for counts in many]
    assert judged(tracks) == [one for track in tracks for one in judged([track])]


def test_a_track_without_values_has_no_icons() -> None:
    (told,) = judged([Track(PROPORTION, {"2025-01": (None, None), "2025-02": (1.0, 5.0)})])
    assert (told.points, told.period, told.icons) == (0, None, None)


def test_the_last_period_with_a_value_is_judged() -> None:
    told = judged([Track(PROPORTION, a_track([20, 21] * 8 + [60]).figures | {"2026-12": (1.0, 5.0)})])[0]
    assert (told.points, told.period, told.value) == (17, "2026-05", 60.0)
    assert told.icons is not None
    assert (told.icons.variation, told.icons.rule, told.icons.trial) == ("concern_high", "outside", False)


def test_a_figure_below_zero_is_charted_as_it_can_be_and_keeps_no_other_chart_from_being_judged() -> None:
    below = Track(PROPORTION, a_track([20, 21] * 8).figures | {"2026-05": (-3.0, 100.0)})
    beside, alone = judged([a_track([20, 21] * 8), below])
    assert (beside.chart, alone.chart, alone.value) == ("p", "xmr", -3.0)


def test_a_step_change_begins_anew_and_is_on_trial() -> None:
    doubled = [20, 21] * 6 + [42, 41] * 3
    (before,), (after,) = judged([a_track(doubled)]), judged([a_track(doubled, steps=[date(2026, 1, 1)])])
    assert before.icons is not None
    assert after.icons is not None
    assert (before.icons.trial, after.icons.trial) == (False, True)


def test_a_target_gives_the_second_icon() -> None:
    reached, failed = judged([a_track([20, 21, 19] * 6, target=level) for level in (60.0, 1.0)])
    assert reached.icons is not None
    assert failed.icons is not None
    assert (reached.icons.assurance, failed.icons.assurance) == ("pass", "fail")


def test_a_value_needs_both_halves_and_cases_enough() -> None:
    assert value_of(PROPORTION, 5, 50) == 10
    assert [value_of(PROPORTION, *pair) for pair in ((None, 50), (5, None), (5, 0), (5, 9))] == [None] * 4


def test_a_rolling_measure_is_never_judged() -> None:
    rolling = Definition.compile(a_measure(rolling=3, chart="run").definition, {"births": BIRTHS_FEED})
    (told,) = judged([Track(rolling, a_track([10] * 12 + [50] * 12).figures, target=1.0)])
    assert told.icons is not None
    assert (told.chart, told.icons.variation, told.icons.rule, told.icons.assurance) == (
        "run", "common_cause", None, None,
    )  # fmt: skip

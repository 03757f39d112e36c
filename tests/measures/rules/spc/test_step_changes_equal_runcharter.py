"""Suggested step changes are the phases of runcharter 0.2.0."""

import pytest

from services.measures.rules.spc import InvalidSeries, suggest_step_changes


def suggest(case):
    options = case["options"]
    return suggest_step_changes(
        case["inputs"]["values"],
        baseline_points=options["med_rows"],
        run_points=options["runlength"],
        direction=options["direction"],
    )


def test_phases_are_the_references(phases_case):
    """Given a published case, when step changes are sought, then medians and dates are the reference's."""
    expected, dates = phases_case["expected"], phases_case["inputs"]["dates"]
    phases = suggest(phases_case)
    assert [phase.median for phase in phases] == pytest.approx(expected["median"], rel=1e-9)
    assert [dates[phase.start] for phase in phases] == expected["start_date"]
    assert [dates[phase.end] for phase in phases] == expected["end_date"]
    assert [dates[phase.extend_to] for phase in phases] == expected["extend_to"]


def test_too_short_a_series_is_refused(refused_phases_case):
    """Given fewer points than a baseline and a run need, when step changes are sought, then the series is refused."""
    with pytest.raises(InvalidSeries, match="points or more"):
        suggest(refused_phases_case)


def test_missing_values_neither_count_nor_break_a_run():
    """Given a gap in a sustained run, when step changes are sought, then the run counts its values across the gap."""
    values = [10, 12, 8, 10, 11, 20, 21, None, 22, 23]
    phases = suggest_step_changes(values, baseline_points=5, run_points=4)
    assert [(phase.start, phase.end, phase.median) for phase in phases] == [(0, 4, 10), (5, 9, 21.5)]

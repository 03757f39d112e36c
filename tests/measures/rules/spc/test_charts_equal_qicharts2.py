"""Every Shewhart chart and its runs test are those of qicharts2 0.8.1."""

import pytest

from services.measures.rules.spc import Ruleset, Series, evaluate

GROUPED = ("xbar", "s")


def close(expected):
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)


def series_of(case):
    """The case as a series: rows in order of x, rows of one x made a subgroup."""
    chart, inputs, options = case["method"].removeprefix("qic_"), case["inputs"], case["options"]
    order = sorted(range(len(inputs["x"])), key=lambda row: inputs["x"][row])
    labels = list(dict.fromkeys(inputs["x"][row] for row in order))
    if chart in GROUPED:
        values = [[inputs["y"][row] for row in order if inputs["x"][row] == label] for label in labels]
    else:
        values = [inputs["y"][row] for row in order]
    return Series(
        id=case["id"],
        chart=chart,
        labels=[str(label) for label in labels],
        values=values,
        denominators=inputs["n"] and [inputs["n"][row] for row in order],
        rebase=[place for place in options["part"] or [] if place < len(labels)],
        fix_after=None if options["part"] else options["freeze"],
        exclude=[place - 1 for place in options["exclude"] or []],
        centre=options["cl"],
        multiplier=options["multiply"],
        screen=options["screened_mr"],
    )


def test_a_chart_is_the_references(shewhart_case):
    """Given a published case, when it is charted, then values, lines, signals and runs are the reference's."""
    case, expected = shewhart_case, shewhart_case["expected"]
    ruleset = Ruleset(runs=case["options"]["runs_method"], floor_at_zero=not case["options"]["y_neg"])
    (answer,) = evaluate([series_of(case)], ruleset=ruleset)
    assert len(answer.points) == len(expected["y"])
    for i, point in enumerate(answer.points):
        assert point.value == close(expected["y"][i])
        assert point.segment == expected["part"][i] - 1
        assert point.centre == close(expected["centre"][i])
        assert point.lower == close(expected["lcl"][i])
        assert point.upper == close(expected["ucl"][i])
        assert point.lower_2sigma == close(expected["lcl_2s"][i])
        assert point.upper_2sigma == close(expected["ucl_2s"][i])
        assert point.outside == expected["sigma_signal"][i]
    check_runs(answer.runs, expected["runs"])


def check_runs(found, expected):
    assert [runs.segment + 1 for runs in found] == expected["part"]
    for i, runs in enumerate(found):
        assert runs.n_useful == expected["n_useful"][i]
        assert runs.longest_run == expected["longest_run"][i]
        assert runs.longest_run_max == expected["longest_run_max"][i]
        assert runs.crossings == expected["n_crossings"][i]
        assert runs.crossings_min == expected["n_crossings_min"][i]
        assert runs.signal == expected["runs_signal"][i]

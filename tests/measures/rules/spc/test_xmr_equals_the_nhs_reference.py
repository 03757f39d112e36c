"""XmR charts are, point by point, those of NHSRplotthedots 0.2.2."""

import pytest

from services.measures.rules.spc import InvalidSeries, Series, evaluate

SAID = {
    "outside": {1: "Above UCL", -1: "Below LCL"},
    "trend": {1: "7 Point Trend (Increasing)", -1: "7 Point Trend (Decreasing)"},
    "two_of_three": {1: "2 in 3 Above CL", -1: "2 in 3 Below CL"},
    "shift": {1: "7 Points Above CL", -1: "7 Points Below CL"},
}
POINTS_UP = {
    ("increase", "improvement"): 1,
    ("increase", "concern"): -1,
    ("decrease", "improvement"): -1,
    ("decrease", "concern"): 1,
    ("neutral", "neutral_high"): 1,
    ("neutral", "neutral_low"): -1,
}
ASSURANCE = {"pass": "consistent_pass", "fail": "consistent_fail", "inconsistent": "inconsistent", None: None}


def close(expected):
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)


def facets(case):
    """Series of a case, by facet, each with the places of its rows in order of date."""
    names = case["inputs"].get("facet") or [None] * len(case["inputs"]["dates"])
    for name in dict.fromkeys(names):
        yield name, [place for place, facet in enumerate(names) if facet == name]


def option(case, name, facet):
    value = case["options"][name]
    return value.get(facet) if isinstance(value, dict) else value


def series_of(case, facet, places):
    dates = case["inputs"]["dates"]
    places = sorted(places, key=lambda place: dates[place])
    rebases = option(case, "rebase_dates", facet) or []
    return Series(
        id=case["id"],
        labels=[dates[place] for place in places],
        values=[case["inputs"]["values"][place] for place in places],
        improvement=case["options"]["improvement_direction"],
        target=option(case, "target", facet),
        fix_after=case["options"]["fix_after_n_points"],
        rebase=[index for index, place in enumerate(places) if dates[place] in rebases],
        screen=case["options"]["screen_outliers"],
    )


def said(point, improvement):
    if point.rule is None:
        return "Common Cause"
    return SAID[point.rule][POINTS_UP[improvement, point.signal]]


def test_a_chart_is_the_references(xmr_case):
    """Given a published case, when it is charted, then every line, flag and icon is the reference's."""
    for facet, places in facets(xmr_case):
        chart = series_of(xmr_case, facet, places)
        (answer,) = evaluate([chart])
        check(answer, chart, xmr_case, facet)


def check(answer, chart, case, facet):
    expected = case["expected"]
    rows = [i for i in range(len(expected["dates"])) if facet is None or expected["facet"][i] == facet]
    assert [point.label for point in answer.points] == [expected["dates"][i] for i in rows]
    sure = case.get("min_margin") is None or case["min_margin"] == 0 or case["min_margin"] >= 1e-9
    groups = list(dict.fromkeys(expected["rebase_group"][i] for i in rows))
    for point, i in zip(answer.points, rows, strict=True):
        assert point.value == expected["y"][i]
        assert point.segment == groups.index(expected["rebase_group"][i])
        assert point.centre == close(expected["centre"][i])
        assert point.lower == close(expected["lcl"][i])
        assert point.upper == close(expected["ucl"][i])
        if sure and point.value is not None:
            check_place(point, i, expected)
        if sure:
            assert point.outside == bool(expected["outside_limits"][i])
            assert said(point, chart.improvement) == expected["special_cause_type"][i]
            assert point.signal == expected["point_type"][i].removeprefix("special_cause_")
            assert any("limits" in notice for notice in answer.notices) >= bool(expected["short_group_warning"][i])
    check_icons(answer, chart, expected, facet)


def check_place(point, i, expected):
    """On which side of the centre, and whether between 2 and 3 sigma."""
    assert (point.value > point.centre) - (point.value < point.centre) == expected["relative_to_mean"][i]
    if point.lower is not None:
        near = point.value > point.upper_2sigma or point.value < point.lower_2sigma
        assert (near and not point.outside) == expected["close_to_limits"][i]


def check_icons(answer, chart, expected, facet):
    if facet is None:
        assert answer.variation + ".svg" == expected["variation_icon"]
        assert ASSURANCE[answer.assurance] == expected["assurance_type"]
    else:
        icons = expected["icons"]
        (variation,) = [
            icon
            for name, kind, icon in zip(icons["facet"], icons["type"], icons["icon"], strict=True)
            if (name, kind) == (facet, "variation")
        ]
        assert answer.variation + ".svg" == variation
        assured = dict(zip(expected["assurance"]["facet"], expected["assurance"]["assurance_type"], strict=True))
        # with no target there is nothing to assure; the reference calls a facet left out of its list inconsistent
        assert ASSURANCE[answer.assurance] == (None if chart.target is None else assured[facet])


def test_what_the_reference_refuses_is_refused_or_answered_on_purpose(refused_xmr_case):
    """Given a case at which the reference stops, a baseline below 12 is refused, and a gap only breaks the trend."""
    chart = series_of(refused_xmr_case, None, range(len(refused_xmr_case["inputs"]["dates"])))
    if chart.fix_after is not None:
        with pytest.raises(InvalidSeries, match="12 points or more") as refusal:
            evaluate([chart])
        assert refusal.value.field == "fix_after"
        return
    (answer,) = evaluate([chart])
    for before, point in zip(answer.points, answer.points[1:], strict=False):
        if before.value is None or point.value is None:
            assert not (before.rule == point.rule == "trend")

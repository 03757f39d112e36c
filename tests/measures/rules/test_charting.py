"""Charts: the resource a front end draws, the sentences in it, and the pictures."""

import csv
import io
import json
from datetime import date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from services.measures.rules.charting import chart
from services.measures.rules.definitions import Definition
from services.measures.rules.drawing import COLOURS, SHAPES, csv_text, svg
from services.measures.rules.series import Figure, series
from services.measures.rules.spc import Series, evaluate
from services.measures.rules.vega_lite import vega_lite
from shared.contracts.periods import Period

FEED = {"id": "f", "period": "month", "field": [{"name": "born", "type": "datetime"}]}
FIRST = Period.parse("2024-01")
STEADY = [32.0, 30.0, 33.0, 31.0, 34.0, 30.0, 32.0, 33.0, 31.0, 32.0, 34.0, 31.0]
SVG = "{http://www.w3.org/2000/svg}"


def measure(**changes: Any) -> Definition:
    definition = {
        "id": "mn-preterm",
        "version": "1.2.0",
        "name": "Preterm births",
        "numerator": {"feed": "f"},
        "denominator": {"feed": "f"},
        "multiplier": 100,
        "unit": "percent",
        "improvement": "decrease",
        "chart": "p",
        **changes,
    }
    return Definition.compile(definition, {"f": FEED})


def items(numerators: list[float | None], definition: Definition, size: float = 400.0, **states: Any) -> list[Any]:
    months = list(FIRST.until(Period.parse("2034-12")))[: len(numerators)]
    figures = [
        Figure(period=month.text, numerator=numerator, denominator=size)
        for month, numerator in zip(months, numerators, strict=True)
        if numerator is not None
    ]
    return series(definition, "RGT", figures, first=FIRST, last=months[-1], states=states.get("states"))


def drawn(numerators: list[float | None], **options: Any) -> dict[str, Any]:
    definition = options.pop("definition", None) or measure()
    return chart(items(numerators, definition, options.pop("size", 400.0)), definition, place="RGT", **options)


def test_the_points_are_those_of_the_engine_with_what_is_known_of_each_period() -> None:
    resource = drawn(STEADY)

    labels = [point["period"] for point in resource["points"]]
    (answer,) = evaluate(
        [
            Series(
                chart="p",
                labels=labels,
                values=STEADY,
                denominators=[400.0] * 12,
                improvement="decrease",
                multiplier=100.0,
            )
        ]
    )
    for found, point in zip(resource["points"], answer.points, strict=True):
        assert (found["value"], found["centre"], found["lower"], found["upper"], found["signal"]) == (
            point.value, point.centre, point.lower, point.upper, point.signal,
        )  # fmt: skip
    assert resource["points"][0]["numerator"] == 32.0
    assert resource["points"][0]["label"] == "January 2024"


@pytest.mark.parametrize("kind", ["run", "xmr", "i", "mr", "ip", "p", "pp", "u", "up"])
def test_every_kind_of_chart_of_a_ratio_can_be_asked_for(kind: str) -> None:
    resource = drawn(STEADY, asked=kind)

    assert resource["chart"] == kind
    assert len(resource["points"]) == 12


def test_a_shift_is_said_in_one_plain_sentence() -> None:
    resource = drawn([30.0, 40.0] * 9 + [26.0, 28.0, 27.0, 29.0, 27.0, 26.0, 28.0], asked="xmr")

    assert resource["variation"] == "improvement_low"
    assert resource["summary"] == (
        "Preterm births at RGT were 7.0% in January 2026; the last 7 months are below the mean of 8.2%: "
        "special-cause improvement."
    )


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ([60.0], "that is above the upper limit of"),
        ([28.0, 29.0, 30.0, 31.0, 32.0, 33.0, 34.0, 35.0], "the last 8 months have risen at every step"),
        ([32.0], "it varies around the mean of"),
    ],
)
def test_the_sentence_names_what_the_newest_point_shows(tail: list[float], said: str) -> None:
    assert said in drawn([*STEADY, *STEADY, *tail], asked="xmr")["summary"]


@pytest.mark.parametrize("before", [None, 34.0])
def test_a_shift_is_as_long_as_it_is_said_to_be_whatever_lies_before_it(before: float | None) -> None:
    # given a month without a figure before the shift, or one that lies on the centre
    resource = drawn([40.0] * 12 + [28.0] * 4 + [before] + [28.0] * 8, size=400, definition=measure(chart="p"))

    assert [point["rule"] for point in resource["points"][-8:]] == ["shift"] * 8
    assert "the last 8 months are below the mean" in resource["summary"]


def test_a_trend_ends_where_a_month_has_no_figure() -> None:
    resource = drawn([*STEADY, *STEADY, 26.0, None, 28.0, 29.0, 30.0, 31.0, 32.0, 33.0, 34.0], asked="xmr")
    assert "the last 7 months have risen at every step" in resource["summary"]


def test_a_late_newest_period_does_not_hide_the_signal_before_it() -> None:
    definition = measure()
    figures = items([*STEADY, *STEADY, 60.0, None], definition)

    resource = chart(figures, definition, place="RGT", asked="xmr")

    assert resource["points"][-1]["value"] is None
    assert resource["variation"] == "concern_high"
    assert "60" not in resource["summary"]
    assert "15.0% in January 2026" in resource["summary"]
    assert any("was not submitted" in notice for notice in resource["notices"])


def test_an_accepted_step_change_starts_a_segment_and_a_change_idea_only_a_line() -> None:
    notes = [
        {"kind": "step_change", "on": date(2024, 12, 15), "text": "Accepted"},
        {"kind": "change_idea", "on": "2024-06-02", "text": "New clinic"},
        {"kind": "change_idea", "on": "2019-01-01", "text": "Long ago"},
    ]

    resource = drawn([*STEADY, *(x - 10 for x in STEADY)], asked="xmr", annotations=notes)

    assert [(one["first"], one["last"]) for one in resource["segments"]] == [(0, 10), (11, 23)]
    assert [(one["text"], one["point"], one["period"]) for one in resource["annotations"]] == [
        ("New clinic", 5, "2024-06"),
        ("Accepted", 11, "2024-12"),
    ]


def test_a_baseline_that_begins_the_chart_fixes_its_limits() -> None:
    fixed = measure(chart="xmr", baseline={"from": "2024-01", "to": "2024-12"})

    resource = drawn([*STEADY, *(x + 10 for x in STEADY)], definition=fixed)

    assert resource["points"][-1]["centre"] == pytest.approx(sum(STEADY) / 12 / 4)


def test_a_baseline_that_does_not_begin_the_chart_is_left_and_said_to_be() -> None:
    late = measure(chart="xmr", baseline={"from": "2024-06", "to": "2025-06"})

    assert any("baseline" in notice for notice in drawn([*STEADY, *STEADY], definition=late)["notices"])


@pytest.mark.parametrize(("value", "assurance"), [(20.0, "pass"), (1.0, "fail"), (8.0, "inconsistent")])
def test_a_target_gives_assurance_and_is_part_of_the_picture(value: float, assurance: str) -> None:
    resource = drawn([*STEADY, *STEADY], asked="xmr", target={"value": value, "id": "t1"})

    low, high = resource["axes"]["y"]["domain"]
    assert resource["assurance"] == assurance
    assert low <= value <= high
    assert f"target of {value:.1f}%" in resource["alt_text"]


@pytest.mark.parametrize(
    ("changes", "numerators", "size", "expected"),
    [
        ({}, STEADY, 400.0, "p"),
        ({}, STEADY, 4000.0, "pp"),
        ({}, STEADY[:11], 400.0, "run"),
        ({"unit": "per 1,000 bed days"}, STEADY, 400.0, "u"),
        ({"unit": "per 1,000 bed days"}, STEADY, 4000.0, "up"),
        ({"denominator": None, "unit": "count"}, STEADY, 400.0, "xmr"),
        ({"denominator": None, "unit": "count"}, [0.0, 1.0] * 6, 400.0, "run"),
        ({}, STEADY, 31.0, "xmr"),
    ],
)
def test_auto_chooses_the_chart_the_figures_ask_for_and_says_why(
    changes: dict[str, Any], numerators: list[float | None], size: float, expected: str
) -> None:
    resource = drawn(numerators, definition=measure(chart="auto", **changes), size=size)

    assert resource["chart"] == expected
    assert resource["chart_reason"].endswith(".")


@pytest.mark.parametrize(("kind", "changes"), [("c", {}), ("t", {}), ("s", {}), ("p", {"denominator": None})])
def test_a_chart_the_figures_cannot_be_drawn_as_gives_way_with_a_notice(kind: str, changes: dict[str, Any]) -> None:
    resource = drawn(STEADY, definition=measure(**changes), asked=kind)

    assert resource["chart"] != kind
    assert any(f"not the {kind} chart" in notice for notice in resource["notices"])


def dated() -> Definition:
    return measure(numerator={"feed": "f", "value": {"dates": "born"}}, denominator=None, unit="count", chart="t")


def test_time_between_events_is_charted_event_by_event_and_longer_is_better() -> None:
    start = datetime.fromisoformat("2026-01-01T06:00")
    events = [start + timedelta(days=days) for days in (0, 10, 10, 11.5, 400)]

    resource = chart([], dated(), place="RGT", dates=events[::-1])

    assert [point["value"] for point in resource["points"]] == [10.0, 0.5, 1.5, 388.5]
    assert [point["label"] for point in resource["points"]][:2] == ["2026-01-11", "2026-01-11"]
    assert resource["points"][0]["period"] == "2026-01"


def test_a_chart_without_a_single_figure_says_so() -> None:
    resource = drawn([None, None])

    assert resource["summary"] == "Preterm births at RGT: there is no figure to show."
    assert svg(resource).count('class="no-value"') == 2


def test_the_picture_names_and_describes_itself_and_escapes_what_people_wrote() -> None:
    notes = [{"kind": "change_idea", "on": "2024-06-02", "text": "<b>clinic</b> & co"}]

    root = ET.fromstring(svg(drawn([*STEADY, 60.0], asked="xmr", annotations=notes, target={"value": 6.0})))

    assert root.findtext(f"{SVG}title") == "Preterm births: RGT"
    assert "Control chart" in (root.findtext(f"{SVG}desc") or "")
    assert "<b>clinic</b> & co" in [text.text for text in root.iter(f"{SVG}text")]
    assert [line.get("stroke") for line in root.iter(f"{SVG}line") if line.get("class") == "target"] == ["#de1b1b"]


def test_a_picture_leaves_out_what_no_picture_can_hold() -> None:
    note = {"kind": "change_idea", "on": "2024-03-05", "text": "a\x08b\ufffec \U0001f600"}
    said = ET.fromstring(svg(drawn(STEADY, annotations=[note])))
    assert "a\ufffdb\ufffdc \U0001f600" in [one.text for one in said.iter(f"{SVG}text")]


def test_a_signal_is_told_by_shape_as_well_as_by_colour() -> None:
    root = ET.fromstring(svg(drawn([*STEADY, *STEADY, 60.0], asked="xmr")))

    groups = {group.get("class"): group for group in root.iter(f"{SVG}g") if group.get("class") != "legend"}
    assert groups["concern"].get("fill") == "#e46c0a"
    assert groups["concern"].find(f"{SVG}polygon") is not None
    assert groups["common_cause"].find(f"{SVG}circle") is not None
    assert len(set(SHAPES.values())) == len(COLOURS)


def test_the_line_breaks_where_a_period_has_no_value() -> None:
    root = ET.fromstring(svg(drawn([32.0, 31.0, None, 30.0, 33.0])))

    assert len([path for path in root.iter(f"{SVG}path") if (path.get("class") or "").startswith("values")]) == 2


def test_the_csv_has_a_line_for_every_point_and_nothing_for_null() -> None:
    lines = list(csv.DictReader(io.StringIO(csv_text(drawn([32.0, None])))))

    assert [(line["period"], line["status"], line["value"]) for line in lines] == [
        ("2024-01", "value", "8.0"),
        ("2024-02", "not_submitted", ""),
    ]
    assert lines[0]["organisation"] == "RGT"


def test_the_vega_lite_specification_carries_its_data_and_is_json() -> None:
    resource = drawn(STEADY, target={"value": 6.0})

    specification = json.loads(json.dumps(vega_lite(resource)))

    assert len(specification["data"]["values"]) == 12
    assert specification["description"] == resource["alt_text"]
    assert {"datum": 6.0, "type": "quantitative"} in [layer["encoding"].get("y") for layer in specification["layer"]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": "per 1,000 births", "multiplier": 1000, "name": "Stillbirth rate"}, "was 80.0 per 1,000 births"),
        ({"unit": "people", "denominator": None, "chart": "xmr", "multiplier": 1}, "were 32 people"),
    ],
)
def test_figures_are_said_in_the_unit_of_the_measure(changes: dict[str, Any], said: str) -> None:
    assert said in drawn([*STEADY, 32.0], definition=measure(**changes))["summary"]


@pytest.mark.parametrize(
    ("text", "grain", "said"),
    [
        ("2026-09-05", "day", "on 5 September 2026"),
        ("2026-W41", "week", "in week 41 of 2026"),
        ("2026-Q3", "quarter", "in July to September 2026"),
        ("2026-27", "financial_year", "in 2026/27"),
    ],
)
def test_periods_are_said_as_people_say_them(text: str, grain: str, said: str) -> None:
    daily = {**FEED, "period": "day"}
    definition, period = Definition.compile({**measure().source, "period": grain}, {"f": daily}), Period.parse(text)
    figure = Figure(period=text, numerator=1.0, denominator=4.0)

    resource = chart(series(definition, "RGT", [figure], first=period, last=period), definition, place="RGT")

    assert said in resource["summary"]


@pytest.mark.parametrize("kind", ["p", "u", "xmr"])
def test_seven_points_on_one_side_are_a_signal_on_every_chart_of_figures(kind: str) -> None:
    resource = drawn([*STEADY, *[29.0] * 7], definition=measure(chart=kind))

    assert [point["rule"] for point in resource["points"][-7:]] == ["shift"] * 7
    assert {point["signal"] for point in resource["points"][-7:]} == {"improvement"}
    assert resource["variation"] == "improvement_low"
    assert resource["ruleset"]["nhs_rules"] == "limited"

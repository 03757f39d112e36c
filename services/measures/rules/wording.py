"""Figures, periods and verdicts in plain English."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import Any

from services.measures.rules.definitions import Definition
from shared.contracts.periods import Grain, Period

PLURALS: Mapping[Grain, str] = {
    "day": "days", "week": "weeks", "month": "months", "quarter": "quarters", "year": "years",
    "financial_year": "years",
}  # fmt: skip

VERDICTS: Mapping[str, str] = {
    "common_cause": "common-cause variation",
    "improvement": "special-cause improvement",
    "concern": "special-cause concern",
    "neutral_high": "special-cause variation, high",
    "neutral_low": "special-cause variation, low",
}

ASSURANCES: Mapping[str, str] = {
    "pass": "The process will consistently meet the target of {}.",
    "fail": "The process cannot meet the target of {} unless it changes.",
    "inconsistent": "The target of {} will be hit or missed by chance.",
}

NO_FIGURE: Mapping[str, str] = {
    "suppressed": "is suppressed because the numbers are small",
    "not_submitted": "was not submitted",
    "nil_return": "is a nil return",
    "late": "is late",
    "awaiting_denominator": "awaits its denominator",
    "low_quality": "is not shown because of data quality or small numbers",
    "not_applicable": "does not apply",
    "quarantined": "is in quarantine",
}
"""What is said of a period that has no value, by status."""

_ALWAYS_ONE = ("rate", "percentage", "proportion", "number", "share", "ratio", "mean", "median", "count")


def amount(value: float, definition: Definition) -> str:
    """The value as people say it, in the measure's unit: `7.1%`, `4.2 per 1,000 births`, `12`."""
    unit = _unit(definition)
    return f"{_digits(value, definition)} {unit}" if unit else _digits(value, definition)


def unit_title(definition: Definition) -> str:
    """The title of an axis that shows the measure's value."""
    if definition.unit == "percent":
        return "Per cent"
    unit = _unit(definition)
    return unit[0].upper() + unit[1:] if unit else "Count" if definition.denominator is None else "Ratio"


def _digits(value: float, definition: Definition) -> str:
    if definition.unit == "percent":
        return f"{value:,.1f}%"
    if value == int(value) and definition.denominator is None:
        return f"{value:,.0f}"
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2}f}"


def _unit(definition: Definition) -> str:
    """The unit to write behind a figure; where it only says that there is one, what the multiplier makes it."""
    if definition.unit not in ("", "rate", "count", "percent", "proportion", "ratio"):
        return definition.unit
    return f"per {definition.multiplier:,.0f}" if definition.multiplier > 1 and definition.unit != "percent" else ""


@lru_cache(maxsize=5_000)  # every chart names the same few hundred
def period_name(text: str) -> str:
    """The period as people say it: `September 2026`, `week 41 of 2026`, `July to September 2026`."""
    period = Period.parse(text)
    start = period.start
    names: dict[Grain, str] = {
        "day": f"{start.day} {start:%B %Y}",
        "week": f"week {text[-2:]} of {text[:4]}",
        "month": f"{start:%B %Y}",
        "quarter": f"{start:%B} to {period.end:%B %Y}",
        "year": text,
        "financial_year": text.replace("-", "/"),
    }
    return names[period.grain]


def _during(text: str) -> str:
    return f"{'on' if Period.parse(text).grain == 'day' else 'in'} {period_name(text)}"


def were(name: str) -> str:
    """`was` or `were`, as the name of a measure asks: births were, a rate of births was."""
    words = [word.lower().strip(",.()") for word in name.split()]
    if any(word in _ALWAYS_ONE for word in words):
        return "was"
    plural = any(len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) for word in words)
    return "were" if plural or "babies" in words else "was"


def summary(chart: Mapping[str, Any], definition: Definition, place: str) -> str:
    """One plain sentence: the newest figure, what the process is doing, and what that is called."""
    title = f"{definition.name} at {place}"
    points = [point for point in chart["points"] if point["value"] is not None]
    if not points:
        return f"{title}: there is no figure to show."
    last = points[-1]
    between = chart["chart"] in ("g", "t")
    value = _gap(last["value"]) if between else amount(last["value"], definition)
    when = f"at the event of {last['label']}" if between else _during(last["period"])
    verb = "the time between events was" if between else were(definition.name)
    opening = f"{title}: {verb} {value} {when}" if between else f"{title} {verb} {value} {when}"
    return f"{opening}; {_behaviour(chart, points, definition)}."


def alt_text(chart: Mapping[str, Any], definition: Definition, place: str) -> str:
    """What the chart shows, for somebody who cannot see it: kind, span, range, centre, limits, verdict."""
    points = [point for point in chart["points"] if point["value"] is not None]
    kind = "Run chart" if chart["chart"] == "run" else f"Control chart ({chart['chart']})"
    opening = f"{kind} of {definition.name} at {place}"
    if not points:
        return f"{opening}. No figures."
    values = [point["value"] for point in points]
    said = _said(chart, definition)
    text = f"{opening}, {points[0]['label']} to {points[-1]['label']}: {len(points)} points from {said(min(values))}"
    text += f" to {said(max(values))}."
    last = points[-1]
    if last["centre"] is not None:
        text += f" The centre line is {said(last['centre'])}"
        text += (
            f", limits {_limits(last, chart, definition)}."
            if last["lower"] is not None and last["upper"] is not None
            else "."
        )
    if chart["assurance"] and chart["target"]:
        text += " " + ASSURANCES[chart["assurance"]].format(amount(chart["target"]["value"], definition))
    return f"{text} {summary(chart, definition, place)}"


def _behaviour(chart: Mapping[str, Any], points: Sequence[Mapping[str, Any]], definition: Definition) -> str:
    last = points[-1]
    said = _said(chart, definition)
    if last["centre"] is None:
        return "there are too few figures to say how it varies"
    rule = last["rule"]
    mean = f"the {'median' if chart['chart'] in ('run', 'g') else 'mean'} of {said(last['centre'])}"
    side = "above" if last["value"] > last["centre"] else "below"
    grain = "events" if chart["chart"] in ("g", "t") else PLURALS[Period.parse(last["period"]).grain]
    verdict = VERDICTS[last["signal"]]
    if rule == "outside" or last["outside"]:
        limit = last["upper"] if side == "above" else last["lower"]
        return f"that is {side} the {'upper' if side == 'above' else 'lower'} limit of {said(limit)}: {verdict}"
    if rule == "trend":
        rising = len(points) > 1 and last["value"] > points[-2]["value"]
        return f"the last {_trend(chart)} {grain} have {'risen' if rising else 'fallen'} at every step: {verdict}"
    if rule == "two_of_three":
        limit = "upper" if side == "above" else "lower"
        return f"two of three {grain} in a row are close to the {limit} limit: {verdict}"
    if rule == "shift" or _unusual_run(chart):
        verdict = _verdict(chart["variation"]) if rule is None else verdict
        return f"the last {_run(chart)} {grain} are {side} {mean}: {verdict}"
    if any(run["signal"] for run in chart["runs"] if run["segment"] == last["segment"]) and chart["chart"] != "xmr":
        return f"the runs around {mean} are longer or fewer than chance explains, a sign of change"
    if last["lower"] is None or last["upper"] is None:
        return f"it varies around {mean}, with no sign of change"
    return f"it varies around {mean}, within limits of {_limits(last, chart, definition)}: {verdict}"


def _verdict(variation: str) -> str:
    return VERDICTS.get(variation) or VERDICTS[variation.removesuffix("_high").removesuffix("_low")]


def _said(chart: Mapping[str, Any], definition: Definition) -> Any:
    if chart["chart"] in ("g", "t"):
        return _gap
    return lambda value: amount(value, definition)


def _gap(days: float) -> str:
    return f"{days:,.0f} days" if days >= 10 else f"{days:,.1f} days"


def _limits(point: Mapping[str, Any], chart: Mapping[str, Any], definition: Definition) -> str:
    low, high = point["lower"], point["upper"]
    if chart["chart"] in ("g", "t"):
        return f"{low:,.0f} to {_gap(high)}"
    return f"{_digits(low, definition)} to {amount(high, definition)}"


def _unusual_run(chart: Mapping[str, Any]) -> bool:
    """Whether the run that is still going on is what gave a chart without NHS rules its icon."""
    last = _newest(chart)[-1]
    longest = [run["longest_run_max"] for run in chart["runs"] if run["segment"] == last["segment"]]
    shown = chart["variation"] != "common_cause" and last["rule"] is None
    return shown and any(most is not None and _run(chart) > most for most in longest)


def _newest(chart: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The points of the last segment with a value, up to the last that has one; periods without one are among them."""
    points = chart["points"]
    last = max(number for number, point in enumerate(points) if point["value"] is not None)
    return [point for point in points[: last + 1] if point["segment"] == points[last]["segment"]]


def _run(chart: Mapping[str, Any]) -> int:
    """How many of the last points are on one side of the centre, in the last segment.

    A point on the centre, or without a value, ends an NHS shift; in the runs test it is passed over.
    """
    points = _newest(chart)
    sides = [
        0 if point["value"] is None else (point["value"] > point["centre"]) - (point["value"] < point["centre"])
        for point in reversed(points)
    ]
    told = sides if points[-1]["rule"] == "shift" else [side for side in sides if side]
    return sum(1 for _ in takewhile(lambda side: side == told[0], told))


def _trend(chart: Mapping[str, Any]) -> int:
    """How many of the last points rise, or fall, at every step, in the last segment; a missing one ends it."""
    values = [point["value"] for point in _newest(chart)]
    steps = [
        0 if earlier is None or later is None else (later > earlier) - (later < earlier)
        for earlier, later in pairwise(values)
    ]
    return 1 + sum(1 for _ in takewhile(lambda step: step == steps[-1], reversed(steps)))

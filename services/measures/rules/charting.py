"""The chart of a series: everything a front end draws, with nothing left to work out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, cast

import msgspec

from services.measures.rules import wording
from services.measures.rules.chart_choice import FEWEST_FOR_LIMITS, choose
from services.measures.rules.definitions import Definition
from services.measures.rules.spc import Ruleset, Series, evaluate
from services.measures.rules.spc.series import ChartName
from shared.contracts.periods import Period

EVERY_CHART = Ruleset(nhs_rules="limited")
"""Charts of figures are judged by the NHS rules whatever their kind, so that the same signal looks the same."""

_DIVIDED = ("p", "pp", "u", "up", "ip")
_BETWEEN = ("g", "t")
_SAME_MOMENT = 0.5


def chart(
    items: Sequence[Mapping[str, Any]],
    definition: Definition,
    *,
    place: str,
    asked: str | None = None,
    target: Mapping[str, Any] | None = None,
    annotations: Iterable[Mapping[str, Any]] = (),
    dates: Sequence[datetime] = (),
    ruleset: Ruleset | None = None,
) -> dict[str, Any]:
    """The chart resource of `GET /v1/charts` for the items of one series and stratum (`series.series`).

    `place` is the name to call the organisation by. `target` has a `value` in the measure's unit, and whatever else
    should be shown. An annotation has `kind`, `on` (a date) and `text`; a `step_change` starts a new segment at the
    first period that ends on or after its day. `dates` are those of the events, for g and t charts, whose points are
    gaps of days between one event and the next, labelled by the later. Periods without a value are points with null.
    """
    choice = choose(definition, items, asked=asked, dates=len(dates))
    between = choice.chart in _BETWEEN
    told = list(annotations)
    rows = _gaps(dates, choice.chart, definition) if between else [dict(item) for item in items]
    steps = _steps(rows, told, between)
    goal = None if between or target is None else target
    fix_after, baseline_notice = baseline_points(definition, [] if between else [row["period"] for row in rows])
    answer = _answer(rows, definition, choice.chart, goal, steps, fix_after, ruleset or EVERY_CHART)
    if definition.rolling > 1:
        answer |= {"variation": "common_cause", "assurance": None, "runs": []}
    points = [_point(row, point, between) for row, point in zip(rows, answer["points"], strict=True)]
    resource: dict[str, Any] = {
        "measure": definition.measure,
        "measure_version": definition.version,
        "name": definition.name,
        "organisation": items[0]["organisation"] if items else None,
        "organisation_name": place,
        "stratum": items[0]["stratum"] if items else "",
        "unit": definition.unit,
        "multiplier": definition.multiplier,
        "improvement": definition.improvement,
        "chart": choice.chart,
        "chart_reason": choice.reason,
        "ruleset": answer["ruleset"],
        "points": points,
        "segments": answer["segments"],
        "target": None if goal is None else dict(goal),
        "annotations": _placed(told, rows, between),
        "variation": _variation(points, answer["variation"]),
        "assurance": answer["assurance"],
        "runs": answer["runs"],
    }
    resource["axes"] = _axes(resource, definition)
    resource["notices"] = [
        *([choice.reason] if choice.instead else []),
        *baseline_notice,
        *_about_periods(rows, between),
        *_about_target(target, definition, between),
        *answer["notices"],
    ]
    resource["summary"] = wording.summary(resource, definition, place)
    resource["alt_text"] = wording.alt_text(resource, definition, place)
    return resource


def _answer(
    rows: Sequence[Mapping[str, Any]],
    definition: Definition,
    kind: str,
    target: Mapping[str, Any] | None,
    steps: Sequence[int],
    fix_after: int | None,
    ruleset: Ruleset,
) -> dict[str, Any]:
    series = engine_series(
        definition,
        kind,
        labels=[row["label"] if kind in _BETWEEN else row["period"] for row in rows],
        values=[row["value"] for row in rows],
        numerators=[row["numerator"] for row in rows],
        denominators=[row["denominator"] for row in rows],
        target=None if target is None else float(target["value"]),
        rebase=steps,
        fix_after=fix_after,
    )
    (answer,) = evaluate([series], ruleset=ruleset)
    return cast("dict[str, Any]", msgspec.to_builtins(answer))


def engine_series(
    definition: Definition,
    kind: str,
    *,
    labels: Sequence[str],
    values: Sequence[float | None],
    numerators: Sequence[float | None],
    denominators: Sequence[float | None],
    target: float | None = None,
    rebase: Sequence[int] = (),
    fix_after: int | None = None,
) -> Series:
    """What the engine is asked for a chart of this kind; a point without a value has no figures."""
    divided = kind in _DIVIDED and definition.denominator is not None
    column = numerators if divided or kind == "c" else values
    return Series(
        id=definition.measure,
        chart=cast("ChartName", kind),
        labels=labels,
        values=[one if has is not None else None for one, has in zip(column, values, strict=True)],
        denominators=[one if has is not None else None for one, has in zip(denominators, values, strict=True)]
        if divided
        else None,
        improvement=_direction(definition, kind),
        target=target,
        rebase=list(rebase),
        fix_after=fix_after,
        multiplier=definition.multiplier if divided else 1.0,
    )


def _direction(definition: Definition, kind: str) -> Any:
    """Time between events that should be fewer is better longer."""
    if kind not in _BETWEEN:
        return definition.improvement
    return {"increase": "decrease", "decrease": "increase", "neutral": "neutral"}[definition.improvement]


def _point(row: Mapping[str, Any], point: Mapping[str, Any], between: bool) -> dict[str, Any]:
    kept = ("period", "numerator", "denominator", "lower_95", "upper_95", "status", "provisional", "completeness")
    named = {key: row[key] for key in kept}
    return {**point, **named, "label": row["label"] if between else wording.period_name(row["period"])}


def _gaps(dates: Sequence[datetime], kind: str, definition: Definition) -> list[dict[str, Any]]:
    """The days between each event and the one before. Two events at one moment count as half a day apart."""
    rows = []
    for before, after in pairwise(sorted(dates)):
        days = (after.date() - before.date()).days if kind == "g" else (after - before).total_seconds() / 86400
        rows.append(
            {
                "label": after.date().isoformat(),
                "on": after.date(),
                "period": Period.of(after.date(), definition.period).text,
                "numerator": None,
                "denominator": None,
                "value": float(days) if kind == "g" else max(days, _SAME_MOMENT if days == 0 else days),
                "lower_95": None,
                "upper_95": None,
                "status": "value",
                "provisional": False,
                "completeness": 1.0,
            }
        )
    return rows


def _end(row: Mapping[str, Any], between: bool) -> date:
    return row["on"] if between else Period.parse(row["period"]).end


def _index(day: date, rows: Sequence[Mapping[str, Any]], between: bool) -> int | None:
    """The first point that ends on or after the day; None when all end before it or it lies before the first."""
    found = next((n for n, row in enumerate(rows) if _end(row, between) >= day), None)
    if found == 0 and not between and day < Period.parse(rows[0]["period"]).start:
        return None
    return found


def _steps(rows: Sequence[Mapping[str, Any]], annotations: Sequence[Mapping[str, Any]], between: bool) -> list[int]:
    days = [_day(one["on"]) for one in annotations if one["kind"] == "step_change"]
    return _sorted_steps(_index(day, rows, between) for day in days)


def steps_of(periods: Sequence[str], days: Iterable[date]) -> list[int]:
    """Where the step changes of these days begin a new segment of a chart of these periods."""
    rows = [{"period": period} for period in periods]
    return _sorted_steps(_index(day, rows, between=False) for day in days)


def _sorted_steps(found: Iterable[int | None]) -> list[int]:
    return sorted({index for index in found if index is not None and index > 0})


def _placed(
    annotations: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], between: bool
) -> list[dict[str, Any]]:
    """The annotations that fall on the chart, each with the index and the period of its point, in order of time."""
    found = [(one, _index(_day(one["on"]), rows, between)) for one in annotations]
    drawn = [
        {**one, "on": _day(one["on"]).isoformat(), "point": index, "period": rows[index]["period"]}
        for one, index in found
        if index is not None
    ]
    return sorted(drawn, key=lambda one: one["on"])


def _day(on: date | str) -> date:
    return date.fromisoformat(on[:10]) if isinstance(on, str) else on


def baseline_points(definition: Definition, periods: Sequence[str]) -> tuple[int | None, list[str]]:
    """How many first points fix the limits, as the definition's baseline says, and what to say if they cannot."""
    baseline = definition.source.get("baseline")
    if not baseline or not periods:
        return None, []
    first, last = Period.parse(baseline["from"]), Period.parse(baseline["to"])
    inside = sum(1 for period in periods if first.start <= Period.parse(period).start <= last.end)
    if Period.parse(periods[0]).start < first.start or inside < FEWEST_FOR_LIMITS:
        return None, [f"Limits come from all points: the baseline {first} to {last} is not how this chart begins."]
    return inside, []


def _variation(points: Sequence[Mapping[str, Any]], found: str) -> str:
    """The icon: that of the last point which has a value, so that a late return does not hide a signal."""
    if not points or points[-1]["value"] is not None or found != "common_cause":
        return found
    last = next((point for point in reversed(points) if point["value"] is not None), None)
    if last is None or last["signal"] == "common_cause":
        return "common_cause"
    if last["signal"].startswith("neutral"):
        return str(last["signal"])
    return f"{last['signal']}_{'high' if last['value'] > last['centre'] else 'low'}"


def _about_periods(rows: Sequence[Mapping[str, Any]], between: bool) -> list[str]:
    if between:
        return ["Each point is the days from one event to the next."]
    notices = []
    for status, said in wording.NO_FIGURE.items():
        periods = [wording.period_name(row["period"]) for row in rows if row["status"] == status]
        if periods:
            named = ", ".join(periods[:3]) + (f" and {len(periods) - 3} more" if len(periods) > 3 else "")
            notices.append(f"No value: {named} {said if len(periods) == 1 else f'({status})'}.")
    provisional = sum(1 for row in rows if row["provisional"])
    if provisional:
        notices.append(f"{provisional} of the points {'is' if provisional == 1 else 'are'} provisional and may change.")
    partial = sum(1 for row in rows if row["value"] is not None and (row["completeness"] or 0) < 1)
    failed = sum(1 for row in rows if row.get("failed"))
    if failed:
        notices.append(f"{failed} of the points leave{'s' if failed == 1 else ''} out returns of low quality.")
    if partial:
        notices.append(f"{partial} of the points {'lacks' if partial == 1 else 'lack'} some of the returns expected.")
    return notices


def _about_target(target: Mapping[str, Any] | None, definition: Definition, between: bool) -> list[str]:
    if target is None:
        return []
    if between:
        return ["The target is not drawn: it is not a time between events."]
    lapsed = target.get("status") == "lapsed"
    return [f"The target of {wording.amount(target['value'], definition)} has lapsed."] if lapsed else []


def _axes(resource: Mapping[str, Any], definition: Definition) -> dict[str, Any]:
    points = resource["points"]
    lines = ("value", "lower", "upper", "centre")
    heights = [point[line] for point in points for line in lines if point[line] is not None]
    heights += [] if resource["target"] is None else [resource["target"]["value"]]
    between = resource["chart"] in _BETWEEN
    return {
        "x": {
            "title": "Event" if between else _grain_title(points, definition),
            "domain": [points[0]["label"], points[-1]["label"]] if points else [],
        },
        "y": {"title": "Days between events" if between else wording.unit_title(definition), "domain": _room(heights)},
    }


def _grain_title(points: Sequence[Mapping[str, Any]], definition: Definition) -> str:
    grain = Period.parse(points[-1]["period"]).grain if points else definition.period
    return grain.replace("_", " ").capitalize()


def _room(heights: Sequence[float]) -> list[float]:
    """A domain that holds everything drawn with a twentieth to spare, and that crosses 0 only if something does."""
    if not heights:
        return [0.0, 1.0]
    low, high = min(heights), max(heights)
    spare = (high - low) / 20 or abs(high) / 10 or 1.0
    return [max(low - spare, 0.0) if low >= 0 else low - spare, high + spare]

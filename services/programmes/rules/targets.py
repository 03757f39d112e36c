"""Is a target one that can be judged: from what, to what, by when, for whom?"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

from services.programmes.rules.conditions import Problem
from services.programmes.rules.programmes import STAGES
from shared.contracts.periods import Period

KINDS = ("level", "relative_change", "count_difference", "share_of_organisations")
NEED_A_BASELINE = ("relative_change", "count_difference")
STATUSES = ("active", "met", "missed", "lapsed", "superseded")
DIRECTIONS = ("increase", "decrease")
SHAPES = ("linear", "compounding", "stepped")
NEEDED = ("id", "version", "name", "kind", "value", "direction", "scope", "status", "source")


def problems(
    target: Mapping[str, Any],
    *,
    measures: Collection[str],
    organisations: Collection[str],
    targets: Collection[str],
) -> list[Problem]:
    """Everything wrong with a target as (JSON Pointer, message); the collections are the ids and codes that exist.

    `baseline` is `{"value": v, "period": p}`, where p may be two periods with a slash between, or `{"basis": "own"}`:
    each organisation's own. `trajectory` has a `shape` and, for `stepped`, `points` of period and value.
    """
    found = [(f"/{name}", "is needed") for name in NEEDED if target.get(name) in (None, "")]
    for name, allowed in (("kind", KINDS), ("status", STATUSES), ("direction", DIRECTIONS)):
        if target.get(name) and target[name] not in allowed:
            found.append((f"/{name}", f"{target[name]!r} is not one of {', '.join(allowed)}"))
    if isinstance(target.get("value"), bool) or not isinstance(target.get("value", 0), int | float):
        found.append(("/value", "give a number"))
    found += _refers(target, measures, organisations, targets)
    found += _baseline(target)
    found += _trajectory(target)
    if target.get("due") is not None:
        found += _day(target, "due")
    return found


def _refers(
    target: Mapping[str, Any], measures: Collection[str], organisations: Collection[str], targets: Collection[str]
) -> Iterator[Problem]:
    if target.get("kind") == "share_of_organisations":
        share = target.get("organisations", {})
        if not share.get("kind"):
            yield "/organisations", 'say which: {"kind": "icb", "change_idea": ..., "stage": ...}'
        if share.get("stage") not in (None, *STAGES):
            yield "/organisations/stage", f"{share['stage']!r} is not one of {', '.join(STAGES)}"
    elif target.get("measure") not in measures:
        yield "/measure", f"{target.get('measure')!r} does not exist"
    if target.get("scope") and target["scope"] not in organisations:
        yield "/scope", f"{target['scope']!r} is not a registered organisation"
    for key in ("superseded_by", "part_of"):
        if target.get(key) is not None and target[key] not in targets:
            yield f"/{key}", f"{target[key]!r} is not a target"
    if target.get("status") == "superseded" and not target.get("superseded_by"):
        yield "/superseded_by", "say by which target"


def _baseline(target: Mapping[str, Any]) -> Iterator[Problem]:
    baseline = target.get("baseline")
    if baseline is None:
        if target.get("kind") in NEED_A_BASELINE:
            yield "/baseline", f"a {target['kind']} is measured from one: give its value and period, or basis = own"
        return
    if baseline.get("basis") == "own":
        return
    for part in str(baseline.get("period", "")).split("/"):
        yield from _period(part, "/baseline/period")


def _trajectory(target: Mapping[str, Any]) -> Iterator[Problem]:
    trajectory = target.get("trajectory")
    if trajectory is None:
        return
    if trajectory.get("shape") not in SHAPES:
        yield "/trajectory/shape", f"{trajectory.get('shape')!r} is not one of {', '.join(SHAPES)}"
    if not target.get("due"):
        yield "/due", "a trajectory ends on a day: give it"
    if target.get("baseline") is None:
        yield "/baseline", "a trajectory starts from one: give its value and period"
    if trajectory.get("shape") == "stepped" and not trajectory.get("points"):
        yield "/trajectory/points", "give each step as period and value"
    for number, point in enumerate(trajectory.get("points", ())):
        yield from _period(str(point.get("period", "")), f"/trajectory/points/{number}/period")


def _period(text: str, pointer: str) -> Iterator[Problem]:
    try:
        Period.parse(text)
    except ValueError as reason:
        yield pointer, str(reason)


def _day(target: Mapping[str, Any], name: str) -> Iterator[Problem]:
    try:
        date.fromisoformat(str(target[name]))
    except ValueError:
        yield f"/{name}", "write a day such as 2026-10-05"

"""Previewing a draft: the figures it would give over the last two years, beside those of the version that is live."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.measures.commands.book import Book
from services.measures.commands.cells import batches
from services.measures.commands.computing import Figures, computed
from services.measures.models import ReturnVersion
from services.measures.queries import organisations
from services.measures.queries.definitions import definitions_of, specifications
from services.measures.queries.organisations import Sight
from services.measures.queries.targets import targets_of
from services.measures.queries.wholes import step_changes
from services.measures.rules import goals
from services.measures.rules.definitions import Definition
from services.measures.rules.feeds import Feed
from services.measures.rules.figures import default_grain
from services.measures.rules.judging import Judgement, Track, judged, value_of
from services.measures.rules.targets import reaches
from shared.contracts.periods import Period

MONTHS = 24
MOST_SHOWN = 1000

Cells = dict[tuple[str, str, str], tuple[float | None, float | None]]
"""(numerator, denominator) by organisation, period and stratum."""


def preview(session: Session, draft: Mapping[str, Any], sight: Sight, *, today: date) -> dict[str, Any]:
    """What would change if the draft were live: cells, icons, targets reached. Changes nothing.

    Everything is counted; figures are shown only of organisations the caller sees exactly, the first 1,000 cells.
    Raises InvalidDefinition (of the rules) for a draft that cannot be computed.
    """
    feeds = {name: dict(spec) for name, spec in specifications(session).items()}
    proposed = Definition.compile(draft, feeds)
    live = definitions_of(session, measures=[proposed.measure]).get(proposed.measure)
    since = _months_before(min(today, _newest_day(session, proposed) or today), MONTHS)
    after = _cells(session, proposed, feeds, since)
    before = _cells(session, live, feeds, since) if live is not None else {}
    changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    shown = [key for key in changed if sight.exact(key[0])]
    return {
        "measure": proposed.measure,
        "from": since,
        "live_version": live.version if live else None,
        "draft_version": proposed.version,
        "cells": {
            "before": len(before), "after": len(after), "changed": len(changed),
            "added": sum(key not in before for key in changed), "removed": sum(key not in after for key in changed),
        },
        "changes": [
            {"organisation": key[0], "period": key[1], "stratum": key[2],
             "before": _figure(live, before.get(key)), "after": _figure(proposed, after.get(key))}
            for key in shown[:MOST_SHOWN]
        ],
        "changes_total": len(shown),
        **_verdicts(session, live, proposed, before, after, sight, today),
    }  # fmt: skip


def _newest_day(session: Session, definition: Definition) -> date | None:
    """The last day that a current return of its feeds tells of: the two years end there."""
    return session.execute(
        select(func.max(ReturnVersion.end)).where(
            ReturnVersion.feed.in_(definition.feeds),
            ReturnVersion.replaced_at.is_(None),
            ReturnVersion.applied_at.is_not(None),
        )
    ).scalar_one()


def _months_before(day: date, months: int) -> date:
    month = day.year * 12 + day.month - 1 - months
    return date(month // 12, month % 12 + 1, 1)


def _cells(session: Session, definition: Definition, feeds: Mapping[str, dict[str, Any]], since: date) -> Cells:
    known = Book(
        {definition.measure: definition}, {name: Feed.of(feeds[name]) for name in definition.feeds if name in feeds}
    )
    found: Cells = {}
    for batch in batches(session, definition.feeds, since=since):
        for cells, _, _ in computed(session, batch, known):
            found.update(_flat(cells, since))
    return found


def _flat(
    cells: Iterable[Figures], since: date
) -> Iterator[tuple[tuple[str, str, str], tuple[float | None, float | None]]]:
    for one in cells:
        if one.start >= since:
            for stratum, numerator, denominator in zip(one.strata, one.numerator, one.denominator, strict=True):
                yield (one.organisation, one.period, stratum), (numerator, denominator)


def _figure(definition: Definition | None, pair: tuple[float | None, float | None] | None) -> dict[str, Any] | None:
    if definition is None or pair is None:
        return None
    return {"numerator": pair[0], "denominator": pair[1], "value": value_of(definition, *pair)}


def _verdicts(
    session: Session,
    live: Definition | None,
    proposed: Definition,
    before: Cells,
    after: Cells,
    sight: Sight,
    today: date,
) -> dict[str, Any]:
    """Whose icon would change, and who would cross a target, among those the caller sees exactly."""
    codes = sorted({key[0] for key in {*before, *after} if sight.exact(key[0])})
    steps = step_changes(session, codes, [proposed.measure])
    targets = _targets(session, proposed, codes, today)
    now_ = _judged(live, before, codes, steps, targets) if live is not None else [None] * len(codes)
    then = _judged(proposed, after, codes, steps, targets)
    icons, crossings = [], []
    for code, was, will in zip(codes, now_, then, strict=True):
        if was is None:
            continue
        if _icon(was) != _icon(will):
            icons.append({"organisation": code, "before": _icon(was), "after": _icon(will)})
        goal = goals.goal(targets[code], (), proposed) if code in targets else None
        if isinstance(goal, goals.Goal) and _reached(was, goal) != _reached(will, goal):
            crossings.append({
                "organisation": code, "target": targets[code]["id"], "level": goal.value, "before": was.value,
                "after": will.value, "reached": _reached(will, goal),
            })  # fmt: skip
    return {"icons": icons, "crossings": crossings}


def _targets(session: Session, proposed: Definition, codes: Sequence[str], today: date) -> dict[str, Mapping[str, Any]]:
    given = targets_of(session, [proposed.measure])[proposed.measure]
    if not given:
        return {}
    places = organisations.places(session, codes=codes)
    chosen = {one.code: goals.chosen(given, one.code, organisations.ancestors(session, one)) for one in places}
    return {code: target for code, target in chosen.items() if target is not None}


def _judged(
    definition: Definition,
    cells: Cells,
    codes: Sequence[str],
    steps: Mapping[tuple[str, str], Any],
    targets: Mapping[str, Mapping[str, Any]],
) -> list[Judgement]:
    wholes: dict[str, dict[str, tuple[float | None, float | None]]] = defaultdict(dict)
    for (code, period, stratum), pair in cells.items():
        if stratum == "":
            wholes[code][period] = pair
    tracks = []
    for code in codes:
        grain = default_grain((Period.parse(one).grain for one in wholes[code]), definition.period)
        figures = {period: pair for period, pair in wholes[code].items() if Period.parse(period).grain == grain}
        track = Track(definition, figures, steps.get((code, definition.measure), ()))
        goal = goals.goal(targets[code], (), definition) if code in targets else None
        tracks.append(replace(track, target=goal.value) if isinstance(goal, goals.Goal) else track)
    return judged(tracks)


def _icon(one: Judgement) -> dict[str, Any]:
    return {
        "variation": one.icons.variation if one.icons else None,
        "assurance": one.icons.assurance if one.icons else None,
    }


def _reached(one: Judgement, goal: goals.Goal) -> bool:
    return one.value is not None and reaches(one.value, goal.value, goal.direction)

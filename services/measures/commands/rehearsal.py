"""Rehearsing returns that were not sent: they are applied as always, what that changes is told, and it is undone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.measures.commands.returns import make_current
from services.measures.models import Change, Signal
from services.measures.queries import organisations
from services.measures.queries.asking import Asked
from services.measures.queries.definitions import definitions_of
from services.measures.queries.organisations import Sight
from services.measures.queries.progress import progress
from services.measures.queries.targets import targets_of
from services.measures.rules import goals
from services.measures.rules.definitions import Definition
from services.measures.rules.judging import value_of
from shared.contracts.ingest import ReturnPublished
from shared.db import driver

MOST_SHOWN = 1000
MOST_STANDINGS = 100

Pairs = Mapping[str, tuple[float | None, float | None]]
"""(numerator, denominator) by stratum."""
Key = tuple[str, str, str]
"""A cell: measure, organisation and period."""


def rehearse(session: Session, events: Sequence[ReturnPublished], asked: Asked) -> dict[str, Any]:
    """The `cells`, `signals` and `targets` that would change if these returns came now. Changes nothing.

    Everything is counted (`cells_total`); of organisations that the caller does not see exactly nothing is shown.
    Targets are looked at for the first 100 pairs of organisation and measure.
    """
    sight = organisations.sight(session, asked.caller)
    shown = sorted({one.organisation for one in events if sight.exact(one.organisation)})
    moved = _measures(session, {one.feed for one in events})
    holding = _holding(session, asked, shown, moved)
    before = _standings(session, asked, holding)
    attempt = session.begin_nested()
    try:
        change = make_current(session, events)
        if change is None:
            return {"cells": [], "cells_total": 0, "signals": [], "targets": []}
        cells = _changed(_cells_of(session, change), _cells_before(session, change))
        after = _standings(session, asked, holding)
        return {
            "cells": list(_shown(cells, moved, sight))[:MOST_SHOWN],
            "cells_total": len(cells),
            "signals": [one for one in _signals(session, change) if sight.exact(one["organisation"])],
            "targets": [_moved(one, other) for one, other in zip(before, after, strict=True) if one != other],
        }
    finally:
        attempt.rollback()


def _measures(session: Session, feeds: set[str]) -> dict[str, Definition]:
    """The measures whose figures are made from rows of these feeds, or come ready counted with them."""
    known = definitions_of(session)
    return {name: one for name, one in known.items() if feeds & set(one.feeds)}


def _cells_of(session: Session, change: int) -> dict[Key, Pairs]:
    return _read(session, "change = %s", change)


def _cells_before(session: Session, change: int) -> dict[Key, Pairs]:
    """The cells that ended with the change."""
    return _read(session, "known_to = (select at from change where number = %s)", change)


def _read(session: Session, condition: str, change: int) -> dict[Key, Pairs]:
    rows = driver(session).execute(
        f"select measure, organisation, period, strata, numerator, denominator from cell where {condition}",  # noqa: S608
        (change,),
    )
    return {
        (measure, organisation, period): dict(zip(strata, zip(numerators, denominators, strict=True), strict=True))
        for measure, organisation, period, strata, numerators, denominators in rows
    }


def _changed(after: Mapping[Key, Pairs], before: Mapping[Key, Pairs]) -> dict[Key, tuple[Pairs | None, Pairs | None]]:
    """Cells that are not as they were, in any stratum: before and after."""
    keys = sorted({*after, *before})
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def _shown(
    cells: Mapping[Key, tuple[Pairs | None, Pairs | None]], known: Mapping[str, Definition], sight: Sight
) -> Iterable[dict[str, Any]]:
    for (measure, organisation, period), (before, after) in cells.items():
        if sight.exact(organisation):
            yield {
                "measure": measure,
                "organisation": organisation,
                "period": period,
                "before": _figure(known.get(measure), before),
                "after": _figure(known.get(measure), after),
            }


def _figure(definition: Definition | None, pairs: Pairs | None) -> dict[str, Any] | None:
    if definition is None or pairs is None:
        return None
    numerator, denominator = pairs.get("", (None, None))
    value = value_of(definition, numerator, denominator)
    return {"numerator": numerator, "denominator": denominator, "value": value}


def _signals(session: Session, change: int) -> list[dict[str, Any]]:
    """Those that would be detected, and those that would be resolved."""
    instant = select(Change.at).where(Change.number == change).scalar_subquery()
    rows = session.scalars(
        select(Signal)
        .where((Signal.data_version == change) | (Signal.resolved_at == instant))
        .order_by(Signal.organisation, Signal.measure, Signal.resolved_at.is_(None))
    )
    return [
        {
            "organisation": one.organisation,
            "measure": one.measure,
            "period": one.period,
            "variation": one.variation,
            "rule": one.rule,
            "state": "detected" if one.resolved_at is None else "resolved",
        }
        for one in rows
    ]


def _holding(
    session: Session, asked: Asked, codes: Iterable[str], measures: Mapping[str, Definition]
) -> list[tuple[str, str]]:
    """Each target, with an organisation, that holds for these organisations and measures; the first 100."""
    given = {measure: found for measure, found in targets_of(session, list(measures)).items() if found}
    if not given:
        return []
    holding: list[tuple[str, str]] = []
    for place in organisations.places(session, codes=codes):
        above = organisations.ancestors(session, place)
        chosen = (goals.chosen(found, place.code, above) for found in given.values())
        holding += [(target["id"], place.code) for target in chosen if target is not None]
        if len(holding) >= MOST_STANDINGS:
            break
    return holding[:MOST_STANDINGS]


def _standings(session: Session, asked: Asked, holding: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    found = (progress(session, asked, target, organisation=organisation) for target, organisation in holding)
    return [{name: one[name] for name in ("id", "organisation", "measure", "status", "now")} for one in found]


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": after["id"],
        "organisation": after["organisation"],
        "measure": after["measure"],
        "before": {"status": before["status"], "now": before["now"]},
        "after": {"status": after["status"], "now": after["now"]},
    }

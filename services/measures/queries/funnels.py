"""Funnels: every organisation of a kind in one period, and which differ from the rest by more than chance."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.measures.problems import NotComparable
from services.measures.queries import organisations
from services.measures.queries.asking import Asked, rules_for, stated
from services.measures.queries.cells import known_then
from services.measures.queries.definitions import definition_of
from services.measures.queries.organisations import Place
from services.measures.queries.wholes import Shown, forbidden, shown, wholes
from services.measures.rules import funnel
from services.measures.rules.definitions import Definition
from services.measures.rules.invalid import InvalidRow
from shared.contracts.periods import Period
from shared.db import driver

_LIMITS = ("ratio", "z", "lower_95", "upper_95", "lower_998", "upper_998", "outlier")
_CURVE_ROWS = 100


def funnel_of(
    session: Session, asked: Asked, measure: str, *, period: Period | None, level: str, within: str | None
) -> dict[str, Any]:
    """The funnel of a measure over the organisations of a kind, those that lay within one organisation or in England.

    Without a period it is the newest in which one of them has a figure. Limits are worked out from the figures as the
    caller may see them. Raises NotComparable for a measure without a denominator.
    """
    now, stand = asked.begin(session)
    definition = definition_of(session, measure, now)
    if definition.denominator is None:
        message = f"{definition.measure} is a plain count: a funnel compares ratios of different sizes"
        raise NotComparable(message, errors=[{"parameter": "measure", "message": message}])
    whole = organisations.place(session, within, now) if within is not None else None
    places = organisations.places_of_kind(session, level, within=whole, basis=asked.basis, when=now)
    every = organisations.members_of(session, places, basis=asked.basis, when=now)
    places = organisations.apart(places, every)
    members = {one.code: every[one.code] for one in places}
    when = period or _newest(
        session, definition, [one.code for each in members.values() for one in each], asked.known_at
    )
    if whole is not None and when is not None:
        inside = organisations.members(session, whole, basis=asked.basis, when=now)
        then = {whole.code, *(one.code for one in inside if one.holds(when.start))}
        members = {code: each for code, each in members.items() if code in then}
    sight = organisations.sight(session, asked.caller, now)
    rules = {one.code: rules_for(sight, definition, one) for one in places}
    figures = []
    if when is not None:
        chosen = {definition.measure: definition}
        found = wholes(session, chosen, members, first=when, last=when, at=asked.known_at)
        controlled = {code: each for code, each in members.items() if rules[code] is not None}
        hidden = forbidden(session, chosen, controlled, first=when, last=when, at=asked.known_at)
        named = {one.code: one for one in places}
        figures = [
            (
                named[one.place],
                shown(one, 0, definition, rules[one.place], level=level, hidden=hidden),
                one.provisional[0],
            )
            for one in found
            if one.grain == when.grain
        ]
    return {
        **stated(stand, asked, [rules[place.code] for place, _, _ in figures]),
        "measure": definition.measure,
        "name": definition.name,
        "definition_version": definition.version,
        "unit": definition.unit,
        "multiplier": definition.multiplier,
        "improvement": definition.improvement,
        "period": when.text if when else None,
        "level": level,
        "within": whole.code if whole else organisations.ENGLAND,
        **_drawn(definition, figures, when),
    }


def _newest(session: Session, definition: Definition, codes: Sequence[str], at: datetime | None) -> Period | None:
    found = (
        driver(session)
        .execute(
            f"""
        select period from cell where measure = %(measure)s and organisation = any(%(codes)s) and {known_then(at)}
           and strata[1] = '' and denominator[1] > 0 order by (grain = %(grain)s) desc, start desc limit 1
        """,  # noqa: S608 - the condition is ours
            {"measure": definition.measure, "codes": list(codes), "grain": definition.period, "at": at},
        )
        .fetchone()
    )
    return Period.parse(found[0]) if found else None


def _drawn(definition: Definition, figures: Sequence[tuple[Place, Shown, bool]], when: Period | None) -> dict[str, Any]:
    """Limits, their curve and a row for every organisation."""
    rows: list[dict[str, Any]] = [
        {"group": place.code, "numerator": one.numerator, "denominator": one.denominator}
        for place, one, _ in figures
        if one.value is not None and one.denominator
    ]
    if not figures:
        return {**_NO_LIMITS, "items": [], "notices": [_nobody(definition, when)]}
    kind: funnel.Kind = "proportion" if definition.proportion else "ratio_of_counts"
    try:
        found = funnel.funnel(rows, kind=kind, multiplier=definition.multiplier)
    except InvalidRow as reason:
        items = [_item(definition, *each, {}) for each in figures]
        return {**_NO_LIMITS, "items": items, "notices": [f"No limits: the {reason}."]}
    curve = funnel.limits_curve(
        [row["denominator"] for row in rows], kind=kind, target=found.target,
        tau2=found.tau2 if found.adjusted else None, multiplier=definition.multiplier,
    )  # fmt: skip
    every = max(1, len(curve["denominator"]) // _CURVE_ROWS)
    limits = {row.group: asdict(row) for row in found.rows}
    return {
        "kind": kind,
        "target": found.target * definition.multiplier,
        "phi": found.phi,
        "tau2": found.tau2,
        "adjusted": found.adjusted,
        "curve": [
            dict(zip(curve, point, strict=True))
            for point in zip(*(column[::every].tolist() for column in curve.values()), strict=True)
        ],
        "items": [_item(definition, *each, limits.get(each[0].code, {})) for each in figures],
        "notices": [],
    }


def _nobody(definition: Definition, when: Period | None) -> str:
    if when is None:
        return "No organisation has a figure."
    other = "" if when.grain == definition.period else f"; this measure is by the {definition.period.replace('_', ' ')}"
    return f"No organisation has a figure of {when}{other}."


_NO_LIMITS: Mapping[str, Any] = {
    "kind": None, "target": None, "phi": None, "tau2": None, "adjusted": False, "curve": [],
}  # fmt: skip


def _item(
    definition: Definition, place: Place, one: Shown, provisional: bool, limits: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "measure": definition.measure,
        "organisation": place.code,
        "organisation_name": place.name,
        "numerator": one.numerator,
        "denominator": one.denominator,
        "value": one.value,
        **{name: limits.get(name) for name in _LIMITS},
        "status": one.status,
        "provisional": provisional,
    }

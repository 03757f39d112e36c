"""The matrix: what every measure of every organisation is doing, and whether it will reach its target."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from services.measures.queries import organisations
from services.measures.queries.asking import Asked, places_asked, rules_for, stated
from services.measures.queries.definitions import definitions_of
from services.measures.queries.moment import Moment
from services.measures.queries.organisations import Place
from services.measures.queries.targets import targets_of
from services.measures.queries.wholes import Series, by_default_grain, forbidden, step_changes, track, wholes
from services.measures.rules import goals
from services.measures.rules.judging import Judgement, Track, judged, value_of


def matrix(
    session: Session, asked: Asked, *, organisation: str | None, within: str | None, programme: str | None
) -> dict[str, Any]:
    """Variation and assurance of every measure (of a programme) at an organisation, or at all within one.

    One read of the figures and one call of the engine, whatever their number (and a read of strata under control).
    """
    when, stand = asked.begin(session)
    definitions = definitions_of(session, programme=programme, when=when)
    asked_for = places_asked(session, asked, when, organisation=organisation, within=within)
    every = organisations.members_of(session, asked_for, basis=asked.basis, when=when)
    places = {one.code: one for one in organisations.apart(asked_for, every)}
    members = {code: every[code] for code in places}
    sight = organisations.sight(session, asked.caller, when)
    rules = {
        (place.code, measure): rules_for(sight, one, place)
        for place in places.values()
        for measure, one in definitions.items()
    }
    found = by_default_grain(wholes(session, definitions, members, at=asked.known_at), definitions)
    controlled = {code: each for code, each in members.items() if any(rules[code, one] for one in definitions)}
    hidden = forbidden(session, definitions, controlled, at=asked.known_at)
    steps = step_changes(session, list(places), list(definitions), when)
    tracks = [
        track(
            one,
            definitions[one.measure],
            rules[one.place, one.measure],
            level=places[one.place].kind,
            hidden=hidden,
            steps=steps.get((one.place, one.measure), ()),
        )
        for one in found
    ]
    targets = _targets(session, found, places, when)
    tracks = [
        replace(one, target=_level(targets.get((series.place, series.measure)), one))
        for series, one in zip(found, tracks, strict=True)
    ]
    items = [
        _item(places[series.place], one, verdict)
        for series, one, verdict in zip(found, tracks, judged(tracks), strict=True)
    ]
    used = [rules[one.place, one.measure] for one in found]
    return {**stated(stand, asked, used), "programme": programme, "items": items}


def _targets(
    session: Session, found: list[Series], places: Mapping[str, Place], when: Moment
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The target that holds for each organisation and measure."""
    given = targets_of(session, sorted({one.measure for one in found}), when)
    above: dict[str, list[str]] = {}
    chosen = {}
    for one in found:
        if given[one.measure]:
            if one.place not in above:
                above[one.place] = organisations.ancestors(session, places[one.place], when)
            target = goals.chosen(given[one.measure], one.place, above[one.place])
            if target is not None:
                chosen[one.place, one.measure] = target
    return chosen


def _level(target: Mapping[str, Any] | None, one: Track) -> float | None:
    if target is None:
        return None
    items = [
        {"period": period, "stratum": "", "numerator": n, "denominator": d, "value": value_of(one.definition, n, d)}
        for period, (n, d) in one.figures.items()
    ]
    found = goals.goal(target, items, one.definition)
    return found.value if isinstance(found, goals.Goal) else None


def _item(place: Place, one: Track, verdict: Judgement) -> dict[str, Any]:
    definition = one.definition
    icons = verdict.icons
    return {
        "measure": definition.measure,
        "measure_name": definition.name,
        "programme": definition.source.get("programme"),
        "organisation": place.code,
        "organisation_name": place.name,
        "organisation_kind": place.kind,
        "chart": verdict.chart,
        "points": verdict.points,
        "period": verdict.period,
        "numerator": verdict.numerator,
        "denominator": verdict.denominator if definition.denominator is not None else None,
        "value": verdict.value,
        "unit": definition.unit,
        "improvement": definition.improvement,
        "variation": icons.variation if icons else None,
        "assurance": icons.assurance if icons else None,
        "rule": icons.rule if icons else None,
        "trial_limits": icons.trial if icons else None,
        "centre": icons.centre if icons else None,
        "lower": icons.lower if icons else None,
        "upper": icons.upper if icons else None,
        "target": one.target,
    }

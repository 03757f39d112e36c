"""Series and charts: one measure for one organisation, as a caller may see it, as known at an instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from services.measures.models import Annotation
from services.measures.problems import InvalidPeriod
from services.measures.queries import cells, organisations, targets
from services.measures.queries.definitions import definition_of
from services.measures.queries.organisations import Basis, Place
from services.measures.rules import definitions, disclosure
from services.measures.rules.charting import chart as draw
from services.measures.rules.series import add_intervals
from services.measures.rules.series import series as tidy
from services.measures.rules.statuses import ReturnState
from services.measures.rules.strata import WHOLE
from shared.contracts.periods import Period
from shared.db import now
from shared.principal import Principal

MOST_PERIODS = 3700


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller asks about a measure: where, when, split how, as known when, as whose."""

    measure: str
    organisation: str
    caller: Principal
    first: Period | None = None
    last: Period | None = None
    stratum: str | None = None
    by: str | None = None
    known_at: datetime | None = None
    basis: Basis = "as_was"


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a question before it takes a form: its items, and everything a chart is drawn from."""

    definition: definitions.Definition
    place: Place
    items: list[dict[str, Any]]
    dates: list[datetime]
    policy: str | None
    stand: cells.Stand


def series(session: Session, question: Question) -> dict[str, Any]:
    """The tidy items of a series, with what they stand on."""
    found = find(session, question)
    return _stated(found, question) | {"items": found.items}


def chart(session: Session, question: Question, *, kind: str | None) -> dict[str, Any]:
    """The chart of a series: one stratum, with limits, target, annotations and words."""
    found = find(session, question)
    resource = draw(
        found.items,
        found.definition,
        place=found.place.name,
        asked=kind,
        target=targets.to_draw(session, found.definition, found.place, found.items),
        annotations=_annotations(session, found),
        dates=found.dates,
    )
    review = found.definition.source.get("review") or {}
    if review.get("next_review") and str(review["next_review"]) < now().date().isoformat():
        resource["notices"].append(f"The definition was due for review on {review['next_review']}.")
    if found.policy is not None:
        resource["notices"].append(f"Small numbers are protected by the {found.policy} policy.")
    return _stated(found, question) | resource | {"organisation": found.place.code}


def find(session: Session, question: Question) -> Found:
    """The items that answer a question, disclosure control applied as the caller's audience asks."""
    definition = definition_of(session, question.measure)
    place = organisations.place(session, question.organisation)
    today = now().date()
    stand = cells.stand(session, question.known_at)
    members = organisations.members(session, place, basis=question.basis, today=today)
    rules = disclosure.policy(definition.disclosure)
    controlled = not rules.exact and not organisations.sight(session, question.caller).exact(place.code)
    known = cells.known(
        session,
        definition,
        members,
        aggregate=place.is_aggregate,
        first=question.first,
        last=question.last,
        at=question.known_at,
        rules=rules if controlled else None,
    )
    items = _items(definition, place, known, question, today, whole_table=controlled)
    if controlled:
        items = _controlled(items, definition, rules, known.spreads, level=place.kind)
    wanted = set(_strata(known.figures, question))
    shown = [item for item in items if item["stratum"] in wanted]
    policy = rules.name if controlled else None
    return Found(definition, place, shown, [] if controlled else known.dates, policy, stand)


def _items(
    definition: definitions.Definition,
    place: Place,
    known: cells.Known,
    question: Question,
    today: date,
    *,
    whole_table: bool,
) -> list[dict[str, Any]]:
    if known.first is None or known.last is None:
        return []
    if known.last.start < known.first.start:
        raise InvalidPeriod(f"the range from {known.first} to {known.last} is empty")
    if (known.last.end - known.first.start).days > MOST_PERIODS * 366 / 12:
        raise InvalidPeriod("the range is longer than this service answers at once: ask for less")
    states: dict[str, ReturnState] = dict.fromkeys(known.nil, "nil")
    states |= {
        one.text: "awaited" for one in known.first.until(known.last) if one.end >= today and not _has(known, one)
    }
    strata = sorted({WHOLE, *(_beside if whole_table else _strata)(known.figures, question)})
    return tidy(definition, place.code, known.figures, first=known.first, last=known.last, strata=strata, states=states)


def _has(known: cells.Known, period: Period) -> bool:
    return any(figure.period == period.text for figure in known.figures)


def _strata(figures: Sequence[Any], question: Question) -> list[str]:
    """The strata asked for: one, all of a name (`by`), or the whole."""
    if question.stratum is not None:
        return [question.stratum]
    if question.by is not None:
        return sorted({one.stratum for one in figures if one.stratum.startswith(f"{question.by}=")})
    return [WHOLE]


def _beside(figures: Sequence[Any], question: Question) -> set[str]:
    """All strata of the table in which the strata asked for stand: what may be shown of one depends on the others."""
    names = {stratum.partition("=")[0] for stratum in _strata(figures, question) if stratum != WHOLE}
    return {one.stratum for one in figures if one.stratum.partition("=")[0] in names} | set(_strata(figures, question))


def _controlled(
    items: Sequence[dict[str, Any]],
    definition: definitions.Definition,
    policy: disclosure.Policy,
    spreads: Mapping[tuple[str, str], cells.Spreads],
    *,
    level: str,
) -> list[dict[str, Any]]:
    """The items as an audience without exact figures may see them, each period's strata controlled as one table.

    Of an aggregate whose members' figures would settle a small one among them, the figure itself is hidden.
    Intervals are those of the figures shown.
    """
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for item in items:
        tables.setdefault(item["period"], {})[item["stratum"]] = item
    shown = []
    for period, table in tables.items():
        exact = {
            stratum: disclosure.Exact(item["numerator"], item["denominator"])
            for stratum, item in table.items()
            if item["numerator"] is not None and (definition.denominator is None or item["denominator"] is not None)
        }
        figures = disclosure.disclosed_table(exact, policy, level=level, multiplier=definition.multiplier)
        for stratum, cell in exact.items():
            parts = spreads.get((period, stratum))
            if parts is not None:
                figures[stratum] = disclosure.of_parts(figures[stratum], cell, parts, policy)
        shown += [_as_shown(item, figures.get(stratum)) for stratum, item in table.items()]
    add_intervals(shown, definition)
    return sorted(shown, key=lambda item: (item["stratum"], Period.parse(item["period"])))


def _as_shown(item: dict[str, Any], figure: disclosure.Figure | None) -> dict[str, Any]:
    hidden = {"numerator": None, "denominator": None, "value": None, "lower_95": None, "upper_95": None}
    if figure is None:
        return item | hidden
    told = item | hidden | {"numerator": figure.numerator, "denominator": figure.denominator}
    if item["status"] not in ("value", "zero"):
        return told
    return told | {"value": figure.value, "status": figure.status}


def _annotations(session: Session, found: Found) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Annotation.id, Annotation.kind, Annotation.on, Annotation.text)
        .where(Annotation.organisation == found.place.code)
        .where(or_(Annotation.measure.is_(None), Annotation.measure == found.definition.measure))
        .order_by(Annotation.on, Annotation.id)
    )
    return [dict(row._mapping) for row in rows]


def _stated(found: Found, question: Question) -> dict[str, Any]:
    """What every read says of itself."""
    return {
        "as_of": found.stand.as_of,
        "data_version": found.stand.data_version,
        "known_at": question.known_at,
        "org_basis": question.basis,
        "disclosure": found.policy,
        "definition_version": found.definition.version,
        "unverified": bool(found.definition.source.get("unverified", False)),
    }

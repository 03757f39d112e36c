"""Series and charts: one measure for one organisation, as a caller may see it, as known at an instant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from services.measures.problems import InvalidPeriod
from services.measures.queries import cells, organisations, targets
from services.measures.queries.annotations import annotations_of
from services.measures.queries.definitions import definition_of
from services.measures.queries.moment import Moment, Stand, begin
from services.measures.queries.organisations import Basis, Membership, Place
from services.measures.rules import definitions, disclosure
from services.measures.rules.charting import chart as draw
from services.measures.rules.lateness import absent
from services.measures.rules.series import add_intervals
from services.measures.rules.series import series as tidy
from services.measures.rules.statuses import ReturnState
from services.measures.rules.strata import ONE_STRATUM, STRATA, WHOLE
from shared.contracts.periods import GRAINS, Period
from shared.principal import Principal
from shared.problems import InvalidRequest

MOST_PERIODS = 3700
_NIL: ReturnState = "nil"


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
    members: Sequence[Membership]
    items: list[dict[str, Any]]
    dates: list[datetime]
    policy: str | None
    stand: Stand
    when: Moment


def series(session: Session, question: Question) -> dict[str, Any]:
    """The tidy items of a series, with what they stand on."""
    found = find(session, question)
    return stated(found, question) | {"items": found.items}


def chart(session: Session, question: Question, *, kind: str | None) -> dict[str, Any]:
    """The chart of a series: one stratum, with limits, target, annotations and words."""
    found = find(session, question)
    resource = draw_found(session, found, kind=kind)
    review = found.definition.source.get("review") or {}
    if review.get("next_review") and str(review["next_review"]) < found.when.today.isoformat():
        resource["notices"].append(f"The definition was due for review on {review['next_review']}.")
    if found.policy is not None:
        resource["notices"].append(f"Small numbers are protected by the {found.policy} policy.")
    return stated(found, question) | resource | {"organisation": found.place.code}


def draw_found(
    session: Session, found: Found, *, kind: str | None, target: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The chart of what was found, with the target that holds here unless another is given."""
    return draw(
        found.items,
        found.definition,
        place=found.place.name,
        asked=kind,
        target=target or targets.to_draw(session, found.definition, found.place, found.items, found.when),
        annotations=_annotations(session, found),
        dates=found.dates,
    )


def find(session: Session, question: Question) -> Found:
    """The items that answer a question, disclosure control applied as the caller's audience asks."""
    found, known = figures_of(session, question)
    _demand_strata(question, known.figures)
    controlled = found.policy is not None
    items = _items(session, found, known, question)
    if controlled:
        rules = disclosure.policy(found.definition.disclosure)
        items = _controlled(items, found.definition, rules, known.hidden, level=found.place.kind)
    wanted = set(_strata(known.figures, question))
    return replace(found, items=[item for item in items if item["stratum"] in wanted])


def figures_of(session: Session, question: Question) -> tuple[Found, cells.Known]:
    """What is known of a question, exactly, and under which policy the caller may see it."""
    when, stand = begin(session, question.known_at)
    definition = definition_of(session, question.measure, when)
    place = organisations.place(session, question.organisation, when)
    members = organisations.members(session, place, basis=question.basis, when=when)
    rules = disclosure.policy(definition.disclosure)
    controlled = not rules.exact and not organisations.sight(session, question.caller, when).exact(place.code)
    known = cells.known(
        session,
        definition,
        members,
        aggregate=place.is_aggregate,
        first=question.first,
        last=question.last,
        at=question.known_at,
        today=when.today,
        rules=rules if controlled else None,
    )
    policy = rules.name if controlled else None
    return Found(definition, place, members, [], [] if controlled else known.dates, policy, stand, when), known


def _items(session: Session, found: Found, known: cells.Known, question: Question) -> list[dict[str, Any]]:
    """The items of all strata that are needed: under disclosure control of the whole table."""
    if known.others:
        grains = " and by the ".join(sorted(known.others, key=GRAINS.index)).replace("_", " ")
        message = f"the figures of that time are by the {grains}: ask for such periods"
        raise InvalidPeriod(message, errors=[{"parameter": "from" if question.first else "to", "message": message}])
    if known.first is None or known.last is None:
        return []
    if known.last.start < known.first.start:
        message = f"the range from {known.first} to {known.last} is empty"
        raise InvalidPeriod(message, errors=[{"parameter": "to", "message": message}])
    if any(islice(known.first.until(known.last), MOST_PERIODS, None)):
        message = "the range is longer than this service answers at once: ask for less"
        raise InvalidPeriod(message, errors=[{"parameter": "from", "message": message}])
    there = {figure.period for figure in known.figures}
    gaps = [one for one in known.first.until(known.last) if one.text not in there]
    states = dict.fromkeys(known.nil, _NIL) | _states(session, found, gaps)
    strata = sorted({WHOLE, *(_strata if found.policy is None else _beside)(known.figures, question)})
    return tidy(
        found.definition, found.place.code, known.figures,
        first=known.first, last=known.last, strata=strata, states=states,
    )  # fmt: skip


def _states(session: Session, found: Found, gaps: Sequence[Period]) -> dict[str, ReturnState]:
    """How the returns of periods without figures stand; of one organisation some may be in quarantine."""
    waiting: frozenset[str] = frozenset()
    if gaps and not found.place.is_aggregate:
        waiting = cells.quarantined(session, found.definition, found.members, found.when.at)
    return {
        one.text: "quarantined" if one.text in waiting else absent(one, found.definition.window, today=found.when.today)
        for one in gaps
    }


def _strata(figures: Sequence[Any], question: Question) -> list[str]:
    """The strata asked for: one, all of a name (`by`), or the whole."""
    if question.stratum is not None:
        return [question.stratum]
    if question.by is not None:
        return sorted({one.stratum for one in figures if one.stratum.startswith(f"{question.by}=")})
    return [WHOLE]


def _demand_strata(question: Question, figures: Sequence[Any]) -> None:
    """Raise InvalidRequest for a split there cannot be: an empty answer would read as if nothing had happened."""
    if question.by is not None and question.stratum is not None:
        raise _wrong("stratum", "say either stratum or by")
    if question.by is not None:
        _demand_stratum("by", question.by, figures)
    if question.stratum:
        if not ONE_STRATUM.match(question.stratum):
            raise _wrong("stratum", "write a stratum as name=value, like imd_quintile=1")
        _demand_stratum("stratum", question.stratum.partition("=")[0], figures)


def _demand_stratum(parameter: str, name: str, figures: Sequence[Any]) -> None:
    if name not in STRATA and not any(one.stratum.startswith(f"{name}=") for one in figures):
        raise _wrong(parameter, f"{name[:60]!r} is not a stratum; the strata are {', '.join(STRATA)}")


def _wrong(parameter: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, errors=[{"parameter": parameter, "message": message}])


def _beside(figures: Sequence[Any], question: Question) -> set[str]:
    """All strata of the table in which the strata asked for stand: what may be shown of one depends on the others."""
    names = {stratum.partition("=")[0] for stratum in _strata(figures, question) if stratum != WHOLE}
    return {one.stratum for one in figures if one.stratum.partition("=")[0] in names} | set(_strata(figures, question))


def _controlled(
    items: Sequence[dict[str, Any]],
    definition: definitions.Definition,
    policy: disclosure.Policy,
    hidden: Mapping[str, cells.Hidden],
    *,
    level: str,
) -> list[dict[str, Any]]:
    """The items as an audience without exact figures may see them, each period's strata controlled as one table."""
    tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in items:
        tables[item["period"]].append(item)
    shown = []
    for period, table in tables.items():
        shown += disclosure.as_table(
            table,
            policy,
            level=level,
            multiplier=definition.multiplier,
            ratio=definition.denominator is not None,
            hidden=hidden.get(period),
        )
    add_intervals(shown, definition)
    return sorted(shown, key=lambda item: (item["stratum"], Period.parse(item["period"])))


def _annotations(session: Session, found: Found) -> list[dict[str, Any]]:
    known = annotations_of(session, [found.place.code], found.when)[found.place.code]
    here = (one for one in known if one.measure in (None, found.definition.measure))
    return [{"id": one.id, "kind": one.kind, "on": one.on, "text": one.text} for one in here]


def stated(found: Found, question: Question) -> dict[str, Any]:
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

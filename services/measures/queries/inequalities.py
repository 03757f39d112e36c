"""Inequalities: the rates of an organisation's strata over a stretch of time, and what lies between them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from services.measures.problems import InvalidPeriod
from services.measures.queries import cells
from services.measures.queries.series import Found, Question, figures_of, stated
from services.measures.rules import disclosure, margins
from services.measures.rules.gaps import gaps
from services.measures.rules.series import Figure, add_intervals
from services.measures.rules.series import series as tidy
from services.measures.rules.strata import STRATA, WHOLE
from shared.contracts.periods import Grain, Period
from shared.problems import InvalidRequest


def inequalities(session: Session, question: Question) -> dict[str, Any]:
    """The strata of `question.by` over the periods `first` to `last` taken together: ratios of sums.

    Without a range it is the newest financial year with figures. A caller under disclosure control may ask for one
    whole financial year at a time, because what moving ranges have apart would be single periods.
    """
    by = question.by or "imd_quintile"
    if by not in STRATA:
        message = f"{by!r} is not a stratum; the strata are {', '.join(STRATA)}"
        raise InvalidRequest(message, errors=[{"parameter": "by", "message": message}])
    found, known = figures_of(session, replace(question, first=None, last=None, by=by))
    taken = {one.period for one in known.figures if one.stratum == WHOLE and _counts(one, found)}
    year = Period.of(max(Period.parse(one).start for one in taken), "financial_year") if taken else None
    first, last = question.first or year, question.last or question.first or year
    if first is None or last is None:
        return _answer(found, question, by, None, None, [])
    if found.policy is not None and (first != last or first.grain != "financial_year"):
        message = "under disclosure control, ask for one whole financial year: from=2025-26"
        raise InvalidPeriod(message, errors=[{"parameter": "from", "message": message}])
    inside = [
        one for one in known.figures
        if one.period in taken and first.start <= Period.parse(one.period).start <= last.end
        and (one.stratum == WHOLE or one.stratum.startswith(f"{by}="))
    ]  # fmt: skip
    items = _items(found, inside, first)
    if found.policy is not None:
        hidden = _hidden(session, found, inside, year=first, by=by, grain=known.grain)
        items = disclosure.as_table(
            items, disclosure.policy(found.definition.disclosure), level=found.place.kind,
            multiplier=found.definition.multiplier, ratio=found.definition.denominator is not None, hidden=hidden,
        )  # fmt: skip
    add_intervals(items, found.definition)
    return _answer(found, question, by, first, last, items)


def _items(found: Found, figures: Sequence[Figure], first: Period) -> list[dict[str, Any]]:
    """One item a stratum, as in a series of one period."""
    sums: dict[str, Figure] = {}
    for one in figures:
        before = sums.get(one.stratum, Figure(period=first.text, stratum=one.stratum))
        sums[one.stratum] = msgspec.structs.replace(
            before,
            numerator=_plus(before.numerator, one.numerator),
            denominator=_plus(before.denominator, one.denominator),
            provisional=before.provisional or one.provisional,
        )
    strata = sorted({WHOLE, *sums})
    return tidy(found.definition, found.place.code, sums.values(), first=first, last=first, strata=strata)


def _counts(whole: Figure, found: Found) -> bool:
    """Whether a period is among those taken together: with both halves, and of a return that passed its gates."""
    both = whole.numerator is not None and (found.definition.denominator is None or whole.denominator is not None)
    return both and (found.place.is_aggregate or not whole.failed)


def _plus(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other


def _hidden(
    session: Session, found: Found, figures: Sequence[Figure], *, year: Period, by: str, grain: Grain
) -> cells.Hidden:
    """The strata that may not be shown beside the periods, and the members, of which they are the sums."""
    rules = disclosure.policy(found.definition.disclosure)
    if found.place.is_aggregate or len(found.members) > 1:
        return cells.hidden_of_year(
            session, found.definition, found.members, year=year, by=by, grain=grain, at=found.when.at, rules=rules
        )
    periods: dict[str, list[Figure]] = defaultdict(list)
    for one in figures:
        periods[one.period].append(one)
    return {
        column: margins.to_hide(
            [
                {one.stratum: count for one in each if (count := getattr(one, column)) is not None}
                for each in periods.values()
            ],
            rules,
        )
        for column in ("numerator", "denominator")
    }


def _answer(
    found: Found, question: Question, by: str, first: Period | None, last: Period | None,
    items: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    kept = ("stratum", "numerator", "denominator", "value", "lower_95", "upper_95", "status", "provisional")
    whole = next((item for item in items if item["stratum"] == WHOLE), None)
    return {
        **stated(found, question),
        "measure": found.definition.measure,
        "name": found.definition.name,
        "organisation": found.place.code,
        "organisation_name": found.place.name,
        "unit": found.definition.unit,
        "improvement": found.definition.improvement,
        "by": by,
        "from": first.text if first else None,
        "to": last.text if last else None,
        "whole": {name: whole[name] for name in kept} if whole else None,
        **gaps(items, found.definition, by),
        "items": [{name: item[name] for name in kept} for item in items if item["stratum"] != WHOLE],
    }

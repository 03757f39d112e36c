"""Explaining one figure: from a point on a chart to its formula, numbers, definition and the returns behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.measures.models import ReturnVersion
from services.measures.problems import InvalidPeriod, NoSuchFigure
from services.measures.queries import cells
from services.measures.queries.series import Question, draw_found, find, stated
from services.measures.rules import disclosure
from services.measures.rules.formula import formula, half
from services.measures.rules.rolling import window
from services.measures.rules.strata import WHOLE
from shared.contracts.periods import Period

MOST_RETURNS = 200
_KEPT = ("numerator", "denominator", "value", "lower_95", "upper_95", "status", "provisional", "completeness",
         "lowest", "highest", "failed")  # fmt: skip
_OF_THE_POINT = ("segment", "centre", "lower", "upper", "outside", "rule", "signal")


def explain(session: Session, question: Question, period: Period) -> dict[str, Any]:
    """Everything behind one figure, as it was known at the instant asked for. Raises NoSuchFigure.

    The figure is the one of the series, under the same disclosure control; how many rows a return had is told only
    where figures are exact.
    """
    asked = replace(question, first=None, last=None, stratum=question.stratum or WHOLE)
    found = find(session, asked)
    if not any(item["period"] == period.text for item in found.items):
        try:
            found = find(session, replace(asked, first=period, last=period))
        except InvalidPeriod as other:
            raise NoSuchFigure(f"nothing is known of {found.definition.measure} in {period}: {other}") from other
    item = next((one for one in found.items if one["period"] == period.text), None)
    if item is None:
        raise NoSuchFigure(f"nothing is known of {found.definition.measure} at {found.place.code} in {period}")
    sources = cells.sources(session, found.definition.measure, found.members, period, at=question.known_at)
    source = found.definition.source
    chart = draw_found(session, found, kind=None)
    point: dict[str, Any] = next((one for one in chart["points"] if one["period"] == period.text), {})
    return {
        **stated(found, question),
        "measure": found.definition.measure,
        "name": found.definition.name,
        "organisation": found.place.code,
        "organisation_name": found.place.name,
        "period": period.text,
        "periods": list(window(period.text, found.definition.rolling)),
        "stratum": item["stratum"],
        "formula": formula(source),
        "numerator_counts": half(source["numerator"]),
        "denominator_counts": half(source["denominator"]) if source.get("denominator") else None,
        "numbers": {name: item[name] for name in _KEPT},
        "multiplier": found.definition.multiplier,
        "unit": found.definition.unit,
        "definition": dict(source),
        "definition_versions": sorted({one.definition_version for one in sources}),
        "counted_from": sorted({one.kind for one in sources}),
        "organisations": len({one.organisation for one in sources}),
        "returns": _returns(session, sources, exact=found.policy is None),
        "returns_total": len({version for one in sources for version in one.versions}),
        "suppression": _suppression(found.policy, found.definition.disclosure),
        "chart": chart["chart"],
        "point": {name: point.get(name) for name in _OF_THE_POINT},
        "segment": next((one for one in chart["segments"] if one["segment"] == point.get("segment")), None),
    }


def _returns(session: Session, sources: Sequence[cells.Source], *, exact: bool) -> list[dict[str, Any]]:
    """The versions of returns behind the figure, newest first."""
    wanted = sorted({version for one in sources for version in one.versions})
    rows = session.execute(
        select(ReturnVersion)
        .where(ReturnVersion.id.in_(wanted))
        .order_by(ReturnVersion.received_at.desc(), ReturnVersion.id)
        .limit(MOST_RETURNS)
    ).scalars()
    return [
        {
            "version_id": one.id.partition("#")[0],
            "feed": one.feed,
            "organisation": one.organisation,
            "period": one.period,
            "version": one.version,
            "kind": one.kind,
            "status": one.status,
            "received_at": one.received_at,
            "submission_id": one.submission_id,
            "rows": one.row_count if exact else None,
        }
        for one in rows
    ]


def _suppression(shown: str | None, named: str | None) -> Mapping[str, Any]:
    """The policy of the measure, and whether it was applied to this answer."""
    rules = disclosure.policy(named)
    return {
        "policy": rules.name,
        "applied": shown is not None,
        "small_below": rules.small_below,
        "small_shown_as": rules.small_shown_as,
        "rounded_to": rules.nearest,
    }

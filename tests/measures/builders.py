"""Facts and rows for tests of measures, with everything that a test does not care about filled in."""

import itertools
import json
from datetime import UTC, date, datetime
from typing import Any

from shared.contracts.ingest import ReturnPublished
from shared.contracts.programmes import (
    Edge,
    FeedPublished,
    MeasurePublished,
    OrganisationChanged,
    Succession,
    TargetSet,
)
from shared.messaging.outbox import new_id

NOW = datetime(2026, 11, 1, tzinfo=UTC)
_sequence = itertools.count(1)

COUNTS_FEED: dict[str, Any] = {
    "id": "measure-counts",
    "version": "1.0.0",
    "period": "any",
    "mode": "merge",
    "key": ["measure", "stratum"],
    "organisation": ["organisation"],
    "period_columns": ["period"],
    "field": [
        {"name": "measure", "type": "text"},
        {"name": "numerator", "type": "decimal"},
        {"name": "denominator", "type": "decimal"},
        {"name": "stratum", "type": "text"},
    ],
}
BIRTHS_FEED: dict[str, Any] = {
    "id": "births",
    "version": "1.0.0",
    "period": "month",
    "mode": "replace",
    "key": ["baby_local_id"],
    "organisation": ["provider_org_code"],
    "period_columns": ["baby_birth_datetime"],
    "field": [
        {"name": "baby_birth_datetime", "type": "datetime"},
        {"name": "gestation_length_at_birth", "type": "integer"},
        {"name": "imd_decile", "type": "integer"},
    ],
}


def a_feed(spec: dict[str, Any]) -> FeedPublished:
    return FeedPublished(feed=spec["id"], version=spec["version"], spec=spec, published_at=NOW)


def a_measure(measure: str = "preterm", **changes: Any) -> MeasurePublished:
    """A proportion of births before 259 days, in per cent."""
    definition: dict[str, Any] = {
        "id": measure,
        "version": "1.0.0",
        "name": "Preterm births",
        "numerator": {
            "feed": "births",
            "where": {"field": "gestation_length_at_birth", "below": 259},
            "value": "count",
        },
        "denominator": {"feed": "births", "value": "count"},
        "multiplier": 100,
        "unit": "percent",
        "period": "month",
        "improvement": "decrease",
        "chart": "p",
        "strata": ["imd_quintile"],
        "disclosure": "small-numbers",
    } | changes
    return MeasurePublished(measure=measure, version=definition["version"], definition=definition, published_at=NOW)


def an_organisation(
    code: str,
    *,
    kind: str = "trust",
    within: dict[str, tuple[str, str | None, str | None]] | None = None,
    succeeded_by: tuple[str, str] | None = None,
    **more: Any,
) -> OrganisationChanged:
    """`within` maps a parent to (hierarchy, start, end); `succeeded_by` is (code, date)."""
    edges = [
        Edge(parent=parent, hierarchy=hierarchy, start=_day(start), end=_day(end))
        for parent, (hierarchy, start, end) in (within or {}).items()
    ]
    successions = [] if succeeded_by is None else [_succession(*succeeded_by)]
    return OrganisationChanged(
        code=code, name=f"{code} NHS Trust", kind=kind, edges=edges, successions=successions, recorded_at=NOW, **more
    )


def _succession(code: str, on: str) -> Succession:
    return Succession(successor=code, on=date.fromisoformat(on))


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def some_births(*, preterm: int, term: int, month: str = "2026-01", decile: int = 1) -> list[dict[str, Any]]:
    one = {"baby_birth_datetime": f"{month}-15T10:00:00", "imd_decile": decile}
    return [one | {"gestation_length_at_birth": 230}] * preterm + [one | {"gestation_length_at_birth": 280}] * term


def a_return(
    rows: list[dict[str, Any]],
    *,
    feed: str = "births",
    organisation: str = "RGT",
    period: str = "2026-01",
    sequence: int | None = None,
    **changes: Any,
) -> ReturnPublished:
    number = sequence or next(_sequence)
    given: dict[str, Any] = {
        "version_id": new_id(), "submission_id": new_id(), "version": number, "row_count": len(rows),
        "received_at": datetime.now(UTC), "content_type": "application/json", "rows": json.dumps(rows).encode(),
    } | changes  # fmt: skip
    return ReturnPublished(
        feed=feed, feed_version="1.0.0", organisation=organisation, period=period, sequence=number, **given
    )


def a_target(target: str = "preterm-6", *, measure: str = "preterm", **changes: Any) -> TargetSet:
    """Six per cent of births or fewer by March 2027, for England and everybody within."""
    given: dict[str, Any] = {
        "id": target, "version": "1.0.0", "name": target, "programme": "matneosip", "measure": measure,
        "kind": "level", "value": 6.0, "due": "2027-03-31", "direction": "decrease", "scope": "ENGLAND",
        "inherited": True, "status": "active", "source": "a test",
    } | changes  # fmt: skip
    return TargetSet(id=target, version="1.0.0", target=given, set_at=NOW)


MONTHS = [f"2025-{month:02}" for month in range(1, 13)] + [f"2026-{month:02}" for month in range(1, 7)]
"""Eighteen months."""


def monthly(
    numerators: list[float], *, denominator: float | None = 200, organisation: str = "RGT", measure: str = "preterm",
    strata: dict[str, tuple[float, float]] | None = None,
) -> list[ReturnPublished]:  # fmt: skip
    """Counted figures of the last months of MONTHS, with the same strata in each."""
    months = MONTHS[-len(numerators) :]
    split = [counted(measure, *pair, stratum) for stratum, pair in (strata or {}).items()]
    return [
        a_return([counted(measure, one, denominator), *split], feed="measure-counts", organisation=organisation,
                 period=month)
        for month, one in zip(months, numerators, strict=True)
    ]  # fmt: skip


def counted(measure: str, numerator: float, denominator: float | None, stratum: str = "") -> dict[str, Any]:
    return {"measure": measure, "numerator": numerator, "denominator": denominator, "stratum": stratum}

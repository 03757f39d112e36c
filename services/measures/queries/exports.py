"""Exports: every cell of a measure that a caller may see, in pieces, so that none is too large."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.measures.models import Organisation
from services.measures.queries.cells import known_then
from services.measures.queries.moment import recorded
from services.measures.queries.organisations import Sight
from services.measures.rules import disclosure
from services.measures.rules.definitions import Definition
from services.measures.rules.series import Figure, add_intervals
from services.measures.rules.series import items as tidy
from services.measures.rules.statuses import ReturnState
from shared.contracts.periods import Period
from shared.db import driver

CELLS_AT_ONCE = 2000

SCHEMA: Mapping[str, pl.DataType] = {
    "measure": pl.String(),
    "organisation": pl.String(),
    "organisation_name": pl.String(),
    "organisation_kind": pl.String(),
    "period": pl.String(),
    "grain": pl.String(),
    "period_start": pl.Date(),
    "period_end": pl.Date(),
    "stratum": pl.String(),
    "numerator": pl.Float64(),
    "denominator": pl.Float64(),
    "value": pl.Float64(),
    "lower_95": pl.Float64(),
    "upper_95": pl.Float64(),
    "unit": pl.String(),
    "status": pl.String(),
    "provisional": pl.Boolean(),
    "counted_from": pl.String(),
    "definition_version": pl.String(),
    "disclosure": pl.String(),
    "known_from": pl.Datetime("us", "UTC"),
    "data_version": pl.Int64(),
}
"""The columns of an export, in order; they do not change (data dictionary: docs/exports.md)."""


def pieces(session: Session, definition: Definition, sight: Sight, *, at: datetime | None) -> Iterator[pl.DataFrame]:
    """The cells in order of organisation and period, a frame (SCHEMA) for some thousands at a time.

    A row is a stratum of a cell; the session must stay open until the last piece.
    """
    with driver(session).cursor(name="export") as cursor:
        cursor.itersize = CELLS_AT_ONCE
        cursor.execute(
            f"""
            select cell.organisation, o.name, o.kind, cell.period, cell.grain, cell.strata, cell.numerator,
                   cell.denominator, cell.kind, cell.provisional, cell.definition_version, cell.known_from, cell.change,
                   cell.failed
            from cell left join organisation o on o.code = cell.organisation and {recorded("o", "%(at)s")}
            where cell.measure = %(measure)s and {known_then(at)}
            order by cell.organisation, cell.start, cell.grain
            """,  # noqa: S608 - every name is ours
            {"measure": definition.measure, "at": at},
        )
        while rows := cursor.fetchmany(CELLS_AT_ONCE):
            yield pl.DataFrame(list(_lines(rows, definition, sight)), schema=SCHEMA, orient="row")
        yield pl.DataFrame(schema=SCHEMA)


def size(session: Session, definition: Definition, *, at: datetime | None) -> int:
    """How many rows the export of a measure has."""
    counted = driver(session).execute(
        f"select sum(cardinality(strata)) from cell where measure = %(measure)s and {known_then(at)}",  # noqa: S608
        {"measure": definition.measure, "at": at},
    )
    return int((counted.fetchone() or (0,))[0] or 0)


def directory_version(session: Session) -> tuple[int, datetime | None]:
    """What changes when an organisation does."""
    row = session.execute(select(func.count(), func.max(Organisation.recorded_at)).select_from(Organisation)).one()
    return int(row[0]), row[1]


def _lines(rows: Sequence[Sequence[Any]], definition: Definition, sight: Sight) -> Iterator[tuple[Any, ...]]:
    rules = disclosure.policy(definition.disclosure)
    told = [_items(row, definition, rules, sight) for row in rows]
    add_intervals([item for items in told for item in items], definition)
    for row, items in zip(rows, told, strict=True):
        code, name, level, text, grain, _, _, _, kind, provisional, version, known, change, _ = row
        period = Period.parse(text)
        applied = rules.name if _controlled(rules, sight, code) else None
        for item in items:
            yield (
                definition.measure, code, name, level, text, grain, period.start, period.end, item["stratum"],
                item["numerator"], item["denominator"], item["value"], item["lower_95"], item["upper_95"],
                definition.unit, item["status"], provisional, kind, version, applied, known, change,
            )  # fmt: skip


def _items(row: Sequence[Any], definition: Definition, rules: disclosure.Policy, sight: Sight) -> list[dict[str, Any]]:
    """The strata of one cell as they may be shown, still without intervals."""
    code, _, level, text, _, strata, numerators, denominators, kind, provisional, *_, failed = row
    period = Period.parse(text)
    figures = [
        Figure(
            period=text,
            stratum=stratum,
            numerator=numerator,
            denominator=denominator,
            provisional=provisional,
            failed=tuple(failed),
        )
        for stratum, numerator, denominator in zip(strata, numerators, denominators, strict=True)
    ]
    states: dict[str, ReturnState] = {text: "nil"} if kind == "nil" else {}
    found = tidy(definition, code, figures, first=period, last=period, strata=strata, states=states)
    if not _controlled(rules, sight, code):
        return found
    ratio = definition.denominator is not None
    return disclosure.as_table(found, rules, level=level or "", multiplier=definition.multiplier, ratio=ratio)


def _controlled(rules: disclosure.Policy, sight: Sight, code: str) -> bool:
    return not rules.exact and not sight.exact(code)

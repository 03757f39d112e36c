"""Figures of many organisations taken together: ratios of sums, never averages of ratios.

What was submitted is added up; who is missing is counted, and for a proportion the worst that the missing could do
to it is worked out.
"""

from collections.abc import Iterable

import polars as pl

from services.measures.rules.definitions import Definition
from services.measures.rules.strata import WHOLE

_PERIOD = ["measure", "period"]
_CELL = ["measure", "period", "stratum"]


def aggregate(cells: pl.DataFrame, expected: pl.DataFrame, definitions: Iterable[Definition]) -> pl.DataFrame:
    """The aggregate of every measure, period and stratum at once.

    `cells` has `measure, organisation, period, stratum, numerator, denominator`: leave out those that may not count
    (quarantined, low quality), and give a nil return as zeros. `expected` has `measure, organisation, period`: who
    belongs to the aggregate then; a cell of anybody else is ignored. An organisation has submitted once its whole is
    known, numerator and, where the measure has one, denominator; a stratum it then lacks is one in which it has nobody.

    Answers `measure, period, stratum, numerator, denominator, submitted, expected, completeness`, and `lowest` and
    `highest`: the proportion if none, or all, of the cases of missing organisations were events, taking for a missing
    denominator the organisation's own mean one (the members' mean where it never submitted); null where nobody is
    missing and for measures that are not proportions. A period that nobody submitted has null figures.
    """
    given = list(definitions)
    plain = [one.measure for one in given if one.denominator is None]
    proportions = [one.measure for one in given if one.proportion]
    members = cells.join(expected, on=["measure", "organisation", "period"], how="semi")
    known = members.filter(
        pl.col("numerator").is_not_null() & (pl.col("denominator").is_not_null() | pl.col("measure").is_in(plain))
    )
    senders = known.filter(pl.col("stratum") == WHOLE).select("measure", "organisation", "period")
    counted = known.join(senders, on=["measure", "organisation", "period"], how="semi")
    sums = counted.group_by(_CELL).agg(_total("numerator"), _total("denominator"))
    turnout = _turnout(expected, senders)
    silent = turnout.filter(pl.col("submitted") == 0).with_columns(pl.lit(WHOLE).alias("stratum")).select(_CELL)
    table = pl.concat([sums.select(_CELL), silent]).join(sums, on=_CELL, how="left").join(turnout, on=_PERIOD)
    absent = expected.join(senders, on=["measure", "organisation", "period"], how="anti")
    return _with_bounds(table, absent, counted, proportions).sort(_CELL)


def _total(half: str) -> pl.Expr:
    return pl.when(pl.col(half).is_not_null().any()).then(pl.col(half).sum()).alias(half)


def _turnout(expected: pl.DataFrame, senders: pl.DataFrame) -> pl.DataFrame:
    return (
        expected.join(senders.with_columns(sent=1), on=["measure", "organisation", "period"], how="left")
        .group_by(_PERIOD)
        .agg(pl.col("sent").sum().cast(pl.Int64).alias("submitted"), pl.len().cast(pl.Int64).alias("expected"))
        .with_columns((pl.col("submitted") / pl.col("expected")).alias("completeness"))
    )


def _with_bounds(
    table: pl.DataFrame, absent: pl.DataFrame, counted: pl.DataFrame, proportions: list[str]
) -> pl.DataFrame:
    sizes = counted.group_by("measure", "organisation", "stratum").agg(pl.col("denominator").mean().alias("own"))
    typical = sizes.group_by("measure", "stratum").agg(pl.col("own").mean().alias("typical"))
    missing = (
        absent.filter(pl.col("measure").is_in(proportions))
        .join(typical, on="measure")
        .join(sizes, on=["measure", "organisation", "stratum"], how="left")
        .group_by(_CELL)
        .agg(pl.coalesce("own", "typical").sum().alias("missing"))
    )
    numerator, denominator, more = pl.col("numerator"), pl.col("denominator"), pl.col("missing")
    return (
        table.join(missing, on=_CELL, how="left")
        .with_columns(
            _share(numerator, denominator + more).alias("lowest"),
            _share(numerator + more, denominator + more).alias("highest"),
        )
        .drop("missing")
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)

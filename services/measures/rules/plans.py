"""What is added up of the rows of a feed for some measures: worked out once, for any number of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import polars as pl

from services.measures.rules.definitions import Definition, Half
from services.measures.rules.strata import WHOLE
from shared.contracts.periods import Grain

PLACE = ("_organisation", "_figure_period")
"""The columns by which rows are grouped, strata apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One half of one definition, and the prefix of its columns while it is being added up."""

    definition: Definition
    name: Literal["numerator", "denominator"]
    half: Half
    column: str

    @property
    def dates(self) -> str:
        """The column of its dates, where it has any."""
        return f"{self.column}.dates"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is done with the rows of one feed for the measures of one grain.

    `dimensions` are the columns of the strata by name, `derived` what is in them; `distinct` the fields whose values
    are counted; `sums` what is added up of each group of rows.
    """

    grain: Grain
    day: pl.Expr | None
    dimensions: Mapping[str, str]
    derived: Sequence[pl.Expr]
    distinct: Sequence[str]
    sums: Sequence[pl.Expr]
    tables: Sequence["Table"]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The figures of one name of strata (or of the whole): by which columns, which parts, and what they come to.

    `settled` are the columns of the table of figures before the measures are laid one below the other.
    """

    key: Sequence[str]
    parts: Sequence[Part]
    settled: Sequence[pl.Expr]
    measures: Sequence["Measure"]


class Measure(NamedTuple):
    """One measure: which half there is (or both), and the columns of its numerator, denominator and dates, if any."""

    measure: str
    half: str
    numerator: str | None
    denominator: str | None
    dates: str | None


@lru_cache(maxsize=100)
def plans(definitions: tuple[Definition, ...], feed: str) -> list[Plan]:
    """What is done for these definitions, grain by grain."""
    parts: dict[Grain, list[Part]] = {}
    for number, definition in enumerate(definitions):
        for name, half in zip(("numerator", "denominator"), definition.halves, strict=False):
            if half.feed == feed:
                part = Part(definition, name, half, f"{number}.{name}")  # type: ignore[arg-type]
                parts.setdefault(definition.period, []).append(part)
    return [_plan(some, grain) for grain, some in parts.items()]


def _plan(parts: Sequence[Part], grain: Grain) -> Plan:
    strata = {name: value for part in parts for name, value in part.half.strata.items()}
    dimensions = {name: f"_stratum_{name}" for name in strata}
    return Plan(
        grain=grain,
        day=parts[0].half.day,
        dimensions=dimensions,
        derived=[value.cast(pl.Categorical).alias(dimensions[name]) for name, value in strata.items()],
        distinct=list(
            dict.fromkeys(part.half.field for part in parts if part.half.kind == "distinct" and part.half.field)
        ),
        sums=[one for part in parts for one in _sums(part)],
        tables=[_table(name, dimensions, parts) for name in ("", *dimensions)],
    )


def _table(name: str, dimensions: Mapping[str, str], parts: Sequence[Part]) -> Table:
    concerned = [part for part in parts if not name or name in part.definition.strata]
    stratum = pl.format(f"{name}={{}}", pl.col(dimensions[name])) if name else pl.lit(WHOLE)
    halves: dict[Definition, dict[str, Part]] = {}
    for part in concerned:
        halves.setdefault(part.definition, {})[part.name] = part
    return Table(
        key=[*PLACE, dimensions[name]] if name else [*PLACE],
        parts=concerned,
        settled=[
            *(pl.col(column).alias(name) for column, name in zip(PLACE, ("organisation", "period"), strict=True)),
            stratum.alias("stratum"),
            *(_settled(part) for part in concerned),
            *(pl.col(part.dates) for part in concerned if part.half.kind == "dates"),
        ],
        measures=[_measure(definition, given) for definition, given in halves.items()],
    )


def _measure(definition: Definition, given: Mapping[str, Part]) -> Measure:
    columns = {name: part.column for name, part in given.items()}
    numerator = given.get("numerator")
    return Measure(
        definition.measure,
        "both" if len(given) == len(definition.halves) else next(iter(given)),
        columns.get("numerator"),
        columns.get("denominator"),
        numerator.dates if numerator is not None and numerator.half.kind == "dates" else None,
    )


def _sums(part: Part) -> list[pl.Expr]:
    """The columns of a half that add up over groups of rows."""
    rows, column, half = part.half.rows, part.column, part.half
    every = rows.meta.is_literal()  # there is no condition
    if half.kind == "count" or half.field is None:
        return [(pl.len() if every else rows.sum()).alias(column)]
    value = pl.col(half.field) if every else pl.when(rows).then(pl.col(half.field))
    if half.kind == "sum":
        blank = value.null_count() if every else (rows & pl.col(half.field).is_null()).sum()
        return [
            value.sum().cast(pl.Float64).alias(column),
            value.count().alias(f"{column}.filled"),
            blank.alias(f"{column}.blank"),
        ]
    if half.kind == "distinct":
        return [(value.is_not_null() & ~pl.col(f"_repeated_{half.field}")).sum().alias(column)]
    return [value.count().alias(column)]


def _settled(part: Part) -> pl.Expr:
    """What a half comes to once its rows have been added up: a sum of nothing but blanks is not known."""
    column = part.column
    value = pl.col(column).cast(pl.Float64)
    if part.half.kind != "sum":
        return value
    unknown = (pl.col(f"{column}.filled") == 0) & (pl.col(f"{column}.blank") > 0)
    return pl.when(~unknown).then(value).alias(column)

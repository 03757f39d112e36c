"""Figures from rows: every measure on a feed, for every organisation, period and stratum, in one pass over the rows.

Rows are grouped once, by the finest combination of the strata asked for; what adds up (counts and sums) is then added
up to each stratum and to the whole. Distinct counts do not add up, but a value that occurs once in its return does:
only the rows whose value is repeated are counted again for each stratum.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from services.measures.rules.definitions import Definition, Half, ValueKind
from services.measures.rules.feeds import COUNTED
from services.measures.rules.strata import WHOLE
from shared.contracts.periods import GRAINS, Grain, Period

KEYS = ("measure", "organisation", "period", "stratum")
SCHEMA: Mapping[str, pl.DataType] = {
    **dict.fromkeys(KEYS, pl.String()),
    "numerator": pl.Float64(),
    "denominator": pl.Float64(),
    "half": pl.String(),
    "dates": pl.List(pl.Datetime("us")),
}
"""`half` is `both`, or the one half this feed gives; `dates` (sorted) only for measures whose value is dates."""

_PLACE = ("_organisation", "_figure_period")


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One half of one definition, and the prefix of its columns while it is being added up."""

    definition: Definition
    name: Literal["numerator", "denominator"]
    half: Half
    column: str


def figures(frame: pl.DataFrame, definitions: Iterable[Definition], *, feed: str) -> pl.DataFrame:
    """The figures (SCHEMA) that the rows of one feed give to the definitions that use it.

    `frame` is what `rows.frame_of` and `rows.placed` make: the feed's columns with `_organisation` and `_period`.
    A stratum has a figure in a period as soon as it has a row there, so 0 is written as 0; a sum over rows that all
    leave the field blank is null. Rows of different returns that fall into one period are added together.
    """
    chosen = list(definitions)
    if feed == COUNTED:
        return _counted(frame, chosen)
    parts: dict[Grain, list[_Part]] = {}
    for number, definition in enumerate(chosen):
        for name, half in zip(("numerator", "denominator"), definition.halves, strict=False):
            if half.feed == feed:
                part = _Part(definition, name, half, f"{number}.{name}")  # type: ignore[arg-type]
                parts.setdefault(definition.period, []).append(part)
    tables = [_of_one_grain(frame, some, grain) for grain, some in parts.items() if frame.height]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *tables])


def join_halves(numerators: pl.DataFrame, denominators: pl.DataFrame) -> pl.DataFrame:
    """Figures whose halves come from two feeds, joined by cell; `half` stays the one half where the other is absent."""
    joined = numerators.drop("denominator").join(
        denominators.select(*KEYS, "denominator", pl.col("half").alias("other")), on=KEYS, how="full", coalesce=True
    )
    whole = pl.col("half").is_not_null() & pl.col("other").is_not_null()
    half = pl.when(whole).then(pl.lit("both")).otherwise(pl.coalesce("half", "other"))
    return joined.with_columns(half.alias("half")).select(*SCHEMA)


def _of_one_grain(frame: pl.DataFrame, parts: Sequence[_Part], grain: Grain) -> pl.DataFrame:
    derived = {name: value for part in parts for name, value in part.half.strata.items()}
    dimensions = {name: f"_stratum_{name}" for name in derived}
    rows = frame.with_columns(
        figure_period(frame, parts[0].half.day, grain).alias("_figure_period"),
        *(value.cast(pl.Categorical).alias(dimensions[name]) for name, value in derived.items()),
    )
    rows = rows.with_columns(_repeated(rows, field).alias(f"_repeated_{field}") for field in _distinct_fields(parts))
    again = {field: rows.filter(pl.col(f"_repeated_{field}")) for field in _distinct_fields(parts)}
    # Lazily, so that conditions several measures share are worked out once.
    sums = [one for part in parts for one in _sums(part)]
    finest = rows.lazy().group_by(*_PLACE, *dimensions.values()).agg(sums).collect()
    tables = []
    for name in ("", *dimensions):
        concerned = [part for part in parts if not name or name in part.definition.strata]
        key = [*_PLACE, dimensions[name]] if name else [*_PLACE]
        table = finest.group_by(key).agg(pl.exclude(*_PLACE, *dimensions.values()).sum())
        for field, repeated in again.items():
            counted = [part for part in concerned if part.half.kind == "distinct" and part.half.field == field]
            table = _with_repeated(table, counted, repeated, key)
        for part in concerned:
            table = _SETTLED[part.half.kind](table, part, rows, key)
        tables += _figures_of(table, concerned, _stratum(name, dimensions))
    return pl.concat(tables)


def _sums(part: _Part) -> list[pl.Expr]:
    """The columns of a half that add up over groups of rows."""
    # Without a condition the rows are one literal; the organisation, which every row has, spreads it over them.
    rows, column, half = part.half.rows & pl.col("_organisation").is_not_null(), part.column, part.half
    if half.kind == "count" or half.field is None:
        return [rows.sum().alias(column)]
    value = pl.col(half.field)
    if half.kind == "sum":
        return [
            pl.when(rows).then(value).sum().cast(pl.Float64).alias(column),
            (rows & value.is_not_null()).sum().alias(f"{column}.filled"),
            (rows & value.is_null()).sum().alias(f"{column}.blank"),
        ]
    if half.kind == "distinct":
        return [(rows & value.is_not_null() & ~pl.col(f"_repeated_{half.field}")).sum().alias(column)]
    return [(rows & value.is_not_null()).sum().alias(column)]


def _counts(table: pl.DataFrame, part: _Part, rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return table


def _known_sums(table: pl.DataFrame, part: _Part, rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """A sum of nothing but blanks is not known."""
    column = part.column
    unknown = (pl.col(f"{column}.filled") == 0) & (pl.col(f"{column}.blank") > 0)
    return table.with_columns(pl.when(~unknown).then(pl.col(column)).alias(column))


def _with_repeated(table: pl.DataFrame, parts: Sequence[_Part], again: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """The distinct values of one field that occur once are counted in `table`; `again` holds the rows of the others."""
    if not parts or not again.height:
        return table
    value = pl.col(str(parts[0].half.field))
    rows = again.lazy().filter(value.is_not_null())
    found = rows.group_by(*key, value).agg(part.half.rows.any().alias(part.column) for part in parts)
    more = found.group_by(key).agg(pl.col(part.column for part in parts).sum()).collect()
    return pl.concat([table, more], how="diagonal_relaxed").group_by(key).agg(pl.all().exclude(key).sum())


def _sorted_dates(table: pl.DataFrame, part: _Part, rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    field, column = str(part.half.field), f"{part.column}.dates"
    dated = rows.filter(part.half.rows & pl.col(field).is_not_null())
    moments = pl.col(field).cast(pl.Datetime("us")).sort().alias(column)
    found = table.join(dated.group_by(key).agg(moments), on=key, how="left")
    return found.with_columns(pl.col(column).fill_null(pl.lit([], dtype=SCHEMA["dates"])))


_SETTLED: Mapping[ValueKind, Callable[[pl.DataFrame, _Part, pl.DataFrame, list[str]], pl.DataFrame]] = {
    "count": _counts,
    "sum": _known_sums,
    "distinct": _counts,
    "dates": _sorted_dates,
}
"""For each kind of value, what is still to be done once the rows have been added up."""


def _figures_of(table: pl.DataFrame, parts: Sequence[_Part], stratum: pl.Expr) -> list[pl.DataFrame]:
    """The table of one stratum name, turned from a column for each half to a row for each figure."""
    keyed = table.with_columns(stratum.alias("stratum"))
    halves: dict[str, dict[str, _Part]] = {}
    for part in parts:
        halves.setdefault(part.definition.measure, {})[part.name] = part
    return [keyed.select(_figure(measure, given)) for measure, given in halves.items()]


def _figure(measure: str, given: Mapping[str, _Part]) -> list[pl.Expr]:
    whole = len(given) == len(next(iter(given.values())).definition.halves)
    numerator = given.get("numerator")
    dated = numerator is not None and numerator.half.kind == "dates"
    columns = {
        "measure": pl.lit(measure),
        "organisation": pl.col("_organisation"),
        "period": pl.col("_figure_period"),
        "stratum": pl.col("stratum"),
        "numerator": pl.col(given["numerator"].column) if "numerator" in given else pl.lit(None),
        "denominator": pl.col(given["denominator"].column) if "denominator" in given else pl.lit(None),
        "half": pl.lit("both" if whole else next(iter(given))),
        "dates": pl.col(f"{numerator.column}.dates") if numerator is not None and dated else pl.lit(None),
    }
    return [columns[name].cast(kind).alias(name) for name, kind in SCHEMA.items()]


def _stratum(name: str, dimensions: Mapping[str, str]) -> pl.Expr:
    return pl.format(f"{name}={{}}", pl.col(dimensions[name])) if name else pl.lit(WHOLE)


def _distinct_fields(parts: Sequence[_Part]) -> list[str]:
    fields = [part.half.field for part in parts if part.half.kind == "distinct" and part.half.field is not None]
    return list(dict.fromkeys(fields))


def _repeated(rows: pl.DataFrame, field: str) -> pl.Series:
    """Whether a row's value occurs again in the same organisation and period. Two rows whose hashes agree are taken for
    a repetition, which costs time and nothing else."""
    place, period = (pl.col(name).hash(seed) for seed, name in enumerate(_PLACE, 1))
    return rows.select((pl.col(field).hash() ^ place ^ period).is_duplicated()).to_series()


def figure_period(frame: pl.DataFrame, day: pl.Expr | None, grain: Grain) -> pl.Expr:
    """The period of `grain` each row counts in: by its date, or else the one that its return's period falls into."""
    written = frame["_period"].unique().to_list()
    by_return = _renamed(pl.col("_period"), {text: coarsened(text, grain) for text in written})
    if day is None:
        return by_return
    days: list[date] = frame.select(day.unique().drop_nulls()).to_series().to_list()
    table = {one: Period.of(one, grain).text for one in days}
    by_date = day.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)
    return pl.coalesce(by_date, by_return)


def _renamed(column: pl.Expr, table: Mapping[str, str]) -> pl.Expr:
    if all(old == new for old, new in table.items()):
        return column
    return column.replace_strict(list(table), list(table.values()), return_dtype=pl.String)


def coarsened(text: str, grain: Grain) -> str:
    """The period of `grain` that holds the last day of the period `text`; a period as coarse or coarser is unchanged.

    A week counts in the month of its Sunday, as its week-ending date would.
    """
    period = Period.parse(text)
    if GRAINS.index(period.grain) >= GRAINS.index(grain):
        return text
    return Period.of(period.end, grain).text


def _counted(frame: pl.DataFrame, definitions: Sequence[Definition]) -> pl.DataFrame:
    """Figures that came ready counted, in the periods they were sent for: months stay months."""
    ours = frame.filter(pl.col("measure").is_in([definition.measure for definition in definitions]))
    keyed = ours.with_columns(pl.col("stratum").fill_null(WHOLE)).rename({"_organisation": "place"})
    added = keyed.group_by("measure", "place", "_period", "stratum").agg(
        pl.when(pl.col(half).is_not_null().any()).then(pl.col(half).sum()).cast(pl.Float64).alias(half)
        for half in ("numerator", "denominator")
    )
    return added.select(
        "measure", pl.col("place").alias("organisation"), pl.col("_period").alias("period"), "stratum", "numerator",
        "denominator", pl.lit("both").alias("half"), pl.lit(None, dtype=SCHEMA["dates"]).alias("dates"),
    )  # fmt: skip


def default_grain(there: Iterable[Grain], own: Grain) -> Grain:
    """The grain to show of those in which a measure has figures: its own, or else the finest.

    A measure by the quarter or the year whose figures were sent by the month as well is shown by the month.
    """
    found = sorted(set(there), key=GRAINS.index)
    finest = found[0] if found else own
    coarse = GRAINS.index(own) > GRAINS.index("month")
    return own if own in found and not (coarse and GRAINS.index(finest) <= GRAINS.index("month")) else finest

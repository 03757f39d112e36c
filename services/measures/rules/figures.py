"""Figures from rows: every measure on a feed, for every organisation, period and stratum, in one pass over the rows.

Rows are grouped once, by the finest combination of the strata asked for; what adds up (counts and sums) is then added
up to each stratum and to the whole. Distinct counts do not add up, but a value that occurs once in its return does:
only the rows whose value is repeated are counted again for each stratum.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import polars as pl

from services.measures.rules.definitions import Definition
from services.measures.rules.feeds import COUNTED
from services.measures.rules.plans import PLACE, Measure, Part, Plan, plans
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

_FEW = 20_000
"""Rows up to which it takes longer to find what can be shared than to work it out again."""


def figures(frame: pl.DataFrame, definitions: Iterable[Definition], *, feed: str) -> pl.DataFrame:
    """The figures (SCHEMA) that the rows of one feed give to the definitions that use it.

    `frame` is what `rows.frame_of` and `rows.placed` make: the feed's columns with `_organisation` and `_period`.
    A stratum has a figure in a period as soon as it has a row there, so 0 is written as 0; a sum over rows that all
    leave the field blank is null. Rows of different returns that fall into one period are added together.
    """
    chosen = tuple(definitions)
    if feed == COUNTED:
        return _counted(frame, chosen)
    tables = [table for plan in plans(chosen, feed) for table in _carried_out(plan, frame)] if frame.height else []
    return pl.concat(tables) if tables else pl.DataFrame(schema=SCHEMA)


def join_halves(numerators: pl.DataFrame, denominators: pl.DataFrame) -> pl.DataFrame:
    """Figures whose halves come from two feeds, joined by cell; `half` stays the one half where the other is absent.

    Of an organisation and period that has a half, a stratum without a row in its feed is one in which there was nobody.
    """
    joined = numerators.drop("denominator").join(
        denominators.select(*KEYS, "denominator", pl.col("half").alias("other")), on=KEYS, how="full", coalesce=True
    )
    for half, there, sent in (("numerator", "half", numerators), ("denominator", "other", denominators)):
        places = sent.select(*KEYS[:3], pl.col("half").alias("sent")).unique()
        nobody = pl.col(there).is_null() & pl.col("sent").is_not_null()
        joined = joined.join(places, on=KEYS[:3], how="left").with_columns(
            pl.when(nobody).then(0.0).otherwise(pl.col(half)).alias(half), pl.coalesce(there, "sent").alias(there)
        ).drop("sent")  # fmt: skip
    whole = pl.col("half").is_not_null() & pl.col("other").is_not_null()
    half_there = pl.when(whole).then(pl.lit("both")).otherwise(pl.coalesce("half", "other"))
    return joined.with_columns(half_there.alias("half")).select(*SCHEMA)


def nothing(said: Iterable[tuple[str, str, str, str]]) -> pl.DataFrame:
    """Figures of 0 for the whole of each (measure, organisation, period, half) of which it was said there was none."""
    rows = pl.DataFrame(list(said), schema=dict.fromkeys((*KEYS[:3], "half"), pl.String()), orient="row").unique()
    figure = {"stratum": WHOLE, "numerator": 0.0, "denominator": 0.0}
    dates = pl.lit(None, dtype=SCHEMA["dates"]).alias("dates")
    return rows.with_columns(*(pl.lit(value).alias(name) for name, value in figure.items()), dates).select(*SCHEMA)


def _carried_out(plan: Plan, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    period = figure_period(frame, plan.day, plan.grain).alias(PLACE[1])
    rows = frame.with_columns(period, *plan.derived)
    if plan.distinct:
        rows = rows.with_columns(_repeated(rows, field).alias(f"_repeated_{field}") for field in plan.distinct)
    again = {field: rows.filter(pl.col(f"_repeated_{field}")) for field in plan.distinct}
    key = (*PLACE, *plan.dimensions.values())
    if rows.height > _FEW:  # lazily, so that conditions several measures share are worked out once
        finest = rows.lazy().group_by(key).agg(plan.sums).collect()
    else:
        finest = rows.group_by(key).agg(plan.sums)
    for one in plan.tables:
        table = finest
        if plan.dimensions:
            table = finest.group_by(one.key).agg(pl.exclude(*PLACE, *plan.dimensions.values()).sum())
        for field, repeated in again.items():
            counted = [part for part in one.parts if part.half.kind == "distinct" and part.half.field == field]
            table = _with_repeated(table, counted, repeated, one.key)
        for part in one.parts:
            if part.half.kind == "dates":
                table = _withdates_of(table, part, rows, one.key)
        yield _one_below_the_other(table.select(one.settled), one.measures)


def _with_repeated(table: pl.DataFrame, parts: Sequence[Part], again: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The distinct values of one field that occur once are counted in `table`; `again` holds the rows of the others."""
    if not parts or not again.height:
        return table
    value = pl.col(str(parts[0].half.field))
    rows = again.lazy().filter(value.is_not_null())
    found = rows.group_by(*key, value).agg(part.half.rows.any().alias(part.column) for part in parts)
    more = found.group_by(key).agg(pl.col(part.column for part in parts).sum()).collect()
    return pl.concat([table, more], how="diagonal_relaxed").group_by(key).agg(pl.all().exclude(key).sum())


def _withdates_of(table: pl.DataFrame, part: Part, rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The sorted dates of one half."""
    field, column = str(part.half.field), part.dates
    dated = rows.filter(part.half.rows & pl.col(field).is_not_null())
    moments = pl.col(field).cast(pl.Datetime("us")).sort().alias(column)
    found = table.join(dated.group_by(key).agg(moments), on=list(key), how="left")
    return found.with_columns(pl.col(column).fill_null(pl.lit([], dtype=SCHEMA["dates"])))


def _one_below_the_other(table: pl.DataFrame, measures: Sequence[Measure]) -> pl.DataFrame:
    """The figures, turned from a column for each half of each measure to a row for each figure.

    By columns as they are: an expression for each would take longer than computing the figures of one return.
    """
    blank = {name: pl.Series([None], dtype=SCHEMA[name]).new_from_index(0, table.height) for name in SCHEMA}

    def below(name: str, columns: Iterable[str | None]) -> pl.Series:
        return pl.concat([blank[name] if column is None else table[column] for column in columns])

    def said(values: Iterable[str]) -> pl.Series:
        return pl.concat([pl.Series([value]).new_from_index(0, table.height) for value in values])

    columns = {
        "measure": said(one.measure for one in measures),
        **{name: below(name, [name] * len(measures)) for name in KEYS[1:]},
        "numerator": below("numerator", (one.numerator for one in measures)),
        "denominator": below("denominator", (one.denominator for one in measures)),
        "half": said(one.half for one in measures),
        "dates": below("dates", (one.dates for one in measures)),
    }
    return pl.DataFrame([columns[name].alias(name) for name in SCHEMA])


def _repeated(rows: pl.DataFrame, field: str) -> pl.Series:
    """Whether a row's value occurs again in the same organisation and period. Two rows whose hashes agree are taken for
    a repetition, which costs time and nothing else."""
    place, period = (pl.col(name).hash(seed) for seed, name in enumerate(PLACE, 1))
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

"""Rolling figures: each period's is of that period and some before it, taken together.

What is counted in several periods is added up, so a rolling measure counts or sums: people counted once in each of
three months would be counted three times in the three. A window in which a period is missing has no figure: it would be
smaller than its neighbours for no reason of care.
"""

from collections.abc import Iterable
from functools import lru_cache

import polars as pl

from services.measures.rules.figures import KEYS, SCHEMA
from services.measures.rules.strata import WHOLE
from shared.contracts.periods import Period


@lru_cache(maxsize=20_000)
def window(period: str, length: int) -> tuple[str, ...]:
    """The periods of the window that ends with this one, the last first."""
    one, found = Period.parse(period), [period]
    while len(found) < length:
        one = one.previous()
        found.append(one.text)
    return tuple(found)


@lru_cache(maxsize=20_000)
def windows(period: str, length: int) -> tuple[str, ...]:
    """The periods in whose windows this one lies, itself first."""
    one, found = Period.parse(period), [period]
    while len(found) < length:
        one = one.next()
        found.append(one.text)
    return tuple(found)


def rolled(table: pl.DataFrame, nil: Iterable[tuple[str, str, str]], length: int) -> pl.DataFrame:
    """The figures (`figures.SCHEMA`) of windows of that length, from those of single periods.

    `nil` are the (measure, organisation, period) of which it was said that there was nothing: they count as 0. A
    stratum that a period lacks is 0 in it; a half that is not known in one period is not known of the window.
    """
    nothing = pl.DataFrame(list(nil), schema=dict.fromkeys(KEYS[:3], pl.String()), orient="row")
    said = nothing.with_columns(
        pl.lit(WHOLE).alias("stratum"), pl.lit(0.0).alias("numerator"), pl.lit(0.0).alias("denominator")
    ).join(table, on=KEYS, how="anti")
    single = pl.concat([table.select(*KEYS, "numerator", "denominator", pl.lit(True).alias("sent")),
                        said.with_columns(pl.lit(False).alias("sent"))])  # fmt: skip
    written = single["period"].unique().to_list()
    reach = pl.DataFrame({"period": written, "into": [list(windows(one, length)) for one in written]},
                         schema={"period": pl.String(), "into": pl.List(pl.String())})  # fmt: skip
    spread = single.join(reach, on="period").explode("into").drop("period").rename({"into": "period"})
    whole = pl.col("stratum") == WHOLE
    complete = (
        spread.filter(whole)
        .group_by(KEYS[:3])
        .agg(pl.len().alias("there"), pl.col("sent").any())
        .filter((pl.col("there") == length) & pl.col("sent"))
    )
    halves = [pl.when(pl.col(half).is_not_null().all()).then(pl.col(half).sum()).alias(half)
              for half in ("numerator", "denominator")]  # fmt: skip
    added = spread.join(complete, on=KEYS[:3], how="semi").group_by(KEYS).agg(halves)
    return added.with_columns(
        pl.lit("both").alias("half"), pl.lit(None, dtype=SCHEMA["dates"]).alias("dates")
    ).select(*SCHEMA)  # fmt: skip

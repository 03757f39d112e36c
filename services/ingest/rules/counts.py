"""The rules of `measure-counts`: figures already counted elsewhere must belong to a known measure and make sense."""

from collections.abc import Mapping
from typing import Any

import polars as pl

FEED = "measure-counts"
STRATUM = r"^[a-z][a-z0-9_]*=[^=]+$"

Finding = tuple[pl.Series, str, str, str, str]
"""Rows, code, column, what was expected, hint."""


def count_findings(
    rows: pl.DataFrame, period: pl.Series, grains: pl.Series, measures: Mapping[str, Any]
) -> list[Finding]:
    """What is wrong with typed rows of counts; unknown measures are not among it (see `unknown_measures`)."""
    name = rows["measure"]
    proportions = [one for one, said in measures.items() if said.get("proportion")]
    too_many = (rows["numerator"] > rows["denominator"]) & name.is_in(proportions)
    grain = {one: said["period"] for one, said in measures.items() if said.get("period")}
    wanted = name.replace_strict(grain, default=None, return_dtype=pl.String)
    return [
        (too_many, "more-events-than-denominator", "numerator", "no more than the denominator", ""),
        (rows["numerator"] < 0, "out-of-range", "numerator", "0 or more", "a count is never negative"),
        (rows["denominator"] < 0, "out-of-range", "denominator", "0 or more", "a count is never negative"),
        (~rows["stratum"].str.contains(STRATUM), "not-a-stratum", "stratum", "name=value, or blank", ""),
        (period.is_not_null() & (grains != wanted), "wrong-period-grain", "period", "the period of the measure", ""),
    ]


def unknown_measures(rows: pl.DataFrame, measures: Mapping[str, Any]) -> pl.Series:
    """Which rows name a measure that is not known (yet)."""
    return ~rows["measure"].is_in(list(measures)) & rows["measure"].is_not_null()

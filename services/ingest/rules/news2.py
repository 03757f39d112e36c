"""NEWS2 scored again from its parameters (Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017).

What was sent is kept; where it differs from what the parameters score, the row gets a warning that says both.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import polars as pl

NAME = "NEWS2"
PARAMETERS = ("tool", "resp_rate", "spo2", "spo2_scale", "on_oxygen", "sbp", "pulse", "acvpu", "temperature")
COLUMNS = (*PARAMETERS, "total_score", "any_red_score")

Bands = Sequence[tuple[float, int]]
"""Upwards: the highest value of each band and what it scores; the last band has no end."""

_END = math.inf
RESP_RATE: Bands = ((8, 3), (11, 1), (20, 0), (24, 2), (_END, 3))
SPO2_SCALE_1: Bands = ((91, 3), (93, 2), (95, 1), (_END, 0))
SPO2_SCALE_2_ON_AIR: Bands = ((83, 3), (85, 2), (87, 1), (_END, 0))
SPO2_SCALE_2_ON_OXYGEN: Bands = ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (_END, 3))
SBP: Bands = ((90, 3), (100, 2), (110, 1), (219, 0), (_END, 3))
PULSE: Bands = ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (_END, 3))
TEMPERATURE: Bands = ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (_END, 2))
ACVPU: Mapping[str, int] = {"A": 0, "C": 3, "V": 3, "P": 3, "U": 3}
OXYGEN = 2

_RED = 3
_HINT = "score each parameter by the NEWS2 chart, and add 2 for oxygen"
_OTHER_SCALE = "this is the total of the other SpO2 scale: which was scored?"


class Wrong(NamedTuple):
    """Rows with one thing wrong, as `Findings.add` takes it."""

    rows: pl.Series
    code: str
    column: str
    found: pl.Series
    expected: str
    hint: pl.Series | str


def scored(rows: pl.DataFrame) -> pl.DataFrame:
    """`total` (0 to 20), `red` (whether one parameter scored 3) and `other` (the total on the other SpO2 scale).

    Typed rows of the parameters, in the units of the feed. Null where a parameter is missing, or the tool is another.
    """
    oxygen = pl.when(pl.col("on_oxygen")).then(OXYGEN).otherwise(0)
    vital = (
        _band("resp_rate", RESP_RATE),
        _band("sbp", SBP),
        _band("pulse", PULSE),
        pl.col("acvpu").replace_strict(ACVPU, default=None, return_dtype=pl.Int64),
        _band("temperature", TEMPERATURE),
    )
    second = (
        pl.when(pl.col("on_oxygen"))
        .then(_band("spo2", SPO2_SCALE_2_ON_OXYGEN))
        .otherwise(_band("spo2", SPO2_SCALE_2_ON_AIR))
    )
    first = _band("spo2", SPO2_SCALE_1)
    is_second = pl.col("spo2_scale") == "2"
    spo2 = pl.when(is_second).then(second).otherwise(first)
    whole = pl.all_horizontal(
        pl.col("tool") == NAME, *(pl.col(name).is_not_null() for name in ("on_oxygen", "spo2_scale", "spo2")),
        *(one.is_not_null() for one in vital),
    )  # fmt: skip
    return rows.select(
        total=pl.when(whole).then(pl.sum_horizontal(*vital, spo2, oxygen)),
        red=pl.when(whole).then(pl.any_horizontal(*(one == _RED for one in (*vital, spo2)))),
        other=pl.when(whole).then(pl.sum_horizontal(*vital, pl.when(is_second).then(first).otherwise(second), oxygen)),
    )


def findings(rows: pl.DataFrame) -> Iterator[Wrong]:
    """Where the total sent, or the red score sent, is not what the parameters score."""
    score = scored(rows)
    sent = rows["total_score"]
    differs = (score["total"] != sent).fill_null(value=False)
    hint = pl.select(pl.when(score["other"] == sent).then(pl.lit(_OTHER_SCALE)).otherwise(pl.lit(_HINT))).to_series()
    for total in score["total"].filter(differs).unique().sort():
        these = differs & (score["total"] == total)
        yield Wrong(these, "news2-total-differs", "total_score", sent.cast(pl.String), str(total), hint)
    said = rows["any_red_score"]
    for red, expected in ((True, "true"), (False, "false")):
        wrong = ((score["red"] == red) & (said != red)).fill_null(value=False)
        yield Wrong(
            wrong, "news2-red-score-differs", "any_red_score", said.cast(pl.String), expected,
            "true where any one parameter scores 3",
        )  # fmt: skip


def _band(name: str, bands: Bands) -> pl.Expr:
    """What a value scores; a temperature counts to a tenth of a degree, as it is charted."""
    value = pl.col(name).round(1)
    score = pl.lit(bands[-1][1])
    for highest, its_score in reversed(bands[:-1]):
        score = pl.when(value <= highest).then(its_score).otherwise(score)
    return pl.when(value.is_not_null()).then(score)

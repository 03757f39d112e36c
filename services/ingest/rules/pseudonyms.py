"""Declared identifiers leave the door as pseudonyms: the same person gives the same text, and no way back.

HMAC-SHA-256 with a secret key for this purpose alone. A pseudonym carries the version of its key, so keys can be
rotated; identifiers of one organisation are kept apart from those of another. Whole columns are hashed natively: a
file of a million rows has two million of them.
"""

from collections.abc import Callable

import polars as pl
from polars_hash import CryptographicHashingNameSpace

from services.ingest.rules.feeds import Feed, Field
from services.ingest.rules.places import ORGANISATION, PERIOD
from shared.contracts.periods import Period

AGE_BAND = "age_band"
SEALABLE = ("nhs_number", "local")
SEAL = r"^\[pseudonym ([^\]]{1,40}:[0-9a-f]{32})\]$"
"""A pseudonym as a mended row brings it back: it is taken as it is."""

_BAND = 5
_DIGITS = 32
_YOUNGEST, _OLDEST = 15, 90


def pseudonymise(frame: pl.DataFrame, feed: Feed, key: str, key_version: str) -> pl.DataFrame:
    """The rows (of `Verdict.accepted` or `waiting`) without identifiers.

    `nhs_number` and `local` columns hold `<key_version>:<32 hex digits>`; `birth_date` columns are dropped, and
    `age_band` says the age at the start of the period (`under 15`, `15-19`, ..., `90 and over`). Null stays null.
    Apply it once: a pseudonym would become the pseudonym of a pseudonym.
    """
    for field in feed.fields:
        if field.identifier is not None and field.name in frame.columns:
            frame = _WITHOUT[field.identifier](frame, field, key, key_version)
    return frame


def _number(frame: pl.DataFrame, field: Field, key: str, key_version: str) -> pl.DataFrame:
    return _replaced(frame, field, pl.format("nhs_number:{}", pl.col(field.name)), key, key_version)


def _local(frame: pl.DataFrame, field: Field, key: str, key_version: str) -> pl.DataFrame:
    """A local identifier means something only within its organisation."""
    owner = pl.col(ORGANISATION).fill_null("")
    return _replaced(frame, field, pl.format("local:{}:{}", owner, pl.col(field.name)), key, key_version)


def _replaced(frame: pl.DataFrame, field: Field, message: pl.Expr, key: str, key_version: str) -> pl.DataFrame:
    cells = frame[field.name]
    if cells.null_count() == frame.height:
        return frame.with_columns(pl.lit(None, dtype=pl.String).alias(field.name))
    digest = CryptographicHashingNameSpace(message).hmac_sha256(key=key).str.slice(0, _DIGITS)
    names = frame.select((pl.lit(f"{key_version}:") + digest).alias(field.name)).to_series()
    if cells.str.starts_with("[").any():
        names = pl.select(pl.coalesce(cells.str.extract(SEAL, 1), names)).to_series()
    return frame.with_columns(names.alias(field.name))


def sealed(pseudonyms: pl.Series) -> pl.Series:
    """Pseudonyms as they stand in a row that is to be mended and sent again."""
    return pl.select(pl.lit("[pseudonym ") + pseudonyms + pl.lit("]")).to_series()


def _age_band(frame: pl.DataFrame, field: Field, _: str, __: str) -> pl.DataFrame:
    starts = {text: Period.parse(text).start for text in frame[PERIOD].unique()}
    start = pl.col(PERIOD).replace_strict(starts, return_dtype=pl.Date)
    born = pl.col(field.name)
    to_come = (born.dt.month() > start.dt.month()) | (
        (born.dt.month() == start.dt.month()) & (born.dt.day() > start.dt.day())
    )
    age = start.dt.year() - born.dt.year() - to_come.cast(pl.Int32)
    low = age // _BAND * _BAND
    band = (
        pl.when(age < _YOUNGEST)
        .then(pl.lit(f"under {_YOUNGEST}"))
        .when(age >= _OLDEST)
        .then(pl.lit(f"{_OLDEST} and over"))
        .otherwise(pl.format("{}-{}", low, low + _BAND - 1))
    )
    return frame.with_columns(pl.when(born.is_not_null()).then(band).alias(AGE_BAND)).drop(field.name)


_WITHOUT: dict[str, Callable[[pl.DataFrame, Field, str, str], pl.DataFrame]] = {
    "nhs_number": _number,
    "local": _local,
    "birth_date": _age_band,
}

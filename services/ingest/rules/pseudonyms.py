"""Declared identifiers leave the door as pseudonyms: the same person gives the same text, and no way back.

HMAC-SHA-256 with a secret key for this purpose alone. A pseudonym carries the version of its key, so keys can be
rotated; identifiers of one organisation are kept apart from those of another.
"""

import hmac
from collections.abc import Callable

import polars as pl

from services.ingest.rules.feeds import Feed, Field
from services.ingest.rules.places import ORGANISATION, PERIOD

AGE_BAND = "age_band"
_BAND = 5
_YOUNGEST, _OLDEST = 15, 90


def pseudonymise(frame: pl.DataFrame, feed: Feed, key: bytes, key_version: str) -> pl.DataFrame:
    """The rows (of `Verdict.accepted` or `waiting`) without identifiers.

    `nhs_number` and `local` columns hold `<key_version>:<32 hex digits>`; `birth_date` columns are dropped, and
    `age_band` says the age at the start of the period (`under 15`, `15-19`, ..., `90 and over`). Null stays null.
    Apply it once: a pseudonym would become the pseudonym of a pseudonym.
    """
    for field in feed.fields:
        if field.identifier is not None and field.name in frame.columns:
            frame = _WITHOUT[field.identifier](frame, field, key, key_version)
    return frame


def _number(frame: pl.DataFrame, field: Field, key: bytes, key_version: str) -> pl.DataFrame:
    values = frame[field.name].unique().drop_nulls()
    names = {value: _pseudonym(f"nhs_number:{value}", key, key_version) for value in values}
    return frame.with_columns(pl.col(field.name).replace_strict(names, default=None, return_dtype=pl.String))


def _local(frame: pl.DataFrame, field: Field, key: bytes, key_version: str) -> pl.DataFrame:
    """A local identifier means something only within its organisation."""
    pairs = frame.select(ORGANISATION, field.name).unique().drop_nulls(field.name)
    names = [_pseudonym(f"local:{owner or ''}:{value}", key, key_version) for owner, value in pairs.iter_rows()]
    told = pairs.with_columns(pl.Series("_pseudonym", names, dtype=pl.String))
    joined = frame.join(told, on=[ORGANISATION, field.name], how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(pl.col("_pseudonym").alias(field.name)).drop("_pseudonym")


def _pseudonym(message: str, key: bytes, key_version: str) -> str:
    return f"{key_version}:{hmac.digest(key, message.encode(), 'sha256').hex()[:32]}"


def _age_band(frame: pl.DataFrame, field: Field, _: bytes, __: str) -> pl.DataFrame:
    start = pl.col(PERIOD).str.extract(r"^([0-9]{4})").cast(pl.Int32)
    month = pl.col(PERIOD).str.extract(r"^[0-9]{4}-([0-9]{2})").cast(pl.Int32).fill_null(1)
    born = pl.col(field.name)
    age = start - born.dt.year() - (born.dt.month() > month).cast(pl.Int32)
    low = age // _BAND * _BAND
    band = (
        pl.when(age < _YOUNGEST)
        .then(pl.lit(f"under {_YOUNGEST}"))
        .when(age >= _OLDEST)
        .then(pl.lit(f"{_OLDEST} and over"))
        .otherwise(pl.format("{}-{}", low, low + _BAND - 1))
    )
    return frame.with_columns(pl.when(born.is_not_null()).then(band).alias(AGE_BAND)).drop(field.name)


_WITHOUT: dict[str, Callable[[pl.DataFrame, Field, bytes, str], pl.DataFrame]] = {
    "nhs_number": _number,
    "local": _local,
    "birth_date": _age_band,
}

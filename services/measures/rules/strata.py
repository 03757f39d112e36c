"""The strata that figures are split by: how each is derived from the fields of a feed.

A stratum is written `name=value` (`imd_quintile=1`); the whole is the empty string. A value that is missing, or that
says it is not known, keeps its rows under `unknown`, so that the strata of a name always add up to the whole.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from services.measures.rules.feeds import Feed, Field, InvalidDefinition

UNKNOWN = "unknown"
WHOLE = ""
ONE_STRATUM = re.compile(r"[a-z][a-z0-9_]*=[^=]+\Z")
"""How a stratum is written."""

ETHNIC_GROUPS: Mapping[str, str] = {
    **dict.fromkeys("ABC", "White"),
    **dict.fromkeys("DEFG", "Mixed"),
    **dict.fromkeys("HJKL", "Asian"),
    **dict.fromkeys("MNP", "Black"),
    **dict.fromkeys("RS", "Other"),
}
"""The 16 known ETHNIC CATEGORY codes to the five groups (NHS Data Dictionary); Z and 99 are not known."""

LFPSE_ETHNIC_GROUPS: Mapping[str, str] = {"1": "White", "2": "Mixed", "3": "Asian", "4": "Black", "5": "Other"}
"""The first digit of an LFPSE ethnicity (11-52) to the same five groups."""

SEXES: Mapping[str, str] = {"1": "male", "2": "female", "male": "male", "female": "female"}
"""PERSON GENDER CODE STATED, or the label a feed's own code list gives (LFPSE has 1 = Female)."""

AGE_BANDS: tuple[tuple[int, str], ...] = (
    (0, "0-17"), (18, "18-24"), (25, "25-34"), (35, "35-44"), (45, "45-54"), (55, "55-64"), (65, "65-74"),
    (75, "75-84"), (85, "85+"),
)  # fmt: skip
"""The first age of each band and its name; no age is above 120."""


@dataclass(frozen=True, slots=True)
class Source:
    """A field a stratum may be derived from, and how: `derive` gives text, null where the value is not known."""

    field: str
    derive: Callable[[Field], pl.Expr]


def _quintile_of_decile(field: Field) -> pl.Expr:
    decile = pl.col(field.name).cast(pl.Int64, strict=False)
    return pl.when(decile.is_between(1, 10)).then((decile + 1) // 2).cast(pl.String)


def _quintile(field: Field) -> pl.Expr:
    quintile = pl.col(field.name).cast(pl.Int64, strict=False)
    return pl.when(quintile.is_between(1, 5)).then(quintile).cast(pl.String)


def _ethnic_group(field: Field) -> pl.Expr:
    return _looked_up(pl.col(field.name), ETHNIC_GROUPS)


def _lfpse_ethnic_group(field: Field) -> pl.Expr:
    code = pl.col(field.name)
    return pl.when(code.str.contains(r"^[1-5]\d$")).then(_looked_up(code.str.slice(0, 1), LFPSE_ETHNIC_GROUPS))


def _age_band(field: Field) -> pl.Expr:
    age = pl.col(field.name).cast(pl.Float64, strict=False)
    band = pl.lit(None, dtype=pl.String)
    for first, name in AGE_BANDS:
        band = pl.when(age >= first).then(pl.lit(name)).otherwise(band)
    return pl.when(age <= 120).then(band)


def _label(field: Field) -> pl.Expr:
    labels = {code: label for code, label in (field.codes or {}).items() if not _says_unknown(label)}
    return _looked_up(pl.col(field.name), labels) if field.codes is not None else pl.col(field.name).cast(pl.String)


def _sex(field: Field) -> pl.Expr:
    sexes = {code: SEXES.get(label.lower()) or SEXES.get(code) for code, label in (field.codes or {}).items()}
    known = {code: sex for code, sex in sexes.items() if sex is not None}
    return _looked_up(pl.col(field.name).str.to_lowercase() if not known else pl.col(field.name), known or SEXES)


def _looked_up(code: pl.Expr, table: Mapping[str, str]) -> pl.Expr:
    return code.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)


def _says_unknown(label: str) -> bool:
    return any(word in label.lower() for word in ("unknown", "not known", "not stated"))


STRATA: Mapping[str, tuple[Source, ...]] = {
    "imd_quintile": (Source("imd_quintile", _quintile), Source("imd_decile", _quintile_of_decile)),
    "ethnic_group": (Source("ethnic_category", _ethnic_group), Source("patient_ethnicity", _lfpse_ethnic_group)),
    "age_band": (
        Source("age_band", _label),
        Source("age_bracket", _label),
        Source("age", _age_band),
        Source("age_years", _age_band),
    ),
    "sex": (Source("sex", _sex), Source("gender", _sex), Source("person_gender_code_stated", _sex)),
}
"""Every stratum, with the fields it may come from; the first that the feed has is used (quintile 1: most deprived)."""


def stratum(name: str, feed: Feed, pointer: str = "/strata") -> pl.Expr:
    """The stratum's value for every row of a frame of the feed, as text, `unknown` where it is not known.

    Raises InvalidDefinition when there is no such stratum or the feed has no field to derive it from.
    """
    if name not in STRATA:
        raise InvalidDefinition(pointer, f"{name!r} is not a stratum; the strata are {', '.join(STRATA)}")
    for source in STRATA[name]:
        field = feed.fields.get(source.field)
        if field is not None:
            return source.derive(field).fill_null(UNKNOWN).alias(name)
    needed = " or ".join(source.field for source in STRATA[name])
    raise InvalidDefinition(pointer, f"the feed {feed.id} has no {needed} to derive {name} from")

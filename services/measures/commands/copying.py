"""Figures as lines of COPY: written here because a driver that looks at every value costs more than computing them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache

from services.measures.commands.computing import Figures
from shared.contracts.periods import Period

COLUMNS = (*Figures._fields, "grain")
"""What a line gives, in order."""

_IN_AN_ARRAY = str.maketrans({"\\": "\\\\", '"': '\\"'})
_IN_A_LINE = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
NULL = "\\N"


def lines(cells: Iterable[Figures], *more: object) -> str:
    """The cells in PostgreSQL's text format, each with COLUMNS and then `more`, which is the same for all."""
    rest = "\t".join(["", *(_text(str(one)) for one in more)]) + "\n"
    return "".join(_line(one) + rest for one in cells)


def _line(one: Figures) -> str:
    return "\t".join((
        _text(one.measure),
        _text(one.organisation),
        one.period,
        _day(one.start),
        _text(one.definition_version),
        _texts(tuple(one.strata)),
        _numbers(one.numerator),
        _numbers(one.denominator),
        NULL if one.dates is None else _instants(one.dates),
        one.kind,
        "t" if one.provisional else "f",
        _texts(tuple(one.versions)),
        _texts(tuple(one.failed)),
        Period.parse(one.period).grain,
    ))  # fmt: skip


@lru_cache(maxsize=5_000)  # the same few measures, organisations and versions are written again and again
def _text(value: str) -> str:
    return value.translate(_IN_A_LINE)


@lru_cache(maxsize=5_000)
def _day(day: date) -> str:
    return day.isoformat()


@lru_cache(maxsize=5_000)  # the strata of a measure are much the same everywhere
def _texts(values: tuple[str, ...]) -> str:
    elements = ",".join(f'"{one.translate(_IN_AN_ARRAY)}"' for one in values)
    return f"{{{elements}}}".translate(_IN_A_LINE)


def _numbers(values: Sequence[float | None]) -> str:
    return "{" + ",".join(["NULL" if one is None else repr(one) for one in values]) + "}"


def _instants(values: Sequence[datetime]) -> str:
    return f"{{{','.join(one.isoformat() for one in values)}}}"

"""The small language of conditions, compiled to columnar expressions.

`{"all": [..]} {"any": [..]} {"not": {..}} {"field": f, OP: x}` with OP one of `equals, in, not_in, between, at_least,
at_most, above, below, is, within, before`. A limit is a number, an ISO date, or the name of another field.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import polars as pl

Types = Mapping[str, str]
"""Field name -> type, as a feed declares them (`text`, `code`, `integer`, ...)."""

_CLOCK = ("date", "datetime")


def compile_condition(condition: Mapping[str, Any], types: Types) -> pl.Expr:
    """A Boolean expression over typed columns; a comparison with a missing value is null (neither met nor broken).

    Use `met` or `broken` to make up one's mind about null. Raises ValueError for what is not in the language.
    """
    if "all" in condition:
        return pl.all_horizontal([compile_condition(one, types) for one in condition["all"]])
    if "any" in condition:
        return pl.any_horizontal([compile_condition(one, types) for one in condition["any"]])
    if "not" in condition:
        return ~compile_condition(condition["not"], types)
    return _comparison(condition, types)


def met(condition: Mapping[str, Any], types: Types) -> pl.Expr:
    """True where the condition holds. A comparison with a missing value is not met (so its `not` is)."""
    if "all" in condition:
        return pl.all_horizontal([met(one, types) for one in condition["all"]])
    if "any" in condition:
        return pl.any_horizontal([met(one, types) for one in condition["any"]])
    if "not" in condition:
        return ~met(condition["not"], types)
    return _comparison(condition, types).fill_null(value=False)


def broken(check: Mapping[str, Any], types: Types) -> pl.Expr:
    """True where a check is false for certain: a check that lacks a value it compares is not judged."""
    return ~compile_condition(check, types).fill_null(value=True)


def fields_of(condition: Mapping[str, Any], types: Types) -> frozenset[str]:
    """The names of the fields a condition reads."""
    return frozenset(_names(condition, types))


def _names(condition: Mapping[str, Any], types: Types) -> Iterator[str]:
    for part in (*condition.get("all", ()), *condition.get("any", ())):
        yield from _names(part, types)
    if "not" in condition:
        yield from _names(condition["not"], types)
    if "field" in condition:
        yield condition["field"]
        for limit in condition.values():
            others = limit if isinstance(limit, list) else limit.values() if isinstance(limit, Mapping) else [limit]
            yield from (other for other in others if isinstance(other, str) and other in types)


def _comparison(condition: Mapping[str, Any], types: Types) -> pl.Expr:
    asked = [name for name in condition if name != "field"]
    if "field" not in condition or len(asked) != 1 or asked[0] not in _OPERATORS:
        raise ValueError(f"{dict(condition)!r} is not a condition: give a field and one of {', '.join(_OPERATORS)}")
    if condition["field"] not in types:
        raise ValueError(f"a condition names {condition['field']!r}, which is not a field")
    return _OPERATORS[asked[0]](condition["field"], condition[asked[0]], types)


def _literal(value: object, kind: str) -> Any:
    if kind in _CLOCK and isinstance(value, str):
        return datetime.fromisoformat(value)
    if kind in ("integer", "decimal", "boolean"):
        return value
    return str(value)


def _limit(value: object, types: Types) -> pl.Expr:
    if isinstance(value, str) and value in types:
        return _column(value, types)
    if isinstance(value, str):
        return pl.lit(datetime.fromisoformat(value))
    if isinstance(value, date) and not isinstance(value, datetime):
        return pl.lit(datetime(value.year, value.month, value.day))  # noqa: DTZ001 - rows hold wall-clock times
    return pl.lit(value)


def _column(name: str, types: Types) -> pl.Expr:
    """The column; a date counts as its midnight, so that dates and instants compare."""
    return pl.col(name).cast(pl.Datetime("us")) if types[name] in _CLOCK else pl.col(name)


def _equals(name: str, value: object, types: Types) -> pl.Expr:
    return _column(name, types) == pl.lit(_literal(value, types[name]))


def _in(name: str, values: list[object], types: Types) -> pl.Expr:
    return _column(name, types).is_in([_literal(value, types[name]) for value in values])


def _between(name: str, limits: list[object], types: Types) -> pl.Expr:
    low, high = limits
    return (_column(name, types) >= _limit(low, types)) & (_column(name, types) <= _limit(high, types))


def _is(name: str, state: str, _: Types) -> pl.Expr:
    if state not in ("present", "blank"):
        raise ValueError(f'{name}: "is" takes "present" or "blank", not {state!r}')
    return pl.col(name).is_not_null() if state == "present" else pl.col(name).is_null()


def _within(name: str, reach: Mapping[str, Any], types: Types) -> pl.Expr:
    later = _column(reach["field"], types) - _column(name, types)
    return (later >= pl.duration(hours=0)) & (later <= pl.duration(minutes=round(60 * reach["hours"])))


def _ordering(compare: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Callable[[str, Any, Types], pl.Expr]:
    return lambda name, value, types: compare(_column(name, types), _limit(value, types))


_OPERATORS: dict[str, Callable[[str, Any, Types], pl.Expr]] = {
    "equals": _equals,
    "in": _in,
    "not_in": lambda name, values, types: ~_in(name, values, types),
    "between": _between,
    "at_least": _ordering(lambda one, limit: one >= limit),
    "at_most": _ordering(lambda one, limit: one <= limit),
    "above": _ordering(lambda one, limit: one > limit),
    "below": _ordering(lambda one, limit: one < limit),
    "before": _ordering(lambda one, other: one < other),
    "is": _is,
    "within": _within,
}

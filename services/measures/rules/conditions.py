"""Conditions on rows - the `where` of a definition - compiled to polars expressions.

A condition is `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}` or `{"field": f, OPERATOR: operand}`. A comparison
with a missing value is not met, so every expression made here is true or false for every row, never null; hence
`{"not": {"field": f, "equals": x}}` holds for a row without f, and `{"field": f, "not_in": [x]}` does not.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import reduce
from typing import Any

import polars as pl

from services.measures.rules.feeds import Feed, Field, InvalidDefinition

Compile = Callable[[Field, Any, Feed, str], pl.Expr]

_ORDER: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}


def condition(where: Mapping[str, Any] | None, feed: Feed, pointer: str = "") -> pl.Expr:
    """The condition as a boolean expression over a frame of the feed; no condition holds for every row.

    Raises InvalidDefinition for an unknown field or operator, and for an operand the field cannot be compared with.
    """
    if where is None:
        return pl.lit(True)
    if not isinstance(where, Mapping) or not where:
        raise InvalidDefinition(pointer, 'a condition is an object such as {"field": "falls", "above": 0}')
    if "field" in where:
        return _comparison(where, feed, pointer)
    if len(where) != 1:
        raise InvalidDefinition(pointer, "a condition has one of all, any, not or field")
    ((joint, inner),) = where.items()
    if joint == "not":
        return ~condition(inner, feed, f"{pointer}/not")
    if joint not in ("all", "any"):
        raise InvalidDefinition(f"{pointer}/{joint}", "a condition is one of all, any, not or field")
    if not isinstance(inner, list) or not inner:
        raise InvalidDefinition(f"{pointer}/{joint}", "give a list of at least one condition")
    parts = [condition(part, feed, f"{pointer}/{joint}/{number}") for number, part in enumerate(inner)]
    return reduce(operator.and_ if joint == "all" else operator.or_, parts)


def _comparison(where: Mapping[str, Any], feed: Feed, pointer: str) -> pl.Expr:
    field = feed.field(where["field"], f"{pointer}/field")
    operators = [key for key in where if key != "field"]
    if len(operators) != 1:
        raise InvalidDefinition(pointer, f"give exactly one operator: {', '.join(OPERATORS)}")
    (name,) = operators
    if name not in OPERATORS:
        raise InvalidDefinition(f"{pointer}/{name}", f"not an operator; the operators are {', '.join(OPERATORS)}")
    return OPERATORS[name](field, where[name], feed, f"{pointer}/{name}").fill_null(False)


def _equals(field: Field, operand: Any, feed: Feed, pointer: str) -> pl.Expr:
    value = _literal(field, operand, pointer)
    return _comparable(field, value) == pl.lit(value)


def _in(field: Field, operand: Any, feed: Feed, pointer: str) -> pl.Expr:
    if not isinstance(operand, list) or not operand:
        raise InvalidDefinition(pointer, "give a list of at least one value")
    values = [_literal(field, one, f"{pointer}/{number}") for number, one in enumerate(operand)]
    if field.family == "time":
        return reduce(operator.or_, [_comparable(field, value) == pl.lit(value) for value in values])
    return pl.col(field.name).is_in(values)


def _not_in(field: Field, operand: Any, feed: Feed, pointer: str) -> pl.Expr:
    return ~_in(field, operand, feed, pointer)


def _between(field: Field, operand: Any, feed: Feed, pointer: str) -> pl.Expr:
    _must_have_an_order(field, pointer)
    if not isinstance(operand, list) or len(operand) != 2:
        raise InvalidDefinition(pointer, "give the lowest and the highest value, both included")
    low, high = (_literal(field, one, f"{pointer}/{number}") for number, one in enumerate(operand))
    if type(low) is type(high) or field.family == "number":
        if low > high:
            raise InvalidDefinition(pointer, f"the lowest value {low} is above the highest {high}")
        return (_comparable(field, low) >= pl.lit(low)) & (_comparable(field, high) <= pl.lit(high))
    raise InvalidDefinition(pointer, "give two dates or two instants, not one of each")


def _ordered(compare: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Compile:
    def compiled(field: Field, operand: Any, feed: Feed, pointer: str) -> pl.Expr:
        _must_have_an_order(field, pointer)
        other = feed.fields.get(operand) if isinstance(operand, str) else None
        if other is None:
            value = _literal(field, operand, pointer)
            return compare(_comparable(field, value), pl.lit(value))
        if other.family != field.family:
            raise InvalidDefinition(pointer, f"{field.type} {field.name} and {other.type} {other.name} do not compare")
        return compare(_instant(field), _instant(other))

    return compiled


def _is(field: Field, operand: Any, feed: Feed, pointer: str) -> pl.Expr:
    if operand not in ("present", "blank"):
        raise InvalidDefinition(pointer, "write present or blank")
    column = pl.col(field.name)
    return column.is_not_null() if operand == "present" else column.is_null()


def _within(field: Field, operand: Any, feed: Feed, pointer: str) -> pl.Expr:
    if not isinstance(operand, Mapping) or set(operand) != {"field", "hours"}:
        raise InvalidDefinition(pointer, 'give the later field and the hours, {"field": g, "hours": n}')
    hours = operand["hours"]
    if isinstance(hours, bool) or not isinstance(hours, int | float) or hours < 0:
        raise InvalidDefinition(f"{pointer}/hours", "give a number of hours, not below 0")
    passed = _later(field, operand["field"], feed, pointer) - _instant(field)
    return (passed >= timedelta(0)) & (passed <= timedelta(hours=hours))


def _before(field: Field, operand: Any, feed: Feed, pointer: str) -> pl.Expr:
    return _instant(field) < _later(field, operand, feed, pointer)


def _later(field: Field, name: Any, feed: Feed, pointer: str) -> pl.Expr:
    other = feed.field(name, pointer)
    for one in (field, other):
        if one.family != "time":
            raise InvalidDefinition(pointer, f"{one.name} is {one.type}, not a date or a datetime")
    return _instant(other)


OPERATORS: dict[str, Compile] = {
    "equals": _equals,
    "in": _in,
    "not_in": _not_in,
    "between": _between,
    **{name: _ordered(compare) for name, compare in _ORDER.items()},
    "is": _is,
    "within": _within,
    "before": _before,
}
"""Every operator of the condition language."""


def _must_have_an_order(field: Field, pointer: str) -> None:
    if field.family not in ("number", "time"):
        raise InvalidDefinition(pointer, f"{field.name} is {field.type}, which has no order")


def _instant(field: Field) -> pl.Expr:
    """The column as it compares with another column: a date counts from its midnight."""
    column = pl.col(field.name)
    return column.cast(pl.Datetime("us")) if field.type == "date" else column


def _comparable(field: Field, value: Any) -> pl.Expr:
    """The column as it compares with a literal: a bare date means the whole day."""
    column = pl.col(field.name)
    if field.family != "time":
        return column
    return column.cast(pl.Datetime("us")) if isinstance(value, datetime) else column.cast(pl.Date)


def _literal(field: Field, value: Any, pointer: str) -> Any:
    """The operand as the field's type holds it; raises InvalidDefinition where it cannot be one of its values."""
    if field.family == "time":
        return _moment(field, value, pointer)
    kinds: dict[str, tuple[type, ...]] = {"text": (str,), "number": (int, float), "boolean": (bool,)}
    if not isinstance(value, kinds[field.family]) or (isinstance(value, bool) and field.family != "boolean"):
        raise InvalidDefinition(pointer, f"{value!r} is not a value of {field.name}, which is {field.type}")
    if field.codes is not None and value not in field.codes:
        raise InvalidDefinition(pointer, f"{value!r} is not among the codes of {field.name}")
    return value


def _moment(field: Field, value: Any, pointer: str) -> date | datetime:
    if isinstance(value, datetime | date):
        return value
    try:
        return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidDefinition(pointer, f"{value!r} is neither a date nor an instant such as 2026-10-05") from None

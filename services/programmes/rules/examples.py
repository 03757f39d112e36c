"""The examples of a definition, worked out by hand: a few rows, and the figures they must give.

This reads conditions one row at a time and for a handful of rows; the service that computes figures has a compiler for
millions. That both mean the same by every condition is tested, and what is published is what both agree on.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.programmes.rules.conditions import Fields, Problem, fields_of

COUNTED = "measure-counts"
LONDON = ZoneInfo("Europe/London")
NEEDED = (
    "give at least one example of a few rows and the figures they give: "
    '{"rows": [...], "expect": {"numerator": 1, "denominator": 2}}'
)

Row = Mapping[str, Any]


def problems(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Why the examples do not show what the definition means, as (JSON Pointer, message); empty when they do.

    A definition that counts rows needs one at least; one that takes figures counted elsewhere needs none. The
    definition is one that `definitions.problems` has nothing against.
    """
    halves = {name: definition[name] for name in ("numerator", "denominator") if definition.get(name)}
    counted = all(half["feed"] == COUNTED for half in halves.values())
    examples = definition.get("examples") or ()
    if not examples and not counted:
        return [("/examples", NEEDED)]
    return [
        (f"/examples/{number}{pointer}", message)
        for number, example in enumerate(examples)
        for pointer, message in _differences(example, halves, feeds)
    ]


def _differences(
    example: Mapping[str, Any], halves: Mapping[str, Mapping[str, Any]], feeds: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    for name, half in halves.items():
        if name not in example["expect"]:
            continue
        rows = example["rows"][half["feed"]] if isinstance(example["rows"], Mapping) else example["rows"]
        expected = example["expect"][name]
        try:
            found = figure(half, rows, fields_of(feeds[half["feed"]]))
        except ValueError as reason:
            yield "/rows", str(reason)
            return
        if expected is None or float(expected) != found:
            yield f"/expect/{name}", f"the rows give {found:g}, not {expected}: mend the definition or the example"


def figure(half: Mapping[str, Any], rows: Iterable[Row], fields: Fields) -> float:
    """The figure that a numerator or denominator makes of some rows. Raises ValueError for a value that is none."""
    typed = [{name: held(fields[name], value) for name, value in row.items()} for row in rows]
    counting = [row for row in typed if meets(half.get("where"), row, fields)]
    value = half.get("value", "count")
    if value == "count":
        return float(len(counting))
    ((kind, name),) = value.items()
    column = [row[name] for row in counting if row.get(name) is not None]
    return float({"sum": sum, "distinct": lambda values: len(set(values)), "dates": len}[kind](column))


def meets(where: Mapping[str, Any] | None, row: Row, fields: Fields) -> bool:
    """Whether a row, its values as their fields hold them, meets a condition; a missing value meets no comparison."""
    if where is None:
        return True
    if "all" in where:
        return all(meets(part, row, fields) for part in where["all"])
    if "any" in where:
        return any(meets(part, row, fields) for part in where["any"])
    if "not" in where:
        return not meets(where["not"], row, fields)
    name = where["field"]
    ((asked, operand),) = ((key, value) for key, value in where.items() if key != "field")
    value = row.get(name)
    if asked == "is":
        present: bool = operand == "present"
        return (value is not None) == present
    return value is not None and bool(COMPARISONS[asked](value, operand, row, fields))


def _equals(value: Any, operand: Any, row: Row, fields: Fields) -> bool:
    return _compared(operator.eq, value, operand)


def _in(value: Any, operand: Any, row: Row, fields: Fields) -> bool:
    return any(_compared(operator.eq, value, one) for one in operand)


def _not_in(value: Any, operand: Any, row: Row, fields: Fields) -> bool:
    return not _in(value, operand, row, fields)


def _between(value: Any, operand: Any, row: Row, fields: Fields) -> bool:
    return _compared(operator.ge, value, operand[0]) and _compared(operator.le, value, operand[1])


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Row, Fields], bool]:
    def ordered(value: Any, operand: Any, row: Row, fields: Fields) -> bool:
        if isinstance(operand, str) and operand in fields:
            other = row.get(operand)
            return other is not None and compare(_instant(value), _instant(other))
        return _compared(compare, value, operand)

    return ordered


def _within(value: Any, operand: Any, row: Row, fields: Fields) -> bool:
    later = row.get(operand["field"])
    return later is not None and (
        timedelta(0) <= _instant(later) - _instant(value) <= timedelta(hours=operand["hours"])
    )


def _before(value: Any, operand: Any, row: Row, fields: Fields) -> bool:
    later = row.get(operand)
    return later is not None and bool(_instant(value) < _instant(later))


COMPARISONS: Mapping[str, Callable[[Any, Any, Row, Fields], bool]] = {
    "equals": _equals,
    "in": _in,
    "not_in": _not_in,
    "between": _between,
    "at_least": _ordered(operator.ge),
    "at_most": _ordered(operator.le),
    "above": _ordered(operator.gt),
    "below": _ordered(operator.lt),
    "within": _within,
    "before": _before,
}
"""Every operator of the language but `is`, of a value that is there."""


def _compared(compare: Callable[[Any, Any], bool], value: Any, literal: Any) -> bool:
    """Against a literal: one that is a bare date means the whole day."""
    if not isinstance(value, date):
        return compare(value, literal)
    moment = _moment(literal)
    if isinstance(moment, datetime):
        return compare(_instant(value), moment)
    return compare(value.date() if isinstance(value, datetime) else value, moment)


def _instant(value: Any) -> Any:
    """A value as it compares with that of another field: a date counts from its midnight."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value


def _moment(literal: Any) -> date:
    if isinstance(literal, date):
        return literal
    return date.fromisoformat(literal) if len(literal) == 10 else datetime.fromisoformat(literal)


def held(field: Mapping[str, Any], value: Any) -> Any:
    """A value of an example as its field holds it; blank is missing. Raises ValueError."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        return _TYPED.get(field["type"], str)(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a value of {field['name']}, which is {field['type']}") from None


def _whole(value: Any) -> int:
    if isinstance(value, bool) or float(value) != int(float(value)):
        raise ValueError
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _clock(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo is None else moment.astimezone(LONDON).replace(tzinfo=None)


_TYPED: Mapping[str, Callable[[Any], Any]] = {
    "integer": _whole,
    "decimal": float,
    "boolean": _truth,
    "date": lambda value: value if type(value) is date else date.fromisoformat(str(value)),
    "datetime": _clock,
}

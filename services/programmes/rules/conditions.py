"""The small language of conditions on the rows of a feed: is a condition one that can be worked out?

`{"all": [..]}`, `{"any": [..]}`, `{"not": {..}}` or `{"field": f, OPERATOR: operand}`. A comparison with a missing
value is not met. Services that work conditions out have their own compilers; this is what an author is told first.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

Fields = Mapping[str, Mapping[str, Any]]
"""Field name -> its entry in the feed, with `type` and, for a code, `allowed` (see `fields_of`)."""

Problem = tuple[str, str]
"""A JSON Pointer and what is wrong there."""

NUMBERS = ("integer", "decimal")
TIMES = ("date", "datetime")


def fields_of(feed: Mapping[str, Any]) -> Fields:
    """The fields of a feed that rows keep, by name; a code has `allowed`, the codes of its embedded list."""
    lists = feed.get("code_lists", {})
    return {entry["name"]: _kept(entry, lists) for entry in feed["field"] if _travels(entry)}


def problems(condition: object, fields: Fields, pointer: str = "") -> list[Problem]:
    """Everything wrong with a condition over these fields, each with its JSON Pointer; empty when it is right."""
    return list(_problems(condition, fields, pointer))


def _travels(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("keep", True)) and entry.get("identifier") != "birth_date"


def _kept(entry: Mapping[str, Any], lists: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    kind = "text" if entry.get("identifier") else entry["type"]
    allowed = lists.get(entry["codes"], {}) if "codes" in entry else entry.get("values")
    return {**entry, "type": kind, "allowed": None if allowed is None else tuple(str(code) for code in allowed)}


def _problems(condition: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    if not isinstance(condition, Mapping) or not condition:
        yield pointer, 'a condition is an object such as {"field": "falls", "above": 0}'
    elif "field" in condition:
        yield from _comparison(condition, fields, pointer)
    elif len(condition) != 1 or next(iter(condition)) not in ("all", "any", "not"):
        yield pointer, f"a condition has one of all, any, not or field, not {', '.join(map(str, condition))}"
    elif "not" in condition:
        yield from _problems(condition["not"], fields, f"{pointer}/not")
    else:
        ((joint, parts),) = condition.items()
        if not isinstance(parts, list | tuple) or not parts:
            yield f"{pointer}/{joint}", "give a list of at least one condition"
            return
        for number, part in enumerate(parts):
            yield from _problems(part, fields, f"{pointer}/{joint}/{number}")


def _comparison(condition: Mapping[str, Any], fields: Fields, pointer: str) -> Iterator[Problem]:
    field = fields.get(condition["field"]) if isinstance(condition["field"], str) else None
    if field is None:
        yield f"{pointer}/field", f"{condition['field']!r} is not a field of the feed"
        return
    asked = [name for name in condition if name != "field"]
    if len(asked) != 1:
        yield pointer, f"give exactly one operator: {', '.join(OPERATORS)}"
        return
    (operator,) = asked
    if operator not in OPERATORS:
        yield f"{pointer}/{operator}", f"not an operator; the operators are {', '.join(OPERATORS)}"
        return
    yield from OPERATORS[operator](field, condition[operator], fields, f"{pointer}/{operator}")


def _equals(field: Mapping[str, Any], operand: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    fault = _unlike(field, operand)
    if fault:
        yield pointer, fault


def _in(field: Mapping[str, Any], operand: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    if not isinstance(operand, list | tuple) or not operand:
        yield pointer, "give a list of at least one value"
        return
    for number, one in enumerate(operand):
        yield from _equals(field, one, fields, f"{pointer}/{number}")


def _between(field: Mapping[str, Any], operand: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    if field["type"] not in NUMBERS + TIMES:
        yield pointer, f"{field['name']} is {field['type']}, which has no order"
    elif not isinstance(operand, list | tuple) or len(operand) != 2:
        yield pointer, "give the lowest and the highest value, both included"
    else:
        faults = [(f"{pointer}/{n}", fault) for n, one in enumerate(operand) if (fault := _unlike(field, one))]
        yield from faults
        if not faults and _moment(operand[0]) > _moment(operand[1]):
            yield pointer, f"the lowest value {operand[0]} is above the highest {operand[1]}"


def _order(field: Mapping[str, Any], operand: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    if field["type"] not in NUMBERS + TIMES:
        yield pointer, f"{field['name']} is {field['type']}, which has no order"
    elif isinstance(operand, str) and operand in fields:
        if _family(fields[operand]) != _family(field):
            yield pointer, f"{field['name']} ({field['type']}) and {operand} ({fields[operand]['type']}) do not compare"
    else:
        fault = _unlike(field, operand)
        if fault:
            yield pointer, f"{fault}, nor the name of another field"


def _is(field: Mapping[str, Any], operand: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    if operand not in ("present", "blank"):
        yield pointer, "write present or blank"


def _within(field: Mapping[str, Any], operand: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    if not isinstance(operand, Mapping) or set(operand) != {"field", "hours"}:
        yield pointer, 'give the later field and the hours, {"field": g, "hours": n}'
        return
    hours = operand["hours"]
    if isinstance(hours, bool) or not isinstance(hours, int | float) or hours < 0:
        yield f"{pointer}/hours", "give a number of hours, 0 or more"
    yield from _both_times(field, operand["field"], fields, f"{pointer}/field")


def _before(field: Mapping[str, Any], operand: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    yield from _both_times(field, operand, fields, pointer)


def _both_times(field: Mapping[str, Any], other: object, fields: Fields, pointer: str) -> Iterator[Problem]:
    if not isinstance(other, str) or other not in fields:
        yield pointer, f"{other!r} is not a field of the feed"
        return
    for one in (field, fields[other]):
        if one["type"] not in TIMES:
            yield pointer, f"{one['name']} is {one['type']}, not a date or a datetime"


OPERATORS: Mapping[str, Callable[[Mapping[str, Any], object, Fields, str], Iterator[Problem]]] = {
    "equals": _equals,
    "in": _in,
    "not_in": _in,
    "between": _between,
    "at_least": _order,
    "at_most": _order,
    "above": _order,
    "below": _order,
    "is": _is,
    "within": _within,
    "before": _before,
}
"""Every operator of the language, and how its operand is judged."""


def _family(field: Mapping[str, Any]) -> str:
    kind = str(field["type"])
    return "number" if kind in NUMBERS else "time" if kind in TIMES else kind if kind == "boolean" else "text"


def _unlike(field: Mapping[str, Any], value: object) -> str | None:
    """Why a literal cannot be a value of the field, or None when it can."""
    if not _IS_ONE[_family(field)](value):
        return f"{value!r} is not a value of {field['name']}, which is {field['type']}"
    if field.get("allowed") is not None and value not in field["allowed"]:
        return f"{value!r} is not among the codes of {field['name']}"
    return None


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, date) or (isinstance(value, str) and bool(datetime.fromisoformat(value)))
    except ValueError:
        return False


_IS_ONE: Mapping[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "time": _is_time,
}


def _moment(value: Any) -> Any:
    return str(value) if isinstance(value, str | date) else value

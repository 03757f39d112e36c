"""A definition in words: what is counted, of what, and what is made of the two."""

from collections.abc import Callable, Mapping
from typing import Any

from services.measures.rules.feeds import COUNTED

_SAID: Mapping[str, Callable[[Any], str]] = {
    "equals": lambda to: f"is {to}",
    "in": lambda to: f"is one of {', '.join(map(str, to))}",
    "not_in": lambda to: f"is filled and is none of {', '.join(map(str, to))}",
    "between": lambda to: f"is from {to[0]} to {to[1]}",
    "at_least": lambda to: f"is at least {to}",
    "at_most": lambda to: f"is at most {to}",
    "above": lambda to: f"is above {to}",
    "below": lambda to: f"is below {to}",
    "is": lambda to: "is filled" if to == "present" else "is blank",
    "within": lambda to: f"is followed by {to['field']} within {to['hours']} hours",
    "before": lambda to: f"is before {to}",
}


def formula(definition: Mapping[str, Any]) -> str:
    """The whole definition as one sentence."""
    numerator = half(definition["numerator"])
    together = _together(definition)
    if not definition.get("denominator"):
        return f"{numerator}{together}."
    multiplier = definition.get("multiplier") or 1
    times = f", times {multiplier:,g}" if multiplier != 1 else ""
    return f"({numerator}) divided by ({half(definition['denominator'])}){times}{together}."


def _together(definition: Mapping[str, Any]) -> str:
    length = definition.get("rolling") or 1
    grain = str(definition.get("period") or "month").replace("_", " ")
    return f", over {length} {grain}s: the one named and the {length - 1} before it" if length > 1 else ""


def half(part: Mapping[str, Any]) -> str:
    """A numerator or a denominator in words."""
    if part["feed"] == COUNTED:
        return f"the {_field(part.get('value'))} sent ready counted"
    where = part.get("where")
    of = f"rows of {part['feed']}" + (f" where {condition(where)}" if where else "")
    return f"{_value(part.get('value', 'count'))} {of}"


def _value(value: Any) -> str:
    if value == "count":
        return "number of"
    ((kind, field),) = value.items()
    return {"sum": f"sum of {field} over", "distinct": f"number of different {field} in", "dates": f"{field} of"}[kind]


def _field(value: Any) -> str:
    return str(next(iter(value.values()))) if isinstance(value, Mapping) else str(value)


def condition(where: Mapping[str, Any]) -> str:
    """A condition in words; what is joined otherwise than around it stands in brackets."""
    if "all" in where:
        return " and ".join(_bracketed(one, "any") for one in where["all"])
    if "any" in where:
        return " or ".join(_bracketed(one, "all") for one in where["any"])
    if "not" in where:
        return f"not ({condition(where['not'])})"
    ((name, operand),) = ((key, value) for key, value in where.items() if key != "field")
    return f"{where['field']} {_SAID[name](operand)}"


def _bracketed(where: Mapping[str, Any], joint: str) -> str:
    return f"({condition(where)})" if joint in where else condition(where)

"""Is a feed - an agreed shape of rows - one that a file can be checked against? Every fault at once, with its place."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from services.programmes.rules import conditions
from services.programmes.rules.conditions import Problem
from shared.contracts.periods import GRAINS, Period

TYPES = ("text", "code", "integer", "decimal", "boolean", "date", "datetime", "period", "organisation")
IDENTIFIERS = ("nhs_number", "birth_date", "local")
MODES = ("replace", "merge")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NEEDED = ("id", "version", "title", "description", "period", "mode", "key", "organisation", "period_columns", "field")
FIELD_KEYS = {
    "name", "title", "type", "description", "example", "hint", "required", "recommended", "default", "aliases",
    "max", "min", "weekday", "codes", "values", "each_of", "identifier", "keep", "source", "unverified",
}  # fmt: skip
"""What may be said of a field. `each_of`: a text of codes of this list, with a bar between. `recommended`: accepted
without it, with a warning where the column is absent."""

_BETWEEN_WORDS = re.compile(r"[\s_\-]+")


def plain(name: str) -> str:
    """A column name as headers are matched: without case, spaces, underscores or hyphens."""
    return _BETWEEN_WORDS.sub("", name).casefold()


def names_of(field: Mapping[str, Any]) -> list[str]:
    """Every name a header may give the field: its own, its title, its aliases."""
    return [field["name"], *([field["title"]] if field.get("title") else []), *field.get("aliases", ())]


def problems(spec: Mapping[str, Any]) -> list[Problem]:
    """Everything wrong with a feed (code lists embedded) as (JSON Pointer, message); empty when it may be published."""
    found = [(f"/{name}", "is needed") for name in NEEDED if not spec.get(name)]
    if found:
        return found
    for number, field in enumerate(spec["field"]):
        found += [(f"/field/{number}{pointer}", message) for pointer, message in _field(field, spec)]
    found += _headers(spec)
    found += _columns(spec)
    found += _rules(spec)
    if spec["period"] not in (*GRAINS, "any"):
        found.append(("/period", f"{spec['period']!r} is not one of {', '.join(GRAINS)}, any"))
    if spec["mode"] not in spec.get("modes", [spec["mode"]]) or spec["mode"] not in MODES:
        found.append(("/mode", f"{spec['mode']!r} is not among the modes of the feed"))
    return found


def _field(field: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("name", "type", "description", "example"):
        if field.get(key) in (None, ""):
            yield f"/{key}", "is needed"
    yield from ((f"/{key}", "is not something said of a field") for key in field if key not in FIELD_KEYS)
    if field.get("type") not in TYPES:
        yield "/type", f"{field.get('type')!r} is not one of {', '.join(TYPES)}"
        return
    yield from _codes(field, spec)
    if field.get("identifier") not in (None, *IDENTIFIERS):
        yield "/identifier", f"{field['identifier']!r} is not one of {', '.join(IDENTIFIERS)}"
    if field.get("weekday") not in (None, *WEEKDAYS):
        yield "/weekday", f"{field['weekday']!r} is not a day of the week"
    for key in ("example", "default"):
        if key in field and not _could_be(field, str(field[key]), spec):
            yield f"/{key}", f"{field[key]!r} would not be accepted in this column"


def _codes(field: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Problem]:
    lists = spec.get("code_lists", {})
    if field["type"] == "code" and ("codes" in field) == ("values" in field):
        yield "/codes", "a code has either codes (the name of a list) or values"
    if "each_of" in field and field["type"] != "text":
        yield "/each_of", "several codes are a text"
    yield from (
        (f"/{key}", f"there is no code list {field[key]!r}")
        for key in ("codes", "each_of")
        if key in field and field[key] not in lists
    )


def _could_be(field: Mapping[str, Any], text: str, spec: Mapping[str, Any]) -> bool:
    if field["type"] == "code":
        return text in {
            str(one) for one in field.get("values") or spec.get("code_lists", {}).get(field.get("codes"), ())
        }
    try:
        value = _READ[field["type"]](text)
    except (ValueError, KeyError):
        return False
    if "each_of" in field:
        return set(text.split("|")) <= {*spec.get("code_lists", {}).get(field["each_of"], ())}
    if field["type"] == "text":
        return len(text) <= int(field.get("max", len(text)))
    if "weekday" in field and WEEKDAYS[value.weekday()] != field["weekday"]:
        return False
    if field["type"] in conditions.NUMBERS:
        return bool(field.get("min", value) <= value <= field.get("max", value))
    return True


_READ: Mapping[str, Callable[[str], Any]] = {
    "text": str,
    "organisation": str,
    "integer": int,
    "decimal": float,
    "boolean": {"true": True, "false": False}.__getitem__,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "period": Period.parse,
}


def _headers(spec: Mapping[str, Any]) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for number, field in enumerate(spec["field"]):
        for name in dict.fromkeys(map(plain, names_of(field))):
            if owner.setdefault(name, field["name"]) != field["name"]:
                yield (
                    f"/field/{number}",
                    f"a column {name!r} could be {owner[name]} or {field['name']}: change one name",
                )


def _columns(spec: Mapping[str, Any]) -> Iterator[Problem]:
    known = {field["name"] for field in spec["field"]}
    for key in ("key", "organisation", "period_columns"):
        yield from (
            (f"/{key}/{number}", f"{name!r} is not a field")
            for number, name in enumerate(spec[key])
            if name not in known
        )
    for key in ("extracted_at", "status_column", "nil_column"):
        if spec.get(key) is not None and spec[key] not in known:
            yield f"/{key}", f"{spec[key]!r} is not a field"


def _rules(spec: Mapping[str, Any]) -> Iterator[Problem]:
    fields = conditions.fields_of({**spec, "field": [{**field, "keep": True} for field in spec["field"]]})
    codes: set[str] = set()
    for number, rule in enumerate(spec.get("rule", ())):
        pointer = f"/rule/{number}"
        for key in ("code", "columns", "check", "expected", "hint"):
            if not rule.get(key):
                yield f"{pointer}/{key}", "is needed"
        if rule.get("code") in codes:
            yield f"{pointer}/code", f"{rule['code']!r} is already the code of another rule"
        codes.add(str(rule.get("code")))
        if rule.get("severity", "error") not in ("error", "warning"):
            yield f"{pointer}/severity", "write error or warning"
        yield from (
            (f"{pointer}/columns/{place}", f"{name!r} is not a field")
            for place, name in enumerate(rule.get("columns", ()))
            if name not in fields
        )
        yield from conditions.problems(rule.get("check"), fields, f"{pointer}/check")
        if rule.get("where") is not None:
            yield from conditions.problems(rule["where"], fields, f"{pointer}/where")

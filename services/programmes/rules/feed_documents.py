"""A feed described for those who send it: JSON Schema of a row, Frictionless Table Schema, CSV template.

All are made from the published specification, so that they cannot say anything else than what is checked.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

Spec = Mapping[str, Any]

_PERIOD = r"^\d{4}(-(W\d{2}|Q[1-4]|\d{2}(-\d{2})?))?$"
_JSON_TYPES: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "organisation": {"type": "string"},
    "code": {"type": "string"},
    "integer": {"type": "integer"},
    "decimal": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string"},
    "period": {"type": "string", "pattern": _PERIOD},
}
_TABLE_TYPES: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "organisation": {"type": "string"},
    "code": {"type": "string"},
    "integer": {"type": "integer"},
    "decimal": {"type": "number"},
    "boolean": {"type": "boolean", "trueValues": ["true"], "falseValues": ["false"]},
    "date": {"type": "date", "format": "%Y-%m-%d"},
    "datetime": {"type": "datetime", "format": "any"},
    "period": {"type": "string", "constraints": {"pattern": _PERIOD}},
}


def codes_of(field: Mapping[str, Any], spec: Spec) -> dict[str, str]:
    """The codes a field may hold and what each means, in order; empty where any value may stand."""
    if "values" in field:
        return {str(value): str(value) for value in field["values"]}
    return dict(spec.get("code_lists", {}).get(field.get("codes"), {}))


def pattern_of(field: Mapping[str, Any], spec: Spec) -> str | None:
    """What a text of several codes must look like, as a regular expression; None where any text may stand."""
    if "each_of" not in field:
        return None
    one = "(" + "|".join(map(re.escape, spec["code_lists"][field["each_of"]])) + ")"
    return rf"^{one}(\|{one})*$"


def is_needed(field: Mapping[str, Any]) -> bool:
    """Whether a row is refused in which it is blank; a default stands in only for a column that is not there."""
    return bool(field.get("required"))


def row_schema(spec: Spec) -> dict[str, Any]:
    """JSON Schema (2020-12) of one row in its own spelling; other spellings of names and dates are accepted too."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"/v1/feeds/{spec['id']}/schema",
        "title": spec["title"],
        "description": spec["description"],
        "type": "object",
        "properties": {field["name"]: _property(field, spec) for field in spec["field"]},
        "required": [field["name"] for field in spec["field"] if is_needed(field) and "default" not in field],
        "additionalProperties": False,
    }


def _property(field: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    shape = dict(_JSON_TYPES[field["type"]])
    codes = codes_of(field, spec)
    if codes:
        shape["enum"] = list(codes)
    if (pattern := pattern_of(field, spec)) is not None:
        shape["pattern"] = pattern
    limits = ("maxLength",) if field["type"] == "text" else ("maximum",)
    shape |= {limit: field["max"] for limit in limits if "max" in field}
    if "min" in field:
        shape["minimum"] = field["min"]
    if not is_needed(field):
        shape["type"] = [shape["type"], "null"]
        if codes:
            shape["enum"] = [*codes, None]
    return shape | _said(field)


def _said(field: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"title": field.get("title", field["name"]), "description": _described(field)}
    said["examples"] = [_typed(field, str(field["example"]))]
    if "default" in field:
        said["default"] = _typed(field, str(field["default"]))
    return said


def _described(field: Mapping[str, Any]) -> str:
    return " ".join(part for part in (field["description"], field.get("hint", "")) if part)


_TYPED: Mapping[str, Callable[[str], Any]] = {"integer": int, "decimal": float, "boolean": lambda text: text == "true"}


def _typed(field: Mapping[str, Any], text: str) -> Any:
    return _TYPED.get(field["type"], str)(text)


def table_schema(spec: Spec) -> dict[str, Any]:
    """Frictionless Table Schema of the CSV form. A file may hold many returns, so no columns are a key of all of it."""
    return {"fields": [_table_field(field, spec) for field in spec["field"]], "missingValues": [""]}


def _table_field(field: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    kind = dict(_TABLE_TYPES[field["type"]])
    constraints = dict(kind.pop("constraints", {}))
    codes = codes_of(field, spec)
    if codes:
        constraints["enum"] = list(codes)
    if (pattern := pattern_of(field, spec)) is not None:
        constraints["pattern"] = pattern
    if "max" in field:
        constraints["maxLength" if field["type"] == "text" else "maximum"] = field["max"]
    if "min" in field:
        constraints["minimum"] = field["min"]
    if is_needed(field):
        constraints["required"] = True
    found = {"name": field["name"], "title": field.get("title", field["name"]), **kind}
    found |= {"description": _described(field), "example": str(field["example"])}
    return found | ({"constraints": constraints} if constraints else {})


def csv_template(spec: Spec) -> str:
    """The header line of the feed's CSV form, ready to be filled in below."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(field["name"] for field in spec["field"])
    return out.getvalue()

"""How an answer stands in the reference: its shape, one real answer (shortened) and the other forms it takes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

Form = Literal["csv", "parquet", "svg", "png", "vega-lite"]

_EXAMPLES = Path(__file__).parent / "examples"
_TEXT = {"schema": {"type": "string"}}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_FORMS: Mapping[Form, tuple[str, dict[str, Any]]] = {
    "csv": ("text/csv", _TEXT),
    "parquet": ("application/vnd.apache.parquet", _FILE),
    "svg": ("image/svg+xml", _TEXT),
    "png": ("image/png", _FILE),
    "vega-lite": ("application/vnd.vegalite.v5+json", {"schema": {"type": "object"}}),
}
_KINDS = {"date": "date", "date-time": "instant, UTC", "string": "text", "boolean": "true or false"}


def example(name: str) -> Any:
    """The real answer that stands for those of a shape; lists are shortened."""
    return json.loads((_EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def answers(model: type[BaseModel], *forms: Form) -> dict[int | str, dict[str, Any]]:
    """The good answer of a route: JSON of this shape, or one of the other forms."""
    content = {"application/json": {"example": example(model.__name__)}} | dict(_FORMS[form] for form in forms)
    return {200: {"model": model, "description": _said(model), "content": content}}


def table(row: type[BaseModel], *forms: Form) -> dict[int | str, dict[str, Any]]:
    """The good answer of a route that only sends tables: its columns, with the kind and meaning of each."""
    content = dict(_FORMS[form] for form in forms)
    content["text/csv"] = {**_TEXT, "example": (_EXAMPLES / f"{row.__name__}.csv").read_text(encoding="utf-8")}
    columns = "\n".join(
        f"- `{name}` ({_kind(one)}): {one['description']}"
        for name, one in row.model_json_schema()["properties"].items()
    )
    return {200: {"description": f"{_said(row)}\n\n{columns}", "content": content}}


def _said(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip()


def _kind(column: Mapping[str, Any]) -> str:
    """The kind of a column in a word or two."""
    one = next(kind for kind in column.get("anyOf", [column]) if kind.get("type") != "null")
    return _KINDS.get(one.get("format", one["type"]), str(one["type"]))

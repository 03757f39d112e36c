"""Answers that are not JSON objects, as the reference tells of them."""

from collections.abc import Mapping
from typing import Any

CSV = "text/csv"
NDJSON = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TEXT: Mapping[str, Any] = {"type": "string"}
_BYTES: Mapping[str, Any] = {"type": "string", "format": "binary"}
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "application/json": {},
    "application/schema+json": {"type": "object"},
    PARQUET: _BYTES,
    XLSX: _BYTES,
}


def tables(model: Any) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route whose good answer is JSON of this shape, or its items as CSV or Parquet."""
    return {200: {"model": model, "content": {CSV: {"schema": dict(_TEXT)}, PARQUET: {"schema": dict(_BYTES)}}}}


def sent_as(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route whose good answer is of these media types, and not one that has a model.

    Give the route `response_class=Response` too: the framework's own would have the reference tell of JSON as well.
    """
    return {200: {"content": {one: {"schema": dict(_SCHEMAS.get(one, _TEXT))} for one in media_types}}}

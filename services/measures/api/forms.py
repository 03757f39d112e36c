"""The forms an answer can take: JSON, CSV, Parquet; a chart also as a picture or a Vega-Lite specification."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import font_source_sans_pro as letters
import polars as pl
import resvg_py
from fastapi import Request, Response

from services.measures.rules import drawing, vega_lite
from shared.caching import answer_with_etag

CSV = "text/csv; charset=utf-8"
PARQUET = "application/vnd.apache.parquet"
VEGA_LITE = "application/vnd.vegalite.v5+json"
_LETTERS = [letters.SourceSansPro, letters.SourceSansProBold]
_ACCEPTED = {
    "text/csv": "csv",
    PARQUET: "parquet",
    "image/svg+xml": "svg",
    "image/png": "png",
    VEGA_LITE: "vega-lite",
    "application/json": "json",
}


def table(
    request: Request,
    answer: Mapping[str, Any],
    *,
    form: str | None,
    name: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A table of `items`: JSON with what it stands on, or its rows as CSV or Parquet (by `format`, else `Accept`)."""
    chosen = form or _accepted(request, {"json", "csv", "parquet"})
    more = dict(headers or {}) | cells(len(answer["items"]))
    if chosen == "json":
        return answer_with_etag(request, dict(answer), headers=more)
    frame = _flat(answer["items"])
    headers = more | {"Content-Disposition": f'attachment; filename="{_safe(name)}.{chosen}"'} | stands_on(answer)
    if chosen == "csv":
        return answer_with_etag(request, frame.write_csv().encode(), media_type=CSV, headers=headers)
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return answer_with_etag(request, buffer.getvalue(), media_type=PARQUET, headers=headers)


def chart(request: Request, resource: dict[str, Any], *, form: str | None) -> Response:
    """A chart in the form asked for."""
    chosen = form or _accepted(request, {"json", *_CHARTS})
    told = cells(len(resource["points"]))
    if chosen == "json":
        return answer_with_etag(request, resource, headers=told)
    media_type, drawn = _CHARTS[chosen]
    return answer_with_etag(request, drawn(resource), media_type=media_type, headers=told | stands_on(resource))


def cells(number: int) -> dict[str, str]:
    """How many figures an answer holds, as the gateway is told, which counts what each client reads."""
    return {"X-PSIP-Cells": str(number)}


def stands_on(answer: Mapping[str, Any]) -> dict[str, str]:
    """What an answer in JSON says of itself, as headers for the forms that have no place for it."""
    as_of = answer["as_of"]
    told = {"X-Data-Version": str(answer["data_version"])}
    return told if as_of is None else told | {"X-As-Of": as_of.isoformat()}


def rasterised(svg: str) -> bytes:
    """The picture as PNG, at twice its size for sharp print; in letters of our own, so alike on every machine."""
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg, zoom=2, sans_serif_family="Source Sans Pro", font_files=_LETTERS, skip_system_fonts=True
        )
    )


_CHARTS: Mapping[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "svg": ("image/svg+xml", lambda resource: drawing.svg(resource).encode()),
    "png": ("image/png", lambda resource: rasterised(drawing.svg(resource))),
    "vega-lite": (VEGA_LITE, vega_lite.vega_lite),
    "csv": (CSV, lambda resource: drawing.csv_text(resource).encode()),
}
"""The media type of each form of a chart but JSON, and how it is made."""


def _accepted(request: Request, known: set[str]) -> str:
    """The first form in the Accept header that is known; JSON when none is."""
    for part in request.headers.get("accept", "").split(","):
        form = _ACCEPTED.get(part.partition(";")[0].strip().lower())
        if form in known:
            return form or "json"
    return "json"


def _flat(items: list[dict[str, Any]]) -> pl.DataFrame:
    rows = [item | {name: by.join(item[name]) for name, by in _LISTS.items() if name in item} for item in items]
    return pl.DataFrame(rows, infer_schema_length=None)


_LISTS = {"versions": " ", "failed": "; "}
"""What is a list in JSON and text in a table, and what is put between."""


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)

"""The forms an answer can take: JSON, CSV, Parquet; a chart also as a picture or a Vega-Lite specification."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import font_source_sans_pro as letters
import resvg_py
from fastapi import Request, Response
from pydantic import BaseModel

from services.measures.rules import drawing, vega_lite
from shared import media, tables
from shared.caching import answer_with_etag
from shared.tables import CSV_TEXT, accepted, stands_on

VEGA_LITE = "application/vnd.vegalite.v5+json"
_LETTERS = [letters.SourceSansPro, letters.SourceSansProBold]


def table(
    request: Request,
    answer: Mapping[str, Any],
    *,
    form: str | None,
    name: str,
    of: type[BaseModel],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A table of figures, and how many it holds; where it holds none, with the columns of items `of` that answer."""
    told = dict(headers or {}) | cells(len(answer["items"]))
    (item,) = get_args(of.model_fields["items"].annotation)
    columns = tuple(item.model_fields)
    return tables.table(request, answer, form=form, name=name, columns=columns, between=_LISTS, headers=told)


def chart(request: Request, resource: dict[str, Any], *, form: str | None) -> Response:
    """A chart in the form asked for."""
    chosen = form or accepted(request, _FORMS)
    told = cells(len(resource["points"]))
    if chosen == "json":
        return answer_with_etag(request, resource, headers=told)
    media_type, drawn = _CHARTS[chosen]
    media_type = CSV_TEXT if media_type == media.CSV else media_type
    return answer_with_etag(request, drawn(resource), media_type=media_type, headers=told | stands_on(resource))


def cells(number: int) -> dict[str, str]:
    """How many figures an answer holds, as the gateway is told, which counts what each client reads."""
    return {"X-PSIP-Cells": str(number)}


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
    "csv": (media.CSV, lambda resource: drawing.csv_text(resource).encode()),
}
"""The media type of each form of a chart but JSON, and how it is made."""
_FORMS = {"json": "application/json"} | {form: media_type for form, (media_type, _) in _CHARTS.items()}
_LISTS = {"versions": " ", "failed": "; "}
"""What is a list in JSON and text in a table, and what is put between."""

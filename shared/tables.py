"""Tables: rows as JSON, CSV or Parquet, as the caller asks; those too large to hold are written piece by piece."""

import io
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import polars as pl
from fastapi import Query, Request, Response
from fastapi.responses import FileResponse
from polars.io.plugins import register_io_source
from starlette.background import BackgroundTask

from shared.caching import answer_with_etag
from shared.media import CSV, PARQUET

CSV_TEXT = f"{CSV}; charset=utf-8"
MEDIA_TYPES: Mapping[str, str] = {"json": "application/json", "csv": CSV, "parquet": PARQUET}
_QUALITY = re.compile(r";\s*q=(\d(?:\.\d{0,3})?)\s*(?:;|$)")
TableForm = Annotated[
    Literal["json", "csv", "parquet"] | None, Query(alias="format", description="By default what Accept asks for.")
]


def table(
    request: Request,
    answer: Mapping[str, Any],
    *,
    form: str | None,
    name: str,
    columns: Sequence[str] = (),
    between: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A table of `items`: JSON with what it stands on, or its rows as CSV or Parquet (by `form`, else `Accept`).

    `columns` are those of a table without rows. Lists become text, with what `between` says of their column between;
    what else is not plain is written as JSON.
    """
    chosen = form or accepted(request, MEDIA_TYPES)
    more = dict(headers or {})
    if chosen == "json":
        return answer_with_etag(request, dict(answer), headers=more)
    frame = _flat(answer["items"], columns, between or {})
    more |= {"Content-Disposition": f'attachment; filename="{_safe(name)}.{chosen}"'} | stands_on(answer)
    if chosen == "csv":
        return answer_with_etag(request, frame.write_csv().encode(), media_type=CSV_TEXT, headers=more)
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return answer_with_etag(request, buffer.getvalue(), media_type=PARQUET, headers=more)


def accepted(request: Request, forms: Mapping[str, str], *, otherwise: str = "json") -> str:
    """The form (of these, with their media types) that the Accept header likes best: by `q`, then by order (RFC 9110).

    `otherwise` where it names none.
    """
    named = {media_type: form for form, media_type in forms.items()}
    best, chosen = 0.0, otherwise
    for one in request.headers.get("accept", "").lower().split(","):
        form, quality = named.get(one.partition(";")[0].strip()), _QUALITY.search(one)
        liking = float(quality[1]) if quality else 1.0
        if form is not None and liking > best:
            best, chosen = liking, form
    return chosen


def stands_on(answer: Mapping[str, Any]) -> dict[str, str]:
    """What an answer in JSON says of itself, as headers for the forms that have no place for it."""
    as_of = answer["as_of"]
    told = {"X-Data-Version": str(answer["data_version"])}
    return told if as_of is None else told | {"X-As-Of": as_of.isoformat()}


def _flat(items: Collection[Mapping[str, Any]], columns: Sequence[str], between: Mapping[str, str]) -> pl.DataFrame:
    rows = [{name: _plain(value, between.get(name)) for name, value in item.items()} for item in items]
    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return pl.DataFrame(rows, infer_schema_length=None)


def _plain(value: Any, between: str | None) -> Any:
    if between is not None and isinstance(value, list):
        return between.join(value)
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)


def parquet_answer(
    frames: Iterator[pl.DataFrame], *, schema: pl.Schema, headers: Mapping[str, str] | None = None
) -> Response:
    """The frames as one Parquet file, gone when it has been sent: such a file is whole only at its end."""
    with tempfile.NamedTemporaryFile(suffix=".parquet", delete=False) as file:
        path = Path(file.name)
    try:
        register_io_source(lambda *_: frames, schema=schema).sink_parquet(path, compression="zstd")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    gone = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type=PARQUET, headers=headers, background=gone)

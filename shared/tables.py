"""Tables too large to hold: frames written to a Parquet file one by one, and the file sent."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
from fastapi import Response
from fastapi.responses import FileResponse
from polars.io.plugins import register_io_source
from starlette.background import BackgroundTask

from shared.media import PARQUET


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

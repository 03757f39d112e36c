"""The one door for files: bytes of any accepted format, in chunks of any size, become blocks of text cells."""

from collections.abc import Callable, Iterator

from services.ingest.rules.blocks import Block, portions
from services.ingest.rules.compression import decompressed
from services.ingest.rules.delimited import csv_blocks
from services.ingest.rules.faults import Unreadable
from services.ingest.rules.json_rows import json_blocks, ndjson_blocks
from services.ingest.rules.workbooks import parquet_blocks, xlsx_blocks

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PARQUET = "application/vnd.apache.parquet"

FORMATS: dict[str, Callable[[Iterator[bytes]], Iterator[Block]]] = {
    "text/csv": csv_blocks,
    "application/csv": csv_blocks,
    "text/tab-separated-values": csv_blocks,
    "application/json": json_blocks,
    "application/x-ndjson": ndjson_blocks,
    "application/ndjson": ndjson_blocks,
    "application/jsonl": ndjson_blocks,
    PARQUET: parquet_blocks,
    "application/x-parquet": parquet_blocks,
    XLSX: xlsx_blocks,
}


def media_type(content_type: str | None) -> str:
    """The name of a format, without parameters: those may say anything, such as the name of a file."""
    return (content_type or "").partition(";")[0].strip().lower()


def read_blocks(chunks: Iterator[bytes], *, content_type: str | None, encoding: str | None = None) -> Iterator[Block]:
    """Blocks of a few megabytes and at most 100,000 rows, the same whatever chunks the bytes come in.

    `content_type` may carry parameters; `encoding` is gzip, zstd, identity or None. Raises Unreadable, perhaps after
    some blocks: then nothing of the file may land.
    """
    name = media_type(content_type)
    if name not in FORMATS:
        raise Unreadable("unknown-format", f"Content-Type {name or 'none'!r} is not accepted.")
    return (one for block in FORMATS[name](decompressed(chunks, encoding)) for one in portions(block))

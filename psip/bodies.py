"""What is sent: rows, bytes or a file, each as a body that can be sent again from its beginning."""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

Rows: TypeAlias = Iterable[Mapping[str, Any]]
Content: TypeAlias = bytes | Iterable[bytes]

CSV = "text/csv"
TYPES = {
    ".csv": CSV,
    ".txt": CSV,
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""The type of a file by how its name ends."""
ENCODINGS = {".gz": "gzip", ".zst": "zstd"}
"""How a file is compressed, by how its name ends after that: `births.csv.gz`."""


class Body(NamedTuple):
    """A body: how to open it (each attempt opens it anew), and the headers that say what it is."""

    open: Callable[[], AbstractContextManager[Content]]
    headers: dict[str, str]


def body_of(what: Rows | Path | str | bytes | None, content_type: str | None) -> Body:
    """The body for rows (mappings of column to value), bytes, or a path; a file is streamed, never read whole.

    Raises ValueError for a file whose name does not tell its type where `content_type` does not either, and for NaN;
    TypeError for what is not rows.
    """
    if what is None:
        return Body(lambda: nullcontext(b""), {})
    if isinstance(what, bytes):
        return Body(lambda: nullcontext(what), {"Content-Type": content_type or CSV})
    if isinstance(what, str | Path):
        return _file(Path(what), content_type)
    lines = "\n".join(_line(number, row) for number, row in enumerate(what, 1)).encode()
    return Body(lambda: nullcontext(lines), {"Content-Type": TYPES[".ndjson"]})


def _line(number: int, row: object) -> str:
    if not isinstance(row, Mapping):
        told = "rows are mappings of column to value: a list of them, even of one; of a data frame, its to_dicts()"
        raise TypeError(f"{told} (polars) or to_dict('records') (pandas)")
    try:
        return json.dumps(dict(row), default=str, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"row {number}: {error}; None is what is missing") from None


def _file(path: Path, content_type: str | None) -> Body:
    encoding = ENCODINGS.get(path.suffix.lower())
    inner = path.with_suffix("") if encoding else path
    kind = content_type or TYPES.get(inner.suffix.lower())
    if kind is None:
        raise ValueError(f"{path.name[:60]}: the name does not tell what the file is; give content_type, like {CSV!r}")
    headers = {"Content-Type": kind} | ({"Content-Encoding": encoding} if encoding else {})
    return Body(lambda: path.open("rb"), headers)


def watched(body: Body, told: Callable[[int], None]) -> Body:
    """The body, telling how many bytes of a file have been sent; each attempt begins again at none."""

    @contextmanager
    def opened() -> Iterator[Content]:
        told(0)
        with body.open() as content:
            if isinstance(content, io.IOBase):
                yield _Watched(content, told)
            else:
                yield content

    return Body(opened, body.headers)


class _Watched:
    """As much of a file as sending one needs: its length, and its bytes in parts."""

    def __init__(self, file: io.IOBase, told: Callable[[int], None]) -> None:
        self._file, self._told, self._sent = file, told, 0

    def fileno(self) -> int:
        return self._file.fileno()

    def read(self, size: int = -1) -> bytes:
        part: bytes = self._file.read(size)
        self._sent += len(part)
        self._told(self._sent)
        return part

    def __iter__(self) -> Iterator[bytes]:
        while part := self.read(65536):
            yield part

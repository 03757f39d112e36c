"""What was kept of a file, piece by piece: its faults, its bad rows, the file itself, the file with its faults."""

import io
from collections.abc import Iterator

import polars as pl
import zstandard
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ingest.models import Submission, SubmissionPart
from services.ingest.rules import formats
from services.ingest.rules.blocks import LINE
from services.ingest.rules.faults import no_faults
from services.ingest.rules.headers import OUR_FAULTS, OUR_LINE, OURS

ORIGINAL, REDACTED, FAULTS, REJECTED = "original", "redacted", "faults", "rejected"


def pieces(session: Session, submission_id: str, kind: str) -> Iterator[bytes]:
    """The pieces of one kind, one in memory at a time."""
    number = 0
    while (body := _piece(session, submission_id, kind, number)) is not None:
        yield body
        number += 1


def _piece(session: Session, submission_id: str, kind: str, number: int) -> bytes | None:
    return session.execute(
        select(SubmissionPart.body).where(
            SubmissionPart.submission_id == submission_id, SubmissionPart.kind == kind, SubmissionPart.part == number
        )
    ).scalar_one_or_none()


def frames(session: Session, submission_id: str, kind: str) -> Iterator[pl.DataFrame]:
    """Pieces that are Parquet, as frames."""
    for body in pieces(session, submission_id, kind):
        yield pl.read_parquet(io.BytesIO(body))


def is_redacted(session: Session, submission_id: str) -> bool:
    """Whether the file held what identifies people, so that it is kept with that withheld."""
    return _piece(session, submission_id, REDACTED, 0) is not None


def as_sent(session: Session, submission_id: str) -> Iterator[bytes]:
    """The bytes of a file that identified nobody."""
    unpacker = zstandard.ZstdDecompressor()
    for body in pieces(session, submission_id, ORIGINAL):
        yield unpacker.decompress(body)


def rows(session: Session, one: Submission) -> Iterator[pl.DataFrame]:
    """The rows of the file as text cells, with the `line` of each, as far as they may be kept."""
    if is_redacted(session, one.id):
        yield from frames(session, one.id, REDACTED)
    elif _piece(session, one.id, ORIGINAL, 0) is not None:
        chunks = as_sent(session, one.id)
        for block in formats.read_blocks(chunks, content_type=one.content_type, encoding=one.content_encoding):
            yield block.frame


def columns(session: Session, one: Submission) -> list[str]:
    """The columns of a JSON file, whose rows need not all have the same; nothing for other files."""
    if "json" not in one.content_type:
        return []
    return list(dict.fromkeys(name for frame in rows(session, one) for name in frame.columns if name not in OURS))


def annotated(session: Session, one: Submission) -> Iterator[pl.DataFrame]:
    """Every row as sent with two columns more: its line, and what is wrong with it (blank where nothing is).

    What is wrong with the whole file stands in the first row. Both columns are passed over when the file is sent again.
    """
    spans = [_span(frame) for frame in frames(session, one.id, FAULTS)]
    first = True
    for frame in rows(session, one):
        low, high = int(frame[LINE].min() or 0), int(frame[LINE].max() or 0)  # type: ignore[arg-type]
        wanted = [n for n, (start, end, of_file) in enumerate(spans) if (start <= high and end >= low) or of_file]
        said = _said(session, one.id, wanted, frame[LINE], whole=first)
        sent = frame.select(name for name in frame.columns if name not in OURS or name == LINE)
        yield sent.join(said, on=LINE, how="left", maintain_order="left").rename({LINE: OUR_LINE})
        first = False


def _span(faults: pl.DataFrame) -> tuple[int, int, bool]:
    low, high = faults["line"].min(), faults["line"].max()
    return (low, high, faults["line"].null_count() > 0) if low is not None else (0, -1, True)  # type: ignore[return-value]


def _said(session: Session, submission_id: str, parts: list[int], lines: pl.Series, *, whole: bool) -> pl.DataFrame:
    bodies = [_piece(session, submission_id, FAULTS, number) for number in parts]
    found = pl.concat([no_faults(), *(pl.read_parquet(io.BytesIO(body)) for body in bodies if body is not None)])
    if whole and len(lines):
        found = found.with_columns(pl.col("line").fill_null(lines[0]))
    told = found.filter(pl.col("line").is_in(lines.implode()))
    return (
        told.select(pl.col("line").alias(LINE), _sentence().alias(OUR_FAULTS))
        .group_by(LINE, maintain_order=True)
        .agg(pl.col(OUR_FAULTS).str.join(" | "))
    )


def _sentence() -> pl.Expr:
    """`column: code (expected ...; hint)`, with warnings told apart."""
    more = pl.concat_list(
        pl.when(pl.col("expected") != "").then(pl.lit("expected ") + pl.col("expected")),
        pl.when(pl.col("hint") != "").then(pl.col("hint")),
    ).list.drop_nulls()
    warning = pl.when(pl.col("severity") == "warning").then(pl.lit("warning: ")).otherwise(pl.lit(""))
    reasons = pl.when(more.list.len() > 0).then(pl.lit(" (") + more.list.join("; ") + pl.lit(")")).otherwise(pl.lit(""))
    return warning + pl.col("column").fill_null("row") + pl.lit(": ") + pl.col("code") + reasons

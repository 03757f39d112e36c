"""The reads: receipts, what was kept of files, returns and their versions."""

from services.ingest.queries import (
    calendar,
    chain,
    kept,
    published,
    quarantine,
    receipts,
    reference,
    rehearsals,
    returns,
)

__all__ = [
    "calendar",
    "chain",
    "kept",
    "published",
    "quarantine",
    "receipts",
    "reference",
    "rehearsals",
    "returns",
]

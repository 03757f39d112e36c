"""The reads: receipts, what was kept of files, returns and their versions."""

from services.ingest.queries import receipts, reference, returns

__all__ = ["receipts", "reference", "returns"]

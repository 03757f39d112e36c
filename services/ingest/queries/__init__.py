"""The reads: receipts, what was kept of files, returns and their versions."""

from services.ingest.queries import calendar, kept, receipts, reference, returns

__all__ = ["calendar", "kept", "receipts", "reference", "returns"]

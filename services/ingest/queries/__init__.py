"""The reads: receipts, what was kept of files, returns and their versions."""

from services.ingest.queries import kept, receipts, reference, returns

__all__ = ["kept", "receipts", "reference", "returns"]

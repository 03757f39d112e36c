"""The reads: receipts, what was kept of files, returns and their versions."""

from services.ingest.queries import calendar, chain, kept, quarantine, receipts, reference, returns

__all__ = ["calendar", "chain", "kept", "quarantine", "receipts", "reference", "returns"]

"""The reads: series and charts of any organisation, as known at any instant."""

from services.measures.queries import organisations, series

__all__ = ["organisations", "series"]

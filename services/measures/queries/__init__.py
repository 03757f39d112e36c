"""The reads: figures of any organisation, alone and beside others, as known at any instant and as a caller may see."""

from services.measures.queries import (
    definitions,
    explain,
    exports,
    funnels,
    inequalities,
    matrix,
    organisations,
    progress,
    series,
    signals,
)

__all__ = [
    "definitions",
    "explain",
    "exports",
    "funnels",
    "inequalities",
    "matrix",
    "organisations",
    "progress",
    "series",
    "signals",
]

"""The only writes: adopting what the registry published, applying returns, recomputing cells."""

from services.measures.commands.registry import (
    adopt_annotations,
    adopt_feeds,
    adopt_measures,
    adopt_organisations,
    adopt_targets,
)
from services.measures.commands.returns import apply_returns

__all__ = [
    "adopt_annotations",
    "adopt_feeds",
    "adopt_measures",
    "adopt_organisations",
    "adopt_targets",
    "apply_returns",
]

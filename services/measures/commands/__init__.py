"""The only writes: adopting what the registry published, applying returns, recomputing cells; and their rehearsals."""

from services.measures.commands.aggregates import judge_aggregates
from services.measures.commands.preview import preview
from services.measures.commands.registry import (
    adopt_annotations,
    adopt_feeds,
    adopt_measures,
    adopt_organisations,
    adopt_targets,
)
from services.measures.commands.rehearsal import rehearse
from services.measures.commands.returns import apply_returns, note_quarantined, settle_quarantined
from services.measures.commands.verify import Difference, verify

__all__ = [
    "Difference",
    "adopt_annotations",
    "adopt_feeds",
    "adopt_measures",
    "adopt_organisations",
    "adopt_targets",
    "apply_returns",
    "judge_aggregates",
    "note_quarantined",
    "preview",
    "rehearse",
    "settle_quarantined",
    "verify",
]

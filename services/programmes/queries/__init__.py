"""The only reads: the registry as it is, as it was, and as it was known."""

from services.programmes.queries import (
    annotations,
    changes,
    drafts,
    enrolments,
    entries,
    feeds,
    organisations,
    targets,
)
from services.programmes.queries.stamps import stamp

__all__ = [
    "annotations",
    "changes",
    "drafts",
    "enrolments",
    "entries",
    "feeds",
    "organisations",
    "stamp",
    "targets",
]

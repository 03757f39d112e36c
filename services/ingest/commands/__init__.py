"""The only writes: accepting and withdrawing submissions, adopting what the registry published."""

from services.ingest.commands.accept import accept_submission
from services.ingest.commands.asked import Arrival, Options
from services.ingest.commands.body import Body
from services.ingest.commands.quarantine import correct_row, waive_row
from services.ingest.commands.quotas import count_dry_run
from services.ingest.commands.registry import adopt_feeds, adopt_measures, adopt_organisations
from services.ingest.commands.withdraw import withdraw_submission

__all__ = [
    "Arrival",
    "Body",
    "Options",
    "accept_submission",
    "adopt_feeds",
    "adopt_measures",
    "adopt_organisations",
    "correct_row",
    "count_dry_run",
    "waive_row",
    "withdraw_submission",
]

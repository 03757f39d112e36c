"""Facts that ingest publishes: what organisations have said, and what became of each submission."""

from datetime import datetime
from typing import Any, Literal

from shared.contracts.event import Event, Instant, Topic


class ReturnPublished(Event, frozen=True, kw_only=True):
    """A return (one organisation, one feed, one period) has a new current version; these are its rows.

    `sequence` counts the changes of this return and decides which message is newer; `version` is the number people
    see (a withdrawal makes an earlier version current again under a higher sequence). `kind` is `rows`, `nil` (a
    return that says there was nothing) or `withdrawn` (no version is current any more). A large return comes in
    `parts` numbered from 1 and counts only when whole. `rows` is Parquet (zstd), or a JSON array of row objects for
    a small return: `content_type` says which.
    """

    TYPE = "nhs.psip.ingest.return-published.v1"
    TOPIC = Topic("ingest.returns.v1", 6, True)
    KEY = ("feed", "organisation", "period")
    BODY = "rows"

    feed: str
    feed_version: str
    organisation: str
    period: str
    sequence: int
    version: int
    version_id: str
    submission_id: str
    kind: Literal["rows", "nil", "withdrawn"] = "rows"
    status: Literal["provisional", "final"] = "provisional"
    row_count: int
    received_at: Instant
    extracted_at: datetime | None = None
    part: int = 1
    parts: int = 1
    content_type: str = "application/json"
    rows: bytes = b"[]"

    @property
    def key(self) -> str:
        """Parts of one return are kept apart on the compacted topic, and still share its ordering key."""
        return self.ordering_key if self.part == 1 else f"{self.ordering_key}/{self.part}"


class SubmissionCompleted(Event, frozen=True, kw_only=True):
    """A submission was dealt with; `rows` counts what became of its rows and `returns` lists what it changed.

    `organisations` are all that its rows are about, rejected ones too; empty where they are too many or none is known.
    `quarantined` lists the returns (organisation and period) of which it had rows, every one was rejected, and of which
    no version stands.
    """

    TYPE = "nhs.psip.ingest.submission-completed.v1"
    TOPIC = Topic("ingest.submissions.v1", 3, False)
    KEY = ("id",)

    id: str
    feed: str
    organisation: str | None = None
    submitted_by: str
    status: str
    rows: dict[str, int]
    faults_total: int
    returns: list[dict[str, Any]]
    organisations: list[str] = []
    quarantined: list[dict[str, Any]] = []
    completed_at: Instant


class QuarantineSettled(Event, frozen=True, kw_only=True):
    """Of a submission no rejected row of these returns (organisation and period) waits to be put right any more.

    Each was corrected or waived, or the submission was withdrawn.
    """

    TYPE = "nhs.psip.ingest.quarantine-settled.v1"
    TOPIC = SubmissionCompleted.TOPIC
    KEY = ("id",)

    id: str
    feed: str
    returns: list[dict[str, Any]]
    settled_at: Instant


PUBLISHED = (ReturnPublished, SubmissionCompleted, QuarantineSettled)

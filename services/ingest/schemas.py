"""What is shown: the receipt and the versions of returns, as the public contract has them."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints


class Stamped(BaseModel):
    """What an answer stands on."""

    as_of: datetime | None = Field(description="When the newest thing that it tells of came about; null for nothing.")
    data_version: int = Field(description="Grows with every change of what it tells of.")


class FaultGroup(BaseModel):
    """Faults of one kind: what was found, what was expected, how to mend it, and on how many rows."""

    code: str
    severity: Literal["error", "warning"]
    column: str | None
    found: str | None
    expected: str | None
    hint: str | None
    example: str | None
    count: int
    rows: list[int]


class Rows(BaseModel):
    """What became of the rows; `received` is the sum of the others."""

    received: int
    accepted: int
    unchanged: int
    duplicate: int
    waiting: int
    rejected: int


class RowEffect(BaseModel):
    """What the submission did to returns, in records."""

    added: int
    changed: int
    removed: int


class ReturnMade(BaseModel):
    """A version of a return that the submission made."""

    organisation: str
    period: str
    version: int
    status: Literal["provisional", "final"]
    kind: Literal["rows", "nil"]
    rows: int
    withdrawn_at: datetime | None = None


class ReturnChanged(BaseModel):
    """How a return would differ."""

    organisation: str
    period: str
    before: int
    after: int
    added: int
    changed: int
    removed: int


class Figure(BaseModel):
    """A figure of the whole, without its strata."""

    numerator: float | None
    denominator: float | None
    value: float | None


class Cell(BaseModel):
    """A figure that would change: before and after. Where `notices` say so, one that might, without figures."""

    measure: str
    organisation: str
    period: str
    before: Figure | None = None
    after: Figure | None = None


class SignalMoved(BaseModel):
    """A signal that would begin (`detected`) or end (`resolved`)."""

    organisation: str
    measure: str
    period: str
    variation: str
    rule: str | None
    state: Literal["detected", "resolved"]


class Newest(BaseModel):
    """The newest figure, beside the one that the trajectory expects."""

    period: str
    value: float
    expected: float | None
    status: str
    provisional: bool


class Standing(BaseModel):
    """How an organisation stands towards a target."""

    status: str | None
    now: Newest | None


class TargetMoved(BaseModel):
    """A target towards which an organisation would stand differently."""

    id: str
    organisation: str
    measure: str
    before: Standing
    after: Standing


class Consequences(BaseModel):
    """What a dry run would have done; `notices` say what could not be told."""

    returns: list[ReturnChanged]
    returns_total: int
    measures: list[str]
    cells: list[Cell]
    cells_total: int
    signals: list[SignalMoved] = []
    targets: list[TargetMoved] = []
    notices: list[str] = []


class Receipt(Stamped):
    """What became of a submission, every row accounted for."""

    id: str
    feed: str
    feed_version: str
    organisation: str | None
    period: str | None
    submitted_by: str
    received_at: datetime
    completed_at: datetime | None
    withdrawn_at: datetime | None
    status: Literal["processing", "accepted", "partly_accepted", "rejected", "failed", "withdrawn"]
    dry_run: bool
    sha256: str
    bytes: int
    repeat_of: str | None
    rows: Rows
    effect: RowEffect
    faults: list[FaultGroup]
    faults_total: int
    returns: list[ReturnMade]
    returns_total: int
    previous_receipt_sha256: str | None
    receipt_sha256: str
    links: dict[str, str]
    consequences: Consequences | None = None


class Receipts(Stamped):
    """A page of receipts, newest first."""

    items: list[Receipt]
    next_cursor: str | None


class ReturnVersion(BaseModel):
    """One version of a return."""

    id: str
    feed: str
    organisation: str
    period: str
    version: int
    current: bool
    status: Literal["provisional", "final"]
    kind: Literal["rows", "nil"]
    rows: int
    submission: str
    extracted_at: datetime | None
    received_at: datetime
    withdrawn_at: datetime | None


class Asked(Stamped):
    """What an answer about returns stands on, and what was asked."""

    known_at: datetime | None = Field(description="The instant that was asked about; null for now.")
    org_basis: Literal["as_was", "as_is_now"]


class Returns(Asked):
    """A page of versions."""

    items: list[ReturnVersion]
    next_cursor: str | None


class CalendarEntry(BaseModel):
    """How an organisation stands for a feed and a period."""

    feed: str
    organisation: str
    name: str
    period: str
    opens: date
    due: date | None
    final_due: date | None
    status: Literal["due", "received", "late", "missing", "nil", "exempt"]
    days_late: int
    first_received_at: datetime | None
    version: int | None
    version_status: Literal["provisional", "final"] | None


class Calendar(Asked):
    """A page of the calendar."""

    items: list[CalendarEntry]
    next_cursor: str | None


class Completeness(Calendar):
    """Who has and who has not; `expected` leaves out those that are exempt."""

    feed: str
    period: str
    opens: date
    due: date | None
    final_due: date | None
    expected: int
    counts: dict[str, int]


class Reminder(CalendarEntry):
    """Somebody to remind, and a sentence to do it with."""

    sentence: str


class Reminders(Asked):
    """Whom to remind."""

    items: list[Reminder]
    next_cursor: str | None


class RowFault(BaseModel):
    """What is wrong with one row."""

    code: str
    severity: Literal["error", "warning"]
    column: str | None
    found: str | None
    expected: str | None
    hint: str | None
    example: str | None


class FaultOnLine(RowFault):
    """What is wrong, and on which line of the file; null where it is of the whole file."""

    line: int | None


class Faults(Stamped):
    """Every fault of a submission, in order of lines; there is no next page."""

    items: list[FaultOnLine]
    next_cursor: None


class QuarantinedRow(Stamped):
    """A rejected row as it was sent (what identifies withheld), what is wrong with it and what became of it."""

    submission: str
    line: int
    feed: str
    organisation: str | None
    period: str | None
    received_at: datetime
    codes: list[str]
    row: dict[str, str | None]
    status: Literal["open", "corrected", "waived"]
    reason: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    links: dict[str, str]
    faults: list[RowFault]


class Quarantine(Stamped):
    """A page of rejected rows."""

    items: list[QuarantinedRow]
    next_cursor: str | None


class Mended(BaseModel):
    """A row put right: what that did to the returns, and the receipt as it is now."""

    row: QuarantinedRow
    effect: RowEffect
    receipt: Receipt


class Waiver(BaseModel):
    """Why a rejected row will not be sent again."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


class ChainLink(BaseModel):
    """One thing that a receipt came to say."""

    number: int
    event: Literal["received", "landed", "corrected", "withdrawn"]
    written_at: datetime
    previous_sha256: str | None
    sha256: str


class Chain(BaseModel):
    """The chain of a client's receipts."""

    client: str
    links: int
    intact: bool
    broken_at: int | None


class Verification(Stamped):
    """Whether a receipt can be relied on."""

    submission: str
    receipt_sha256: str
    computed_sha256: str
    intact: bool
    receipt_intact: bool
    chain: Chain
    links: list[ChainLink]

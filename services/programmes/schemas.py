"""What the registry shows: the shapes of its answers. What is sent to it is in `sent.py`."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
OdsCode = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=40)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
OrganisationKind = Literal[
    "national", "region", "icb", "hin", "trust", "site", "care_home_provider", "care_home", "practice",
    "provider_group", "peer_group",
]  # fmt: skip
MeasureKind = Literal["process", "outcome", "balancing", "data-quality"]
MeasureStatus = Literal["live", "retired", "draft"]
ProgrammeStatus = Literal["active", "closed"]
TargetStatus = Literal["active", "met", "missed", "lapsed", "superseded"]
Stage = Literal["aware", "engaged", "testing", "implementing", "embedded"]
EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
Day = Annotated[date, Field(ge=EARLIEST, le=LATEST)]


class Shown(BaseModel):
    """Something the registry shows; documents may hold more than is named here."""

    model_config = ConfigDict(extra="allow")


class Stamped(Shown):
    """What an answer is true of: the last change it takes in (`/v1/changes`) and when that was made."""

    as_of: datetime | None
    data_version: int


class Page(Stamped):
    """A page of a list."""

    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class Entry(Shown):
    """What every versioned entry says of itself."""

    id: str
    version: str
    status: str
    organisation: str = Field(description="The organisation whose it is; ENGLAND for the national catalogue.")
    recorded_at: datetime
    superseded_at: datetime | None
    recorded_by: str
    checked_by: str | None
    unverified: bool = Field(description="True where the fact is from memory and was not checked against a source.")


class Programme(Entry, Stamped):
    """A programme: aims, drivers, change ideas, settings, principles, measures and targets."""


class Measure(Entry, Stamped):
    """A published version of a measure, with its definition."""


class Standing(Shown):
    """Of the organisations that a target counts, how many had come far enough on a day."""

    at: date
    organisations: int
    reached: int
    share: float | None = Field(description="In percent; null where there is no such organisation.")
    enough: bool | None


class Target(Entry, Stamped):
    """A target: baseline, level, date, scope and state."""

    standing: Standing | None = Field(default=None, description="Of a share of organisations only.")


class FeedShown(Entry, Stamped):
    """A feed: the agreed shape of rows, its rules and code lists."""


class Programmes(Page):
    """A page of programmes."""

    items: list[Entry]


class DraftListed(Shown):
    """A definition that is being worked on."""

    id: str
    version: str
    status: Literal["draft"]
    organisation: str
    authors: list[str]
    revision: int
    changed_at: datetime


class Draft(DraftListed, Stamped):
    """A definition that is being worked on, by itself."""


class Measures(Page):
    """A page of measures; of drafts, where those were asked for."""

    items: list[Entry | DraftListed]


class Difference(Shown):
    """A place in a document (a JSON Pointer), what it said, and what it says now."""

    pointer: str
    before: Any
    after: Any


class MeasureVersion(Entry):
    """A version of a measure, and what it changed of the one before."""

    changed_from: str | None = Field(description="The version before; null for the first.")
    changes: list[Difference]


class MeasureVersions(Page):
    """The versions of a measure."""

    items: list[MeasureVersion]


class Targets(Page):
    """A page of targets."""

    items: list[Entry]


class Feeds(Page):
    """A page of feeds."""

    items: list[Entry]


class NameShown(Shown):
    """What an organisation was called from `start` until the day before `end`, and when that was learned."""

    name: str
    start: date | None
    end: date | None
    recorded_at: datetime | None


class OverrideShown(Shown):
    """A fact that is kept by hand, whatever files and catalogues say."""

    reason: str
    by: str
    at: datetime


class Organisation(Shown):
    """Anything with a code."""

    code: str
    name: str = Field(description="What it was called on the day asked about.")
    names: list[NameShown] = Field(description="All its names, where a change of name is known.")
    kind: str
    identifiers: dict[str, str]
    opened: date | None
    closed: date | None = Field(description="Its last day, if it has closed.")
    open: bool = Field(description="Whether it was open on the day asked about.")
    attributes: dict[str, Any]
    source: str
    unverified: bool
    overrides: dict[str, OverrideShown] = Field(description="The facts kept by hand, and why.")
    recorded_at: datetime


class Edge(Shown):
    """`parent` held the organisation in a hierarchy from `start` until the day before `end`."""

    parent: str
    hierarchy: str
    start: date | None
    end: date | None
    recorded_at: datetime


class Succession(Shown):
    """On a day the work of the predecessor passed, wholly or partly, to the successor."""

    predecessor: str
    successor: str
    on: date
    source: str
    unverified: bool


class OrganisationInFull(Organisation, Stamped):
    """An organisation with everything that is known around it."""

    at: date
    within: dict[str, str] = Field(description="The one that held it on the day, by hierarchy, its own or inherited.")
    edges: list[Edge]
    successors: list[Succession]
    predecessors: list[Succession]


class Lying(Shown):
    """An organisation that lies within another or holds it."""

    code: str
    name: str
    kind: str


class OrganisationAround(OrganisationInFull):
    """An organisation with everything around it on a day; `members` and `ancestors` where they are asked for."""

    ancestors: list["Ancestor"] | None = None
    members: list[Lying] | None = Field(default=None, description="The first 1,000 by code; /members has them all.")
    members_total: int | None = None
    standing_for: list[Lying] | None = Field(default=None, description="Who stands for it on the day.")


class Organisations(Page):
    """A page of organisations."""

    at: date
    items: list[Organisation]


class Ancestor(Organisation):
    """An organisation that holds another, and in which hierarchy."""

    hierarchy: str


class Ancestors(Page):
    """Everything above an organisation."""

    at: date
    items: list[Ancestor]


class Successors(Stamped):
    """Where an organisation's work went."""

    at: date
    items: list[Succession]
    standing_for: list[Organisation]


AnnotationKind = Literal["change_idea", "pdsa", "step_change", "known_issue"]
AnnotationStatus = Literal["proposed", "accepted", "withdrawn"]


class StageReached(Shown):
    """A stage, and the day it was reached."""

    stage: Stage
    since: date


class EnrolmentListed(Shown):
    """An organisation's part in a programme or change idea."""

    id: str
    organisation: str
    programme: str
    change_idea: str | None
    stage: Stage
    since: date
    until: date | None
    recorded_at: datetime
    recorded_by: str


class Enrolment(EnrolmentListed, Stamped):
    """An enrolment with the stages it went through."""

    stages: list[StageReached]


class Enrolments(Page):
    """A page of enrolments."""

    items: list[EnrolmentListed]


class AdoptionPoint(Shown):
    """How many organisations were at each stage when the period ended, and had reached at least it."""

    period: str
    at: dict[str, int]
    reached: dict[str, int]


class Adoption(Stamped):
    """An adoption curve."""

    programme: str
    change_idea: str | None
    within: str | None
    at: date
    items: list[AdoptionPoint]


class AnnotationListed(Shown):
    """Something drawn on charts."""

    id: str
    kind: AnnotationKind
    organisation: str
    measure: str | None
    on: date
    text: str
    evidence: str | None
    status: AnnotationStatus
    reason: str | None
    recorded_at: datetime
    recorded_by: str
    accepted_by: str | None


class Annotation(AnnotationListed, Stamped):
    """One annotation."""


class Annotations(Page):
    """A page of annotations."""

    items: list[AnnotationListed]


class Changed(Shown):
    """A line of the audit."""

    position: int
    at: datetime
    who: str
    action: str
    kind: str
    subject: str
    organisation: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str | None
    request_id: str | None


class Changes(Page):
    """A page of the audit."""

    items: list[Changed]


class Node(Shown):
    """An aim, a driver or a change idea; its id is `kind:id`."""

    id: str
    kind: Literal["aim", "driver", "secondary", "change_idea"]
    text: str
    measures: list[str]
    unverified: bool


class DriverDiagram(Stamped):
    """What serves what: each edge leads `from` a driver or change idea `to` what it serves."""

    programme: str
    name: str
    nodes: list[Node]
    edges: list[dict[str, str]]


class Registered(Shown):
    """What became of the organisations that were sent."""

    registered: int
    changed: int
    unchanged: int

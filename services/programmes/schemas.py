"""What the registry shows and takes: the shapes of its answers and of what is sent to it."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
OdsCode = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=40)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Stage = Literal["aware", "engaged", "testing", "implementing", "embedded"]


class Sent(BaseModel):
    """Something a caller sends: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


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
    owner: str = Field(description="The organisation whose it is; ENGLAND for the national catalogue.")
    recorded_at: datetime
    superseded_at: datetime | None
    recorded_by: str
    checked_by: str | None
    unverified: bool = Field(description="True where the fact is from memory and was not checked against a source.")


class Programme(Entry, Stamped):
    """A programme: aims, drivers, change ideas, settings, principles, measures and targets."""


class Measure(Entry, Stamped):
    """A published version of a measure, with its definition."""


class Target(Entry, Stamped):
    """A target: baseline, level, date, scope and state."""


class FeedShown(Entry, Stamped):
    """A feed: the agreed shape of rows, its rules and code lists."""


class Programmes(Page):
    """A page of programmes."""

    items: list[Entry]


class Measures(Page):
    """A page of measures."""

    items: list[Entry]


class Targets(Page):
    """A page of targets."""

    items: list[Entry]


class Feeds(Page):
    """A page of feeds."""

    items: list[Entry]


class Organisation(Shown):
    """Anything with a code."""

    code: str
    name: str
    kind: str
    identifiers: dict[str, str]
    opened: date | None
    closed: date | None = Field(description="Its last day, if it has closed.")
    open: bool = Field(description="Whether it was open on the day asked about.")
    attributes: dict[str, Any]
    source: str
    unverified: bool
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

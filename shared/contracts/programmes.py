"""Facts that the registry publishes. Each carries the whole new state, so the newest message of a key is enough."""

from datetime import date
from typing import Any, Literal

import msgspec

from shared.contracts.event import Event, Instant, Topic


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """`parent` held the organisation in `hierarchy` from `start` until the day before `end` (open if absent).

    `hierarchy` is `region`, `icb` (commissioning), `system` (the ICB it works in, where that is another), `psc`
    (safety-collaborative footprint), `provider` (site or home to its provider), `group` (of providers), `peer` (a group
    of peers) or `national` (to `ENGLAND`). `recorded_at` is when the platform learned it.
    """

    parent: str
    hierarchy: str
    start: date | None = None
    end: date | None = None
    recorded_at: Instant | None = None
    superseded_at: Instant | None = None


class Succession(msgspec.Struct, frozen=True, kw_only=True):
    """On `on` the organisation's work passed, wholly or partly, to `successor`."""

    successor: str
    on: date
    source: str = ""
    unverified: bool = False


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """What the organisation was called from `start` until the day before `end` (open if absent)."""

    name: str
    start: date | None = None
    end: date | None = None
    recorded_at: Instant | None = None


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that somebody keeps by hand, whatever files and catalogues say: why, who, and since when."""

    reason: str
    by: str
    at: Instant


class OrganisationChanged(Event, frozen=True, kw_only=True):
    """An organisation was registered, renamed, moved, merged or closed; this is all that is now known of it."""

    TYPE = "nhs.psip.programmes.organisation-changed.v1"
    TOPIC = Topic("programmes.organisations.v1", 3, True)
    KEY = ("code",)

    code: str
    name: str
    kind: str
    names: list[Name] = []
    identifiers: dict[str, str] = {}
    opened: date | None = None
    closed: date | None = None
    edges: list[Edge] = []
    successions: list[Succession] = []
    attributes: dict[str, Any] = {}
    source: str = ""
    unverified: bool = False
    overrides: dict[str, Override] = {}
    recorded_at: Instant


class FeedPublished(Event, frozen=True, kw_only=True):
    """A version of a feed (an agreed shape of rows) can now be sent; `spec` is the whole of it, code lists included."""

    TYPE = "nhs.psip.programmes.feed-published.v1"
    TOPIC = Topic("programmes.feeds.v1", 1, True)
    KEY = ("feed", "version")

    feed: str
    version: str
    spec: dict[str, Any]
    published_at: Instant


class MeasurePublished(Event, frozen=True, kw_only=True):
    """A version of a measure was published or retired; `definition` is the whole of it."""

    TYPE = "nhs.psip.programmes.measure-published.v1"
    TOPIC = Topic("programmes.measures.v1", 1, True)
    KEY = ("measure",)

    measure: str
    version: str
    status: Literal["preview", "live", "retired"] = "live"
    definition: dict[str, Any]
    published_at: Instant


class ProgrammePublished(Event, frozen=True, kw_only=True):
    """A programme was registered or revised; `programme` is the whole of it."""

    TYPE = "nhs.psip.programmes.programme-published.v1"
    TOPIC = Topic("programmes.programmes.v1", 1, True)
    KEY = ("id",)

    id: str
    version: str
    programme: dict[str, Any]
    published_at: Instant


class TargetSet(Event, frozen=True, kw_only=True):
    """A target was agreed, changed, met, missed or let lapse; `target` is the whole of it."""

    TYPE = "nhs.psip.programmes.target-set.v1"
    TOPIC = Topic("programmes.targets.v1", 1, True)
    KEY = ("id",)

    id: str
    version: str
    target: dict[str, Any]
    set_at: Instant


class AnnotationSet(Event, frozen=True, kw_only=True):
    """Something to draw on charts was recorded: a change idea begun, an accepted step change, a known issue."""

    TYPE = "nhs.psip.programmes.annotation-set.v1"
    TOPIC = Topic("programmes.annotations.v1", 1, True)
    KEY = ("id",)

    id: str
    kind: Literal["change_idea", "pdsa", "step_change", "known_issue"]
    organisation: str
    measure: str | None = None
    on: date
    text: str
    withdrawn: bool = False
    set_at: Instant


class EnrolmentChanged(Event, frozen=True, kw_only=True):
    """An organisation joined, moved on in, or left a programme or change idea."""

    TYPE = "nhs.psip.programmes.enrolment-changed.v1"
    TOPIC = Topic("programmes.enrolments.v1", 1, True)
    KEY = ("id",)

    id: str
    organisation: str
    programme: str
    change_idea: str | None = None
    stage: str
    since: date
    until: date | None = None
    set_at: Instant


PUBLISHED = (
    OrganisationChanged,
    FeedPublished,
    MeasurePublished,
    ProgrammePublished,
    TargetSet,
    AnnotationSet,
    EnrolmentChanged,
)

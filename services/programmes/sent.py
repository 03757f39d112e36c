"""What callers send to change programmes, measures, targets and organisations.

What was read can be changed and sent back: what the registry adds of its own to a document it shows is let pass and
ignored. Anything else that is not known is refused, by these shapes or by the rules.
"""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.programmes.rules.organisations import Organisation
from services.programmes.schemas import AnnotationKind, Day, OdsCode, Slug, Stage, Words
from shared.contracts.programmes import Edge, Succession
from shared.contracts.programmes import Name as NameOf

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Number: TypeAlias = int | float
HierarchyName = Literal["region", "icb", "system", "psc", "provider", "national", "group", "peer"]

ADDED = frozenset(
    ("recorded_at", "superseded_at", "changed_at", "recorded_by", "checked_by", "authors", "revision", "as_of")
) | {"data_version"}
"""What the registry adds to every document it shows."""


class Document(BaseModel):
    """A document that is sent whole."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    IGNORED: ClassVar[frozenset[str]] = ADDED

    @model_validator(mode="before")
    @classmethod
    def without_what_was_added(cls, sent: Any) -> Any:
        """Let what the registry added pass."""
        return {key: value for key, value in sent.items() if key not in cls.IGNORED} if isinstance(sent, dict) else sent

    def said(self) -> dict[str, Any]:
        """What was said, as JSON has it, without what was left out."""
        return self.model_dump(mode="json", exclude_unset=True)


class Part(BaseModel):
    """An entry of a document; it may say more than is named here."""

    model_config = ConfigDict(extra="allow")


class Definition(Document):
    """A measure's definition; the rules of definitions say the rest."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)
    IGNORED: ClassVar[frozenset[str]] = ADDED | {"status", "organisation"}

    id: Slug | None = Field(default=None, description="Taken from the address where it is left out.")
    version: Version | None = Field(default=None, description="The one after the published one if left out.")
    name: Name
    programme: Slug
    numerator: dict[str, Any]
    denominator: dict[str, Any] | None = None
    strata: list[str] = []
    examples: list[dict[str, Any]] = []
    review: dict[str, Any] | None = None
    baseline: dict[str, Any] | None = None

    def definition(self, measure: str | None = None) -> dict[str, Any]:
        """The definition as it is kept, under the id of the address it was sent to, if any."""
        return {**self.said(), "denominator": self.denominator, **({"id": measure} if measure else {})}


class Aim(Part):
    """What is to be reached."""

    id: Slug
    text: Words


class Driver(Part):
    """What an aim is reached by."""

    id: Slug
    name: Name
    aims: list[str] = []
    measures: list[str] = []
    secondary: list["SecondaryDriver"] = []


class SecondaryDriver(Part):
    """A part of a driver."""

    id: Slug
    name: Name
    measures: list[str] = []


class ChangeIdea(Part):
    """Something to try."""

    id: Slug
    name: Name
    kind: Literal["idea", "bundle", "tool"] = "idea"
    drivers: list[str] = []
    measures: list[str] = []


class Setting(Part):
    """Where it is tried."""

    name: Name


class ProgrammeSent(Document):
    """A programme of an organisation."""

    IGNORED: ClassVar[frozenset[str]] = ADDED | {"measures", "targets", "sets"}

    id: Slug
    version: Version | None = None
    organisation: OdsCode | None = Field(default=None, description="Whose it is; yours, if you act for just one.")
    kind: Literal["programme", "theme"] = "programme"
    name: Name
    short_name: Name | None = None
    description: Words | None = None
    status: Literal["active", "closed"] = "active"
    owner: Name | None = Field(default=None, description="The team or person who leads it.")
    valid_from: Day | None = None
    valid_to: Day | None = None
    aims: list[Aim] = []
    settings: list[Setting] = []
    drivers: list[Driver] = []
    change_ideas: list[ChangeIdea] = []
    principles: list[dict[str, Any]] = []
    notes: Words | None = None
    source: Words | None = None
    unverified: bool = False

    def document(self) -> dict[str, Any]:
        """The programme as it is kept."""
        whole = self.model_dump(mode="json", exclude_none=True)
        return {key: value for key, value in whole.items() if key != "organisation"}


class Baseline(Part):
    """Where a target starts from: a value in a period, or each organisation's own."""

    value: Number | None = None
    period: str | None = None
    basis: Literal["own"] | None = None

    @model_validator(mode="after")
    def is_somewhere(self) -> "Baseline":
        """A value and its period, or the basis."""
        if self.basis is None and (self.value is None or self.period is None):
            raise ValueError('give a value and a period, or {"basis": "own"}')
        return self


class Trajectory(Part):
    """How a target is to be approached."""

    shape: Literal["linear", "compounding", "stepped"]
    points: list[dict[str, Any]] = []


class TargetSent(Document):
    """A target for an organisation, and for all within it where `inherited`."""

    IGNORED: ClassVar[frozenset[str]] = ADDED | {"organisation", "standing"}

    id: Slug
    version: Version | None = None
    name: Name
    programme: Slug | None = None
    measure: Slug | None = None
    kind: Literal["level", "relative_change", "count_difference", "share_of_organisations"]
    baseline: Baseline | None = None
    value: Number
    due: Day | None = None
    direction: Literal["increase", "decrease"]
    scope: OdsCode
    inherited: bool = True
    status: Literal["active", "met", "missed", "lapsed", "superseded"] = "active"
    status_note: Words | None = None
    superseded_by: Slug | None = None
    part_of: Slug | None = None
    trajectory: Trajectory | None = None
    organisations: dict[str, Any] | None = None
    latest: dict[str, Any] | None = None
    valid_from: Day | None = None
    notes: Words | None = None
    source: Words | None = None
    unverified: bool = False

    def document(self) -> dict[str, Any]:
        """The target as it is kept."""
        return self.model_dump(mode="json", exclude_none=True)


class EdgeSent(Document):
    """`parent` holds the organisation from `start` until the day before `end`."""

    parent: OdsCode
    hierarchy: HierarchyName
    start: Day | None = None
    end: Day | None = None


class SuccessionSent(Document):
    """On a day the organisation's work passed, wholly or partly, to the successor."""

    IGNORED: ClassVar[frozenset[str]] = ADDED | {"predecessor"}

    successor: OdsCode
    on: Day
    source: str = ""
    unverified: bool = False


class NameSent(Document):
    """What an organisation was called from `start` until the day before `end`."""

    name: Name
    start: Day | None = None
    end: Day | None = None


class OrganisationSent(Document):
    """The whole of what is true of an organisation; an edge or succession it does not name no longer holds."""

    IGNORED: ClassVar[frozenset[str]] = ADDED | {"open", "at", "within", "predecessors"}

    code: Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9_-]{2,16}$")]
    name: Name
    names: list[NameSent] = Field(default=[], description="All its names with their days, the last of them `name`.")
    kind: Literal[
        "region", "icb", "hin", "trust", "site", "care_home_provider", "care_home", "practice", "provider_group",
        "peer_group",
    ]  # fmt: skip
    identifiers: dict[str, str] = {}
    opened: Day | None = None
    closed: Day | None = Field(default=None, description="Its last day, if it has closed.")
    edges: list[EdgeSent] = []
    successors: list[SuccessionSent] = []
    attributes: dict[str, Any] = {}
    source: str = ""
    unverified: bool = False
    overrides: dict[str, Any] | None = Field(
        default=None, description="The facts that stay kept by hand, as shown; all that are so now, if left out."
    )

    def state(self) -> Organisation:
        """The organisation as the rules have it."""
        facts = self.model_dump(exclude={"names", "edges", "successors", "overrides"})
        return Organisation(
            **facts,
            names=tuple(NameOf(**one.model_dump()) for one in self.names),
            edges=tuple(Edge(**edge.model_dump()) for edge in self.edges),
            successions=tuple(Succession(**one.model_dump()) for one in self.successors),
        )


class EnrolmentSent(Document):
    """An organisation joins a programme, or takes up one of its change ideas."""

    organisation: OdsCode
    programme: Slug
    change_idea: str | None = None
    stage: Stage = "aware"
    since: Day | None = Field(default=None, description="Today if left out.")


class EnrolmentMoved(Document):
    """An organisation reached another stage on a day, or left on one."""

    stage: Stage | None = None
    since: Day | None = None
    until: Day | None = Field(default=None, description="The first day it no longer took part.")


class AnnotationSent(Document):
    """Something to draw on charts."""

    kind: AnnotationKind
    organisation: OdsCode
    measure: Slug | None = Field(default=None, description="All measures of the organisation if left out.")
    on: Day
    text: Words
    evidence: Words | None = Field(default=None, description="What shows a step change; needed for one.")

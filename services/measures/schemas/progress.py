"""The shape of the progress towards a target."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.measures.rules.spc.nhs_rules import Assurance
from services.measures.rules.spc.verdicts import Variation
from services.measures.rules.statuses import Status
from services.measures.schemas.stated import Stated


class ProgressBaseline(BaseModel):
    """The level the target started from."""

    value: float
    on: date | None = Field(description="The last day the baseline describes; null where nothing says.")


class TrajectoryPoint(BaseModel):
    """Where the figure should be on a day."""

    on: date
    value: float


class ProgressNow(BaseModel):
    """The newest figure beside what was expected by then."""

    period: str
    value: float
    expected: float | None = Field(description="Null for a target without a trajectory.")
    status: Status
    provisional: bool


class ProgressProspect(BaseModel):
    """Whether the process as it is reaches the target."""

    reaches: Literal["always", "never", "by_chance"]
    reason: str = Field(description="The same as a sentence.")


class TargetProgress(Stated):
    """How a target stands. Where no figure can say so, what depends on one is null and `notices` says why."""

    definition_version: str | None = Field(description="Of its measure; null where it has none.")
    unverified: bool | None = Field(description="Whether the target rests on a fact that was not checked.")
    id: str
    version: str
    measure: str | None = Field(description="Null for a target that no measure follows.")
    organisation: str
    organisation_name: str
    recorded_status: str | None = Field(description="The state in the registry; `status` is by the figures.")
    name: str | None
    programme: str | None
    kind: str | None = Field(description="A level, a relative_change, a difference, or a share_of_organisations.")
    scope: str | None = Field(description="The organisation it was set for.")
    inherited: bool | None = Field(description="Whether it also holds for those within.")
    due: date | None
    status_note: str | None
    latest: Any = Field(description="The newest published standing, as the registry has it.")
    source: str | None
    unit: str | None
    baseline: ProgressBaseline | None
    value: float | None = Field(description="The level to reach, in the unit of the measure.")
    direction: Literal["increase", "decrease"] | None
    trajectory: list[TrajectoryPoint] = Field(description="From baseline to due day; empty without a path.")
    now: ProgressNow | None
    status: str | None = Field(description="on_track, behind, met, missed or lapsed; else as recorded.")
    variation: Variation | None
    assurance: Assurance | None
    prospect: ProgressProspect | None
    summary: str | None = Field(description="The chart in one plain sentence.")
    notices: list[str] = Field(description="Sentences that a reader must see.")

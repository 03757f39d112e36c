"""The shape of a chart."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.measures.rules.spc.nhs_rules import Assurance
from services.measures.rules.spc.verdicts import Rule, Signal, Variation
from services.measures.rules.statuses import Status
from services.measures.schemas.stated import Improvement, StatedOfMeasure


class ChartPoint(BaseModel):
    """One point. A value that is missing, or a limit that does not exist, is null."""

    label: str = Field(description="The period in words for people.")
    period: str
    value: float | None
    numerator: float | None
    denominator: float | None
    lower_95: float | None
    upper_95: float | None
    status: Status
    provisional: bool
    completeness: float | None
    segment: int
    centre: float | None
    lower: float | None
    upper: float | None
    lower_2sigma: float | None
    upper_2sigma: float | None
    outside: bool
    rule: Rule | None
    signal: Signal


class ChartSegment(BaseModel):
    """A stretch with limits of its own: points `first` to `last`, indices, inclusive."""

    segment: int
    first: int
    last: int
    n: int
    centre: float | None
    lower: float | None = Field(description="Null where the limits vary from point to point.")
    upper: float | None


class ChartRuns(BaseModel):
    """The runs test of one segment."""

    segment: int
    n_useful: int
    longest_run: int | None
    longest_run_max: int | None
    crossings: int | None
    crossings_min: int | None
    signal: bool


class ChartRuleset(BaseModel):
    """Which variant of the rules judged the points."""

    trend_points: int
    shift_points: int
    two_of_three: Literal["between", "beyond"]
    runs: Literal["anhoej", "bestbox", "cutbox"]
    floor_at_zero: bool
    nhs_rules: Literal["xmr", "limited"]


class ChartTarget(BaseModel):
    """The target to draw a line at, in the unit of the measure."""

    value: float
    id: str
    name: str | None
    kind: str | None
    due: date | None
    direction: str | None
    status: str | None
    source: str | None
    unverified: bool | None
    baseline: Any
    trajectory: Any
    scope: Any


class ChartAnnotation(BaseModel):
    """Something that happened; `point` is the index to draw it at."""

    id: str
    kind: str
    on: date
    text: str
    point: int
    period: str


class ChartAxis(BaseModel):
    """The title of an axis, and a domain that holds everything drawn: labels across, numbers upwards."""

    title: str
    domain: list[str | float]


class ChartAxes(BaseModel):
    """Both axes."""

    x: ChartAxis
    y: ChartAxis


class Chart(StatedOfMeasure):
    """Everything needed to draw one measure for one organisation, and nothing to compute."""

    measure: str
    measure_version: str
    name: str
    organisation: str
    organisation_name: str
    stratum: str
    unit: str
    multiplier: float
    improvement: Improvement
    chart: str = Field(description="The kind that was drawn.")
    chart_reason: str
    ruleset: ChartRuleset
    points: list[ChartPoint]
    segments: list[ChartSegment]
    target: ChartTarget | None
    annotations: list[ChartAnnotation]
    variation: Variation
    assurance: Assurance | None
    runs: list[ChartRuns]
    axes: ChartAxes
    notices: list[str] = Field(description="Sentences that a reader must see.")
    summary: str = Field(description="One plain sentence, to print beside the chart.")
    alt_text: str

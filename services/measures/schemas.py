"""What is shown: the shapes of series, charts and signals, for the reference and for the clients made from it.

Answers are written from the rules' own results, not through these models; `tests/measures/test_schemas.py` holds the
two together.
"""

from datetime import date, datetime
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, Field

from services.measures.rules.spc.nhs_rules import Assurance
from services.measures.rules.spc.verdicts import Rule, Signal, Variation
from services.measures.rules.statuses import Status

Improvement = Literal["increase", "decrease", "neutral"]


class Stated(BaseModel):
    """What every read says of itself."""

    as_of: datetime | None = Field(description="When the newest figure behind the answer arrived; null for none.")
    data_version: int = Field(description="Grows with every change of any figure.")
    known_at: datetime | None = Field(description="The instant that was asked about; null for now.")
    org_basis: Literal["as_was", "as_is_now"]
    disclosure: str | None = Field(description="The policy by which small numbers are protected; null if exact.")


class StatedOfMeasure(Stated):
    """The same, of one measure."""

    definition_version: str
    unverified: bool = Field(description="Whether the definition rests on a fact that was not checked.")


class SeriesItem(BaseModel):
    """One period of one stratum. An item without a value says why in its `status`."""

    measure: str
    organisation: str
    stratum: str = Field(description="Such as imd_quintile=1; empty for the whole.")
    period: str
    numerator: float | None
    denominator: float | None
    value: float | None
    lower_95: float | None
    upper_95: float | None
    status: Status
    provisional: bool
    completeness: float | None = Field(description="The share of the returns expected that is in it, 0 to 1.")
    versions: list[str] = Field(description="The versions of returns behind it.")
    lowest: float | None = Field(description="What a proportion would be if no case of those missing were one.")
    highest: float | None = Field(description="What it would be if every case of those missing were an event.")
    failed: list[str] = Field(description="The quality gates that it fails, or members that were left out fail.")


class Series(StatedOfMeasure):
    """One measure for one organisation: an item for every period of an unbroken run."""

    items: list[SeriesItem]


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


class DetectedSignal(BaseModel):
    """Special-cause variation in one chart, from when it was found until it ended."""

    id: int
    measure: str
    measure_name: str | None
    organisation: str
    organisation_name: str
    period: str
    variation: Variation
    rule: Rule | None
    chart: str
    state: Literal["detected", "resolved"]
    data_version: int
    detected_at: datetime
    resolved_at: datetime | None


class FalseAlarms(BaseModel):
    """What a budget of false alarms affords."""

    charts: int = Field(description="How many charts are long enough to signal.")
    rules: list[str] = Field(description="The rules that are told of, rarest first.")
    expected_false_alarms: float = Field(description="How many of them signal by chance alone, at the most.")


class Signals(Stated):
    """A page of signals, in the order they were found."""

    false_alarms: FalseAlarms | None = Field(description="Only where a budget was given.")

    items: list[DetectedSignal]
    next_cursor: str | None


def whole_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of one of the engine's structures, with what it refers to written out in its place."""
    schema = msgspec.json.schema(kind)
    definitions = schema.pop("$defs")

    def written_out(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return written_out(definitions[node["$ref"].rpartition("/")[2]])
            return {key: written_out(value) for key, value in node.items()}
        return [written_out(one) for one in node] if isinstance(node, list) else node

    found: dict[str, Any] = written_out(schema)
    return found

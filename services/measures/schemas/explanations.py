"""The shape of everything behind one figure."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.measures.rules.spc.verdicts import Rule, Signal
from services.measures.rules.statuses import Status
from services.measures.schemas.charts import ChartSegment
from services.measures.schemas.stated import StatedOfMeasure


class ExplainedNumbers(BaseModel):
    """The figure itself, as the series shows it."""

    numerator: float | None
    denominator: float | None
    value: float | None
    lower_95: float | None
    upper_95: float | None
    status: Status
    provisional: bool
    completeness: float | None = Field(description="The share of the returns expected that is in it, 0 to 1.")
    lowest: float | None = Field(description="What a proportion would be if no case of those missing were one.")
    highest: float | None = Field(description="What it would be if every case of those missing were an event.")
    failed: list[str] = Field(description="The quality gates that it fails, or members that were left out fail.")


class ExplainedReturn(BaseModel):
    """One version of a return behind the figure."""

    version_id: str
    feed: str
    organisation: str
    period: str
    version: int
    kind: str = Field(description="Such as rows, or nil for a nil return.")
    status: str
    received_at: datetime
    submission_id: str
    rows: int | None = Field(description="How many rows it had; null under disclosure control.")


class Suppression(BaseModel):
    """How small numbers of the measure are protected."""

    policy: str
    applied: bool = Field(description="Whether it was applied to this answer.")
    small_below: int = Field(description="Counts above 0 and below this are small; 0 where none is.")
    small_shown_as: int | None = Field(description="What stands in place of a small count; null where it is hidden.")
    rounded_to: int = Field(description="The other counts are rounded to the nearest multiple of this.")


class ExplainedPoint(BaseModel):
    """Where the figure stands on its chart; all null where it is no point of it."""

    segment: int | None
    centre: float | None
    lower: float | None
    upper: float | None
    outside: bool | None
    rule: Rule | None
    signal: Signal | None


class Explanation(StatedOfMeasure):
    """One figure, from its formula to the returns behind it."""

    measure: str
    name: str
    organisation: str
    organisation_name: str
    period: str
    periods: list[str] = Field(description="What the figure is of, newest first: its period, and those before it too "
                               "where the measure is rolling.")  # fmt: skip
    stratum: str = Field(description="Such as imd_quintile=1; empty for the whole.")
    formula: str = Field(description="How the figure is worked out, in words.")
    numerator_counts: str = Field(description="What the numerator counts, in words.")
    denominator_counts: str | None = Field(description="What the denominator counts; null for a plain count.")
    numbers: ExplainedNumbers
    multiplier: float
    unit: str
    definition: dict[str, Any] = Field(description="The definition as it was published.")
    definition_versions: list[str] = Field(description="The versions by which the figures behind it were computed.")
    counted_from: list[str] = Field(description="`rows` counted here, figures `counted` elsewhere, or `nil` returns.")
    organisations: int = Field(description="How many organisations sent what is behind it.")
    returns: list[ExplainedReturn] = Field(description="Newest first, 200 at the most.")
    returns_total: int
    suppression: Suppression
    chart: str = Field(description="The kind of chart it is judged on.")
    point: ExplainedPoint
    segment: ChartSegment | None = Field(description="The stretch of limits that the point belongs to.")

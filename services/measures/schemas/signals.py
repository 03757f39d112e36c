"""The shape of signals."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.measures.rules.spc.verdicts import Rule, Variation
from services.measures.schemas.stated import Stated


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

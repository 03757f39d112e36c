"""The shapes of statistics of anyone's numbers."""

from typing import Literal

from pydantic import BaseModel, Field


class IntervalRow(BaseModel):
    """A figure with its confidence interval; null where there is none."""

    value: float | None
    lower: float | None
    upper: float | None
    method: Literal["wilson", "exact", "byar", "student", "dobson"]


class IntervalsAnswer(BaseModel):
    """One interval a row, in the order of the rows."""

    rows: list[IntervalRow]


class FunnelRow(BaseModel):
    """One group on the funnel. The limits are scaled by the multiplier, `ratio` is not."""

    group: str
    numerator: float
    denominator: float
    ratio: float
    z: float | None = Field(description="How many standard deviations from the target, before trimming.")
    lower_95: float | None
    upper_95: float | None
    lower_998: float | None
    upper_998: float | None
    outlier: bool


class FunnelAnswer(BaseModel):
    """A funnel, its rows sorted by group."""

    target: float = Field(description="What the groups have together, not scaled; 1 for a standardised ratio.")
    phi: float | None = Field(description="The dispersion ratio.")
    tau2: float | None = Field(description="The variance between groups on the transformed scale.")
    adjusted: bool = Field(description="Whether the limits are widened for overdispersion.")
    rows: list[FunnelRow]


class InequalityAnswer(BaseModel):
    """The slope index (scaled by the multiplier) and the relative index, with their limits."""

    sii: float
    rii: float | None = Field(description="Null where the fitted value at the first end is 0.")
    intercept: float = Field(description="The fitted value at the first end.")
    sii_lower: float | None = Field(description="Null where a limit of a row has no logarithm.")
    sii_upper: float | None
    rii_lower: float | None
    rii_upper: float | None
    notices: list[str] = Field(description="Sentences that a reader must see.")


class CusumAnswer(BaseModel):
    """One entry a case, in order of time."""

    vlad: list[float] = Field(description="Expected minus observed events so far.")
    cusum_up: list[float] = Field(description="Evidence for raised odds; never negative.")
    cusum_down: list[float] = Field(description="Evidence for lowered odds; never negative.")
    signal_up: list[bool] = Field(description="Whether it is above its limit.")
    signal_down: list[bool]

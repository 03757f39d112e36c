"""The shapes of organisations and strata beside one another: funnels, inequalities, the matrix."""

from typing import Literal

from pydantic import BaseModel, Field

from services.measures.rules.spc.nhs_rules import Assurance
from services.measures.rules.spc.verdicts import Rule, Variation
from services.measures.rules.statuses import Status
from services.measures.schemas.stated import Improvement, Stated, StatedOfMeasure


class FunnelItem(BaseModel):
    """One organisation on the funnel. Without a figure, or without limits, what is missing is null."""

    measure: str
    organisation: str
    organisation_name: str
    numerator: float | None
    denominator: float | None
    value: float | None = Field(description="In the unit of the measure, as the limits are.")
    ratio: float | None = Field(description="Numerator over denominator, before the multiplier.")
    z: float | None = Field(description="How many standard deviations from the target, on the transformed scale.")
    lower_95: float | None
    upper_95: float | None
    lower_998: float | None
    upper_998: float | None
    outlier: bool | None = Field(description="Whether it lies outside the 99.8% limits.")
    status: Status
    provisional: bool


class FunnelPoint(BaseModel):
    """The limits at one denominator, to draw the lines of the funnel through."""

    denominator: float
    lower_95: float
    upper_95: float
    lower_998: float
    upper_998: float


class Funnel(Stated):
    """A measure over all organisations of a kind in one period, with the limits that chance alone explains."""

    measure: str
    name: str
    definition_version: str
    unit: str
    multiplier: float
    improvement: Improvement
    period: str | None = Field(description="Null where none of them has a figure.")
    level: str = Field(description="The kind of organisation.")
    within: str
    kind: Literal["proportion", "ratio_of_counts"] | None = Field(description="Null where there are no limits.")
    target: float | None = Field(description="What they have together, in the unit of the measure.")
    phi: float | None = Field(description="The dispersion ratio: above 1, they differ by more than chance.")
    tau2: float | None = Field(description="The variance between organisations on the transformed scale.")
    adjusted: bool = Field(description="Whether the limits are widened for overdispersion.")
    curve: list[FunnelPoint] = Field(description="In order of denominator.")
    items: list[FunnelItem]
    notices: list[str] = Field(description="Sentences that a reader must see, such as why there are no limits.")


class InequalityItem(BaseModel):
    """One stratum over the whole range. A figure that is missing says why in its `status`."""

    stratum: str = Field(description="Such as imd_quintile=1; empty for the whole.")
    numerator: float | None
    denominator: float | None
    value: float | None
    lower_95: float | None
    upper_95: float | None
    status: Status
    provisional: bool


class Inequalities(StatedOfMeasure):
    """A measure by stratum over a stretch of time, and what lies between the strata."""

    measure: str
    name: str
    organisation: str
    organisation_name: str
    unit: str
    improvement: Improvement
    by: str
    first: str | None = Field(alias="from", description="The first period; null where there is no figure at all.")
    last: str | None = Field(alias="to", description="The last period.")
    whole: InequalityItem | None = Field(description="All strata together.")
    compared: list[str] | None = Field(description="The two strata that gap and ratio compare.")
    gap: float | None
    ratio: float | None
    unknown_share: float | None = Field(description="The share of the cases whose stratum is not known, 0 to 1.")
    sii: float | None = Field(description="The slope index of inequality, in the unit of the measure.")
    sii_lower_95: float | None
    sii_upper_95: float | None
    rii: float | None = Field(description="The relative index of inequality.")
    rii_lower_95: float | None
    rii_upper_95: float | None
    notices: list[str] = Field(description="Sentences that a reader must see, such as why there is no index.")
    items: list[InequalityItem] = Field(description="The strata, without the whole.")


class MatrixItem(BaseModel):
    """One measure at one organisation: its newest figure and its icons; null where there is none."""

    measure: str
    measure_name: str
    programme: str | None
    organisation: str
    organisation_name: str
    organisation_kind: str
    chart: str = Field(description="The kind of chart that was judged.")
    points: int = Field(description="How many periods have a value.")
    period: str | None = Field(description="The newest period with a value.")
    numerator: float | None
    denominator: float | None
    value: float | None
    unit: str
    improvement: Improvement
    variation: Variation | None
    assurance: Assurance | None = Field(description="Null without a target, or without limits to judge by.")
    rule: Rule | None = Field(description="The rule that the newest point breaks.")
    trial_limits: bool | None = Field(description="Whether there are too few points for the limits to stand.")
    centre: float | None
    lower: float | None
    upper: float | None
    target: float | None = Field(description="The level to reach, in the unit of the measure.")


class Matrix(Stated):
    """What every measure of the organisations asked for is doing."""

    programme: str | None = Field(description="The programme asked for; null for all.")
    items: list[MatrixItem]

"""The columns of an export."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.measures.rules.statuses import Status


class ExportRow(BaseModel):
    """A stratum of a cell: one line. A blank (CSV) or null (Parquet) means that there is none, never 0."""

    measure: str = Field(description="The id of the measure.")
    organisation: str = Field(description="The code of the organisation.")
    organisation_name: str | None = Field(description="Its name.")
    organisation_kind: str | None = Field(description="Trust, site, care_home, practice, ...")
    period: str = Field(description="As the platform writes periods: 2026-10, 2026-W41.")
    grain: str = Field(description="The length of the period: day, week, month, quarter, ...")
    period_start: date = Field(description="Its first day.")
    period_end: date = Field(description="Its last day.")
    stratum: str | None = Field(description="Blank for the whole, or name=value.")
    numerator: float | None = Field(description="Events, or what the measure sums.")
    denominator: float | None = Field(description="What they are out of; blank for a plain count.")
    value: float | None = Field(description="Numerator over denominator times the multiplier, or the plain count.")
    lower_95: float | None = Field(description="Lower bound of the 95% interval.")
    upper_95: float | None = Field(description="Upper bound.")
    unit: str = Field(description="The unit of value and bounds.")
    status: Status = Field(description="What the cell is; says why where there is no value.")
    provisional: bool = Field(description="Whether a return behind it may still change.")
    counted_from: Literal["rows", "counted", "nil"] = Field(
        description="Rows counted here, figures counted elsewhere, or a nil return."
    )
    definition_version: str = Field(description="The version of the definition it was computed by.")
    disclosure: str | None = Field(description="The policy by which small numbers are protected; blank if exact.")
    known_from: datetime = Field(description="Since when this is known.")
    data_version: int = Field(description="The change that brought it.")

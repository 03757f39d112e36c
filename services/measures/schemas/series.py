"""The shape of a series."""

from pydantic import BaseModel, Field

from services.measures.rules.statuses import Status
from services.measures.schemas.stated import StatedOfMeasure


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

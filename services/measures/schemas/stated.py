"""What every read says of itself, and the words that several answers share."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

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

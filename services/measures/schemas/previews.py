"""The shape of what a draft definition would change."""

from datetime import date

from pydantic import BaseModel, Field

from services.measures.rules.spc.nhs_rules import Assurance
from services.measures.rules.spc.verdicts import Variation


class PreviewedCells(BaseModel):
    """How many cells (organisation, period and stratum) there are, and how many would change."""

    before: int
    after: int
    changed: int = Field(description="Those that are added or removed among them.")
    added: int
    removed: int


class PreviewedFigure(BaseModel):
    """The figure of a cell by one of the two versions."""

    numerator: float | None
    denominator: float | None
    value: float | None


class PreviewedChange(BaseModel):
    """One cell that would change. `before` is null for one that is added, `after` for one that is removed."""

    organisation: str
    period: str
    stratum: str
    before: PreviewedFigure | None
    after: PreviewedFigure | None


class PreviewedIcons(BaseModel):
    """The icons of a chart; null where there are too few figures."""

    variation: Variation | None
    assurance: Assurance | None


class PreviewedIcon(BaseModel):
    """An organisation whose icons would change."""

    organisation: str
    before: PreviewedIcons
    after: PreviewedIcons


class PreviewedCrossing(BaseModel):
    """An organisation that would reach its target, or no longer reach it."""

    organisation: str
    target: str
    level: float
    before: float | None
    after: float | None
    reached: bool = Field(description="Whether the draft's figure reaches it.")


class Preview(BaseModel):
    """What would change if the draft were live. Nothing has been changed."""

    measure: str
    since: date = Field(alias="from", description="The first day that was looked at: two years of figures.")
    live_version: str | None = Field(description="Null where nothing is live yet.")
    draft_version: str
    cells: PreviewedCells
    changes: list[PreviewedChange] = Field(description="Only of organisations you see exactly, 1,000 at the most.")
    changes_total: int
    icons: list[PreviewedIcon]
    crossings: list[PreviewedCrossing]

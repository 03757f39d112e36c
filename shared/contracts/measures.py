"""Facts that measures publishes: which figures moved, and what they now say."""

from typing import Literal

from shared.contracts.event import Event, Instant, Topic


class CellsChanged(Event, frozen=True, kw_only=True):
    """Figures of one organisation moved: these measures, in these periods."""

    TYPE = "nhs.psip.measures.cells-changed.v1"
    TOPIC = Topic("measures.cells.v1", 6, False)
    KEY = ("organisation",)

    organisation: str
    measures: list[str]
    periods: list[str]
    submissions: list[str] = []
    data_version: int
    changed_at: Instant


class SignalDetected(Event, frozen=True, kw_only=True):
    """A series began, changed or ended a special-cause signal (`variation` as on its chart).

    `small` says that a count of the chart is one that disclosure control would alter: only those who see exact figures
    may be told. An event that does not say so may be such a one.
    """

    TYPE = "nhs.psip.measures.signal-detected.v1"
    TOPIC = Topic("measures.signals.v1", 3, False)
    KEY = ("organisation", "measure")

    organisation: str
    measure: str
    period: str
    variation: str
    rule: str | None = None
    state: Literal["detected", "resolved"] = "detected"
    small: bool = True
    data_version: int
    detected_at: Instant


PUBLISHED = (CellsChanged, SignalDetected)

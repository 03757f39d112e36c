"""What the platform answers: the receipt of a submission, and a series of figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission. `document` is the whole receipt as it was answered.

    `rows` counts `received`, `accepted`, `unchanged`, `duplicate`, `waiting` and `rejected` rows; the first is the sum
    of the others. `replayed` tells that the platform had this very submission already and answered as before.
    """

    id: str
    feed: str
    status: str
    rows: Mapping[str, int]
    faults: list[dict[str, Any]]
    returns: list[dict[str, Any]]
    document: dict[str, Any] = field(repr=False)
    replayed: bool = False

    @classmethod
    def of(cls, document: dict[str, Any], *, replayed: bool = False) -> Self:
        """The receipt in an answer."""
        named = {name: document[name] for name in ("id", "feed", "status", "rows", "faults", "returns")}
        return cls(**named, document=document, replayed=replayed)

    @property
    def done(self) -> bool:
        """Whether the platform has finished with the submission."""
        return self.status != "processing"

    def __str__(self) -> str:
        counted = ", ".join(f"{count:,} {name}" for name, count in self.rows.items() if count)
        return f"{self.status}: {counted or 'no rows'}"


@dataclass(frozen=True, slots=True)
class Series:
    """One measure for one organisation, an item a period and stratum; `document` is the whole answer.

    An item has `measure, organisation, stratum, period, numerator, denominator, value, lower_95, upper_95, status,
    provisional, completeness, versions`. An item whose `value` is None says why in its `status`.
    """

    items: list[dict[str, Any]]
    document: dict[str, Any] = field(repr=False)

    def to_polars(self) -> "pl.DataFrame":
        """The items as a data frame; the columns are there, and have the same types, even if there are no items."""
        import polars as pl

        types = {
            **dict.fromkeys(("measure", "organisation", "stratum", "period"), pl.String()),
            **dict.fromkeys(("numerator", "denominator", "value", "lower_95", "upper_95"), pl.Float64()),
            "status": pl.String(),
            "provisional": pl.Boolean(),
            "completeness": pl.Float64(),
            "versions": pl.List(pl.String()),
        }
        return pl.DataFrame(self.items, schema=types)

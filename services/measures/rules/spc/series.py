"""What the engine is given: one series to a chart, the rules to judge it by, and how bad input is refused."""

from collections.abc import Sequence
from typing import Literal

import msgspec

ChartName = Literal["run", "xmr", "i", "mr", "ip", "p", "pp", "u", "up", "c", "g", "t", "xbar", "s"]
Improvement = Literal["increase", "decrease", "neutral"]
Value = float | Sequence[float | None] | None


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One series to chart, points in order of time.

    `values` holds one number a point (null: missing), or the subgroup's array for `xbar` and `s`. Where `denominators`
    are given (and the chart is not `c`, `g`, `t`, `xbar` or `s`) the charted figure is value / denominator.
    `rebase` holds the index of the first point of each new segment, `exclude` the indices left out of centre, limits
    and runs (still drawn, and still tested against the limits). `fix_after` takes centre and limits from that many
    first points of every segment. `centre` imposes the centre line (on a `g` chart: the mean), before `multiplier`,
    which scales everything drawn. `target` is in the units drawn. `screen` drops large moving ranges once.
    """

    id: str = ""
    chart: ChartName = "xmr"
    labels: Sequence[str]
    values: Sequence[Value]
    denominators: Sequence[float | None] | None = None
    improvement: Improvement = "neutral"
    target: float | None = None
    rebase: Sequence[int] | None = None
    fix_after: int | None = None
    exclude: Sequence[int] | None = None
    centre: float | None = None
    multiplier: float = 1.0
    screen: bool = True


class Ruleset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which variant of the rules judges a series; the default is the one of NHSRplotthedots 0.2.2.

    `trend_points` and `shift_points` are 6 or 7 in Making Data Count's tools. `two_of_three` counts the points
    `between` 2 and 3 sigma, or all those `beyond` 2 sigma as those tools do since 2023. `runs` chooses the test of
    runs and crossings (Anhøj; best box and cut box of Anhøj and Wentzel-Larsen 2020 for 10 to 100 useful points).
    `floor_at_zero` draws a lower limit below zero at zero where no value is below zero. `nhs_rules` says which charts
    the four NHS rules judge: XmR charts alone, or every chart that has limits and on which a run means something.
    """

    trend_points: int = 7
    shift_points: int = 7
    two_of_three: Literal["between", "beyond"] = "between"
    runs: Literal["anhoej", "bestbox", "cutbox"] = "anhoej"
    floor_at_zero: bool = False
    nhs_rules: Literal["xmr", "limited"] = "xmr"

    def __post_init__(self) -> None:
        if min(self.trend_points, self.shift_points) < 3:
            raise ValueError("a trend or a shift is of 3 points or more")


class InvalidSeries(ValueError):
    """A series that cannot be charted; names the series, the field and, where one is to blame, the index in it."""

    def __init__(self, message: str, *, series: int, id: str = "", field: str = "", index: int | None = None) -> None:  # noqa: A002
        self.series, self.id, self.field, self.index, self.message = series, id, field, index, message
        named = f" (series {id!r})" if id else ""
        super().__init__(f"{self.pointer}{named}: {message}")

    @property
    def pointer(self) -> str:
        """JSON pointer (RFC 6901) to the fault in the request."""
        parts = ["series", self.series, self.field, self.index]
        return "".join(f"/{part}" for part in parts if part is not None and part != "")

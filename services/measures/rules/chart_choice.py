"""Which chart suits a series: the one its definition names, or the one its figures ask for, with the reason."""

from collections.abc import Mapping, Sequence
from operator import le
from statistics import fmean
from typing import Any, NamedTuple

from services.measures.rules.definitions import Definition

FEWEST_FOR_LIMITS = 12
"""Points that limits need to mean something (NHSRplotthedots); below it a run chart says as much."""

LARGE_DENOMINATOR = 1000
"""Mean denominator from which binomial or Poisson limits are too narrow for real processes: Laney's charts."""

RARE = 2
"""Mean events a period below which a count says little, and the time between events says more."""


class Choice(NamedTuple):
    """A kind of chart, why it was chosen (a sentence), and whether it is other than the one asked for."""

    chart: str
    reason: str
    instead: bool = False


class Figures(NamedTuple):
    """The figures of one series that have a value: numerators, and denominators (empty for plain counts)."""

    numerators: Sequence[float]
    denominators: Sequence[float]

    @property
    def within(self) -> bool:
        """Whether there are nowhere more events than cases."""
        return all(map(le, self.numerators, self.denominators))

    @property
    def negative(self) -> bool:
        """Whether any is below zero, as a sum may be and a count never is."""
        return any(one < 0 for one in self.numerators)


def choose(definition: Definition, items: Sequence[Mapping[str, Any]], *, asked: str | None, dates: int) -> Choice:
    """The chart for the items (of one stratum); `dates` is how many dates of events are known.

    `asked` is the kind the caller wants, None for the definition's own, `auto` for the best; a kind that the figures
    cannot be drawn as gives way to one that they can.
    """
    shown = [item for item in items if item["value"] is not None]
    ratio = definition.denominator is not None
    figures = Figures([one["numerator"] for one in shown], [one["denominator"] for one in shown] if ratio else [])
    return choose_for(definition, figures, asked=asked, dates=dates)


def choose_for(definition: Definition, shown: Figures, *, asked: str | None = None, dates: int = 0) -> Choice:
    """The chart for these figures, as `choose`."""
    wanted = asked or definition.chart
    if wanted == "auto":
        return _best(definition, shown, dates)
    problem = _impossible(wanted, definition, shown, dates)
    if problem is not None:
        best = _best(definition, shown, dates).chart
        return Choice(best, f"This is not the {wanted} chart asked for: {problem}.", instead=True)
    return Choice(wanted, "Asked for." if asked else "Named by the measure's definition.")


def _best(definition: Definition, shown: Figures, dates: int) -> Choice:
    if definition.rolling > 1:
        return Choice("run", f"It is only drawn: {overlapping(definition)}.")
    if definition.numerator.kind == "dates" and dates > 1:
        return Choice("t", "The measure is of dates: the time between events is charted.")
    if len(shown.numerators) < FEWEST_FOR_LIMITS:
        return Choice("run", f"There are fewer than {FEWEST_FOR_LIMITS} figures, too few for limits.")
    if definition.denominator is None:
        if fmean(shown.numerators) < RARE:
            return Choice("run", f"There are fewer than {RARE} events a period, too few for limits.")
        return Choice("xmr", "The measure is a count without a denominator.")
    if shown.negative:
        return Choice("xmr", "Some figures are below zero.")
    size = fmean(shown.denominators)
    large = size >= LARGE_DENOMINATOR
    because = f", with denominators of {size:,.0f} on average"
    if definition.proportion and shown.within:
        return Choice("pp" if large else "p", f"The measure is a proportion{because if large else ''}.")
    if definition.proportion:
        return Choice("xmr", "Some figures have more events than cases.")
    return Choice("up" if large else "u", f"The measure is a rate{because if large else ''}.")


def overlapping(definition: Definition) -> str:
    """Why figures of rolling windows are drawn and not judged."""
    return (
        f"each figure is of {definition.rolling} periods and shares most of them with its neighbours, "
        "so that neither limits nor runs would mean anything"
    )


def _impossible(chart: str, definition: Definition, shown: Figures, dates: int) -> str | None:
    """Why the figures cannot be drawn as that chart; None if they can."""
    if definition.rolling > 1 and chart != "run":
        return overlapping(definition)
    if chart in ("g", "t") and dates < 2:
        return "that needs the dates of at least two events"
    if chart in ("xbar", "s"):
        return "that needs the single measurements of every period"
    if chart == "c" and definition.denominator is not None:
        return "that draws counts, and this measure has a denominator"
    if chart in ("p", "pp", "u", "up") and definition.denominator is None:
        return "that needs a denominator"
    if chart in ("p", "pp", "u", "up", "c") and shown.negative:
        return "some figures are below zero"
    if chart in ("p", "pp") and not shown.within:
        return "some figures have more events than cases"
    return None

"""The icons of many series of measures at once: the very charts that `charting` draws, judged in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from services.measures.rules.chart_choice import Figures, choose_for
from services.measures.rules.charting import EVERY_CHART, baseline_points, engine_series, steps_of
from services.measures.rules.definitions import Definition
from services.measures.rules.spc import Icons, icons
from shared.contracts.periods import Period


@dataclass(frozen=True, slots=True)
class Track:
    """The figures of one organisation's measure by period, all of one grain, and what else its chart depends on.

    `steps` are the days of accepted step changes, `target` the level to reach, in the measure's unit.
    """

    definition: Definition
    figures: Mapping[str, tuple[float | None, float | None]]
    steps: Sequence[date] = ()
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the chart of a track says: its kind, the last period with a value and that value, and its icons.

    A track without any value has no period, no value and no icons.
    """

    chart: str
    points: int
    period: str | None = None
    numerator: float | None = None
    denominator: float | None = None
    value: float | None = None
    icons: Icons | None = field(default=None)


def judged(tracks: Sequence[Track]) -> list[Judgement]:
    """What the chart of each track says, in order; the engine is asked once for all of them."""
    laid = [_laid(track) for track in tracks]
    charts = [
        choose_for(track.definition, one.shown(track.definition)).chart for track, one in zip(tracks, laid, strict=True)
    ]
    filled = [number for number, one in enumerate(laid) if one.periods]
    series = [
        engine_series(
            tracks[number].definition,
            charts[number],
            labels=laid[number].periods,
            values=laid[number].values,
            numerators=laid[number].numerators,
            denominators=laid[number].denominators,
            target=tracks[number].target,
            rebase=steps_of(laid[number].periods, tracks[number].steps) if tracks[number].steps else (),
            fix_after=baseline_points(tracks[number].definition, laid[number].periods)[0],
        )
        for number in filled
    ]
    found = dict(zip(filled, icons(series, ruleset=EVERY_CHART), strict=True))
    for number, one in found.items():
        if tracks[number].definition.rolling > 1:
            found[number] = one._replace(variation="common_cause", rule=None, assurance=None)
    return [
        Judgement(chart, sum(value is not None for value in one.values), *one.last, found[number])
        if number in found
        else Judgement(chart, 0)
        for number, (chart, one) in enumerate(zip(charts, laid, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class _Laid:
    """A track as columns: every period from its first to its last value, null where there is none."""

    periods: Sequence[str]
    numerators: Sequence[float | None]
    denominators: Sequence[float | None]
    values: Sequence[float | None]

    @property
    def last(self) -> tuple[str, float | None, float | None, float | None]:
        """The last period, its figures and its value."""
        return self.periods[-1], self.numerators[-1], self.denominators[-1], self.values[-1]

    def shown(self, definition: Definition) -> Figures:
        """The figures that have a value."""
        numerators = [n for n, value in zip(self.numerators, self.values, strict=True) if value is not None]
        denominators = [d for d, value in zip(self.denominators, self.values, strict=True) if value is not None]
        ratio = definition.denominator is not None
        return Figures([n or 0.0 for n in numerators], [d or 0.0 for d in denominators] if ratio else [])


def _laid(track: Track) -> _Laid:
    definition = track.definition
    values = {
        period: value
        for period, (numerator, denominator) in track.figures.items()
        if (value := value_of(definition, numerator, denominator)) is not None
    }
    if not values:
        return _Laid((), (), (), ())
    ordered = sorted(values, key=_start)
    periods = _between(ordered[0], ordered[-1])
    figures = [track.figures.get(period, (None, None)) for period in periods]
    return _Laid(periods, [n for n, _ in figures], [d for _, d in figures], [values.get(one) for one in periods])


def value_of(definition: Definition, numerator: float | None, denominator: float | None) -> float | None:
    """The value that a series shows for these figures; None where it shows none (`statuses.decide`)."""
    if numerator is None or definition.denominator is None:
        return numerator
    if not denominator or denominator < definition.minimum_denominator:
        return None
    return numerator / denominator * definition.multiplier


@lru_cache(maxsize=20_000)
def _start(period: str) -> date:
    return Period.parse(period).start


@lru_cache(maxsize=20_000)
def _between(first: str, last: str) -> tuple[str, ...]:
    return tuple(one.text for one in Period.parse(first).until(Period.parse(last)))

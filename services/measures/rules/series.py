"""The tidy items of a series: one for every period of an unbroken run, each with a status that says what it is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from services.measures.rules.definitions import Definition
from services.measures.rules.intervals import poisson, wilson
from services.measures.rules.statuses import SHOWN, Cell, ReturnState, Status, decide
from services.measures.rules.strata import WHOLE
from shared.contracts.periods import Period


class Figure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one organisation's measure in one period and stratum.

    `failed` says which quality gates it fails; `completeness` the share of what was expected that is in it (1 for one
    organisation's own return); `versions` the ids of the return versions behind it. An aggregate brings its `status`
    (that of its sums, or why it has none) and, where members are missing from a proportion, the `lowest` and `highest`
    share (0 to 1) that it could be: if none, or all, of their cases were events.
    """

    period: str
    stratum: str = WHOLE
    numerator: float | None = None
    denominator: float | None = None
    failed: tuple[str, ...] = ()
    provisional: bool = False
    completeness: float | None = 1.0
    versions: tuple[str, ...] = ()
    status: Status | None = None
    lowest: float | None = None
    highest: float | None = None


def series(
    definition: Definition,
    organisation: str,
    figures: Iterable[Figure],
    *,
    first: Period,
    last: Period,
    strata: Sequence[str] = (WHOLE,),
    states: Mapping[str, ReturnState] | None = None,
) -> list[dict[str, Any]]:
    """The items of `GET /v1/series` for one measure and organisation, stratum by stratum in order of time.

    Every period from `first` to `last` has an item. `states` says how the return of a period stands where it is not
    simply `received` (for a period with a figure) or `missing` (for one without). A stratum without a figure in a
    period whose whole is known is one in which there was nobody. The value is numerator / denominator x multiplier
    (the numerator alone for plain counts), never rounded, and is null unless the status is one that shows it.
    Intervals are 95%: Wilson's for proportions, exact or Byar's for rates and counts. A figure that fails a gate keeps
    its numbers and has no value.
    """
    found = items(definition, organisation, figures, first=first, last=last, strata=strata, states=states)
    add_intervals(found, definition)
    return found


def items(
    definition: Definition,
    organisation: str,
    figures: Iterable[Figure],
    *,
    first: Period,
    last: Period,
    strata: Sequence[str] = (WHOLE,),
    states: Mapping[str, ReturnState] | None = None,
) -> list[dict[str, Any]]:
    """The same, still without intervals: of many organisations they are added together."""
    known = {(figure.stratum, figure.period): figure for figure in figures}
    standing = states or {}
    found = []
    for stratum in strata:
        for period in first.until(last):
            figure = known.get((stratum, period.text)) or _nobody(known.get((WHOLE, period.text)), stratum, definition)
            found.append(_item(definition, organisation, stratum, period.text, figure, standing.get(period.text)))
    return found


def _nobody(whole: Figure | None, stratum: str, definition: Definition) -> Figure | None:
    if whole is None or whole.numerator is None:
        return None
    return Figure(
        period=whole.period,
        stratum=stratum,
        numerator=0.0,
        denominator=None if definition.denominator is None else 0.0,
        failed=whole.failed,
        provisional=whole.provisional,
        completeness=whole.completeness,
        versions=whole.versions,
    )


def _item(
    definition: Definition,
    organisation: str,
    stratum: str,
    period: str,
    figure: Figure | None,
    state: ReturnState | None,
) -> dict[str, Any]:
    stands: ReturnState = state or ("missing" if figure is None else "received")
    told = figure or Figure(period=period, completeness=None if stands == "not_expected" else 0.0)
    ratio = definition.denominator is not None
    hidden = stands == "quarantined"
    numerator, denominator = (None, None) if hidden else (told.numerator, told.denominator)
    cell = Cell(stands, numerator, denominator, ratio, not told.failed, definition.minimum_denominator)
    status = told.status or decide(cell)
    return {
        "measure": definition.measure,
        "organisation": organisation,
        "stratum": stratum,
        "period": period,
        "numerator": numerator,
        "denominator": denominator if ratio else None,
        "value": _value(cell, definition.multiplier) if status in SHOWN else None,
        "lower_95": None,
        "upper_95": None,
        "status": status,
        "provisional": told.provisional,
        "completeness": told.completeness,
        "versions": list(told.versions),
        "lowest": _scaled(told.lowest, definition.multiplier),
        "highest": _scaled(told.highest, definition.multiplier),
        "failed": list(told.failed),
    }


def _scaled(share: float | None, multiplier: float) -> float | None:
    return None if share is None else share * multiplier


def _value(cell: Cell, multiplier: float) -> float | None:
    if cell.numerator is None or not cell.ratio:
        return cell.numerator
    return cell.numerator / cell.denominator * multiplier if cell.denominator else None


def add_intervals(items: Sequence[dict[str, Any]], definition: Definition) -> None:
    """Fill in the bounds of every item that has a value and is a count of events, all at once, from its figures."""
    shown = [item for item in items if item["value"] is not None and _has_interval(item, definition)]
    if not shown:
        return
    events = np.array([item["numerator"] for item in shown], np.float64)
    size = np.array([item["denominator"] or 1.0 for item in shown], np.float64)
    scale = definition.multiplier if definition.denominator is not None else 1.0
    bounds = wilson(events, size) if definition.proportion else tuple(one / size for one in poisson(events))
    for item, lower, upper in zip(shown, *((bound * scale).tolist() for bound in bounds), strict=True):
        item["lower_95"], item["upper_95"] = lower, upper


def _has_interval(item: Mapping[str, Any], definition: Definition) -> bool:
    """Only whole events have these intervals, and a proportion only where they are among its cases."""
    events = item["numerator"]
    return events == int(events) >= 0 and (not definition.proportion or events <= item["denominator"])

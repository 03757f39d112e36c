"""Only the icons of many series: what each does now and whether it reaches its target, without its points."""

from collections.abc import Sequence
from typing import NamedTuple

from services.measures.rules.spc.answers import STANDARD, TRIAL_POINTS, Columns, assurance_of, variation_of
from services.measures.rules.spc.blocks import judge
from services.measures.rules.spc.nhs_rules import Assurance
from services.measures.rules.spc.packing import pack
from services.measures.rules.spc.series import Ruleset, Series
from services.measures.rules.spc.verdicts import RULES, Rule, Variation


class Icons(NamedTuple):
    """The two icons of a series, the rule its last point breaks, and its present centre and limits.

    `trial`: the segment of the last point is too short for its limits to stand (or it has none).
    """

    variation: Variation
    assurance: Assurance | None
    rule: Rule | None
    trial: bool
    centre: float | None
    lower: float | None
    upper: float | None


def icons(series: Sequence[Series], *, ruleset: Ruleset = STANDARD) -> list[Icons]:
    """The icons of every series, in the order given; the last point of each should have a value.

    Raises `InvalidSeries`, which names the place, for the first series that cannot be charted.
    """
    columns = Columns.of(judge(pack(series), ruleset))
    return [_icons(number, each, columns) for number, each in enumerate(series)]


def _icons(number: int, series: Series, columns: Columns) -> Icons:
    rows, _ = columns.span(number)
    if not rows:
        return Icons("common_cause", None, None, True, None, None, None)
    row, last = rows[-1], columns.ends[number] - 1
    lower, upper = columns.lines[0][row], columns.lines[1][row]
    if columns.varying is not None and lower is None and upper is None:
        lower, upper = columns.varying[0][last], columns.varying[1][last]
    return Icons(
        variation_of(series, columns, rows),
        assurance_of(series, columns, rows),
        RULES[columns.verdicts[last] // 3],
        columns.length[row] <= TRIAL_POINTS or not columns.limited[row],
        columns.centre[row],
        lower,
        upper,
    )

"""What a cell of a series is: a figure, or which of the many reasons why there is none; and how cells join.

A cell is one measure, organisation, period and stratum. `decide` reads a table from the top; the first row that applies
gives the status. `Tally` is what an aggregate (ICB, region, footprint, England) is made of: the sums over what was
submitted, and how much of what was expected that is. Joining tallies is commutative and associative, with `NOTHING` as
its identity, so an aggregate never depends on the order of its members.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Literal, get_args

import msgspec

Status = Literal[
    "value",
    "zero",
    "suppressed",
    "rounded",
    "not_submitted",
    "nil_return",
    "late",
    "awaiting_denominator",
    "low_quality",
    "not_applicable",
    "quarantined",
]

ReturnState = Literal["received", "nil", "awaited", "late", "missing", "quarantined", "not_expected"]
"""How the organisation's return for the period stands.

`awaited`: nothing yet, and not yet due; `late`: nothing yet though it is due; `missing`: nothing, and closed to more.
"""

STATUSES: frozenset[str] = frozenset(get_args(Status))
SHOWN: frozenset[Status] = frozenset({"value", "zero", "rounded"})
"""The statuses that come with a value."""


class Cell(msgspec.Struct, frozen=True, gc=False):
    """What is known of one cell, before disclosure control.

    `ratio` says whether the measure has a denominator; `passed` whether the return passed the measure's quality gates.
    """

    state: ReturnState
    numerator: float | None = None
    denominator: float | None = None
    ratio: bool = True
    passed: bool = True
    minimum_denominator: float = 0


RULES: tuple[tuple[Status, Callable[[Cell], bool]], ...] = (
    ("not_applicable", lambda cell: cell.state == "not_expected"),
    ("quarantined", lambda cell: cell.state == "quarantined"),
    ("late", lambda cell: cell.state == "late"),
    ("not_submitted", lambda cell: cell.state in {"awaited", "missing"}),
    ("nil_return", lambda cell: cell.state == "nil"),
    ("not_submitted", lambda cell: cell.numerator is None),
    ("awaiting_denominator", lambda cell: cell.ratio and cell.denominator is None),
    ("not_applicable", lambda cell: cell.ratio and cell.denominator == 0),
    ("low_quality", lambda cell: not cell.passed),
    ("low_quality", lambda cell: cell.ratio and (cell.denominator or 0) < cell.minimum_denominator),
    ("zero", lambda cell: cell.numerator == 0),
    ("value", lambda cell: True),
)
"""The first that applies is a cell's status. Disclosure control may turn `value` into `rounded` or `suppressed`."""

_PRECEDENCE: tuple[Status, ...] = ("quarantined", "late", "not_submitted", "awaiting_denominator", "low_quality")
"""Why an aggregate of which nothing counts has no figure: the first of these that any member has."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over the cells that count, how many of the expected cells were submitted, and what the others are.

    `numerator` and `denominator` are None where no cell has one. Sums of whole numbers are exact in any order; sums of
    fractions to within rounding.
    """

    numerator: float | None = None
    denominator: float | None = None
    submitted: int = 0
    expected: int = 0
    statuses: frozenset[Status] = frozenset()

    @property
    def completeness(self) -> float | None:
        """Submitted over expected cells, 0 to 1; None where none were expected."""
        return self.submitted / self.expected if self.expected else None

    def value(self, multiplier: float = 1, *, ratio: bool = True) -> float | None:
        """The ratio of the sums, times the multiplier; the sum of counts where the measure has no denominator."""
        if self.numerator is None:
            return None
        if not ratio:
            return self.numerator
        return self.numerator / self.denominator * multiplier if self.denominator else None


NOTHING = Tally()


def decide(cell: Cell) -> Status:
    """The status of a cell before disclosure control."""
    return next(status for status, applies in RULES if applies(cell))


def tally(cell: Cell) -> Tally:
    """What one cell brings to an aggregate.

    A nil return was submitted and adds nothing. A return that failed a quality gate was submitted and is left out of
    the sums; one with a denominator that is merely small counts in full. A numerator without its denominator waits.
    """
    status = decide(cell)
    expected = 0 if cell.state == "not_expected" else 1
    if status == "nil_return":
        return Tally(0, 0 if cell.ratio else None, 1, expected, frozenset({status}))
    if cell.state != "received" or status in {"not_submitted", "awaiting_denominator"}:
        return Tally(expected=expected, statuses=frozenset({status}))
    if not cell.passed:
        return Tally(submitted=1, expected=expected, statuses=frozenset({status}))
    return Tally(cell.numerator, cell.denominator if cell.ratio else None, 1, expected, frozenset({status}))


def join(left: Tally, right: Tally) -> Tally:
    """Two tallies of different cells as one. Commutative and associative."""
    return Tally(
        _sum(left.numerator, right.numerator),
        _sum(left.denominator, right.denominator),
        left.submitted + right.submitted,
        left.expected + right.expected,
        left.statuses | right.statuses,
    )


def joined(tallies: Iterable[Tally]) -> Tally:
    """All tallies as one; `NOTHING` where there are none."""
    return reduce(join, tallies, NOTHING)


def status_of(whole: Tally, *, ratio: bool = True, minimum_denominator: float = 0) -> Status:
    """The status of an aggregate before disclosure control: that of the sums, or why there are none."""
    if whole.numerator is None:
        return next((status for status in _PRECEDENCE if status in whole.statuses), "not_applicable")
    if not (whole.numerator or whole.denominator) and "nil_return" in whole.statuses and "zero" not in whole.statuses:
        return "nil_return"
    sums = Cell("received", whole.numerator, whole.denominator, ratio=ratio, minimum_denominator=minimum_denominator)
    return decide(sums)


def _sum(left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return right if left is None else left
    return left + right

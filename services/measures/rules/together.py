"""The figures of an organisation that is made of others: ratios of sums over what was submitted, never averages.

Who is missing is counted, a member whose return fails a quality gate is left out, and for a proportion the least and
the most that the missing could make of it is worked out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from services.measures.rules.definitions import Definition
from services.measures.rules.series import Figure
from services.measures.rules.statuses import Cell, ReturnState, Tally, joined, status_of, tally
from services.measures.rules.strata import WHOLE

MOST_VERSIONS = 200


class Part(Protocol):
    """What a member sent for a period: its strata, the whole first where it was sent, with the halves of each."""

    @property
    def organisation(self) -> str:
        """Whose it is."""

    @property
    def strata(self) -> Sequence[str]:
        """Their names, the whole (`""`) first where there is one."""

    @property
    def numerator(self) -> Sequence[float | None]:
        """One for each stratum."""

    @property
    def denominator(self) -> Sequence[float | None]:
        """One for each stratum."""

    @property
    def kind(self) -> str:
        """`rows`, `counted` or `nil`."""

    @property
    def provisional(self) -> bool:
        """Whether it may still change."""

    @property
    def versions(self) -> Sequence[str]:
        """The return versions behind it."""

    @property
    def failed(self) -> Sequence[str]:
        """The quality gates it fails."""


def together(
    parts: Sequence[Part],
    definition: Definition,
    *,
    period: str,
    expected: Collection[str],
    absent: ReturnState,
    sizes: Mapping[str, float],
) -> list[Figure]:
    """The figures of one period, the whole and its strata. `parts` are of the members that sent anything.

    `expected` are the members that should have sent, `absent` how the return of one that has not stands, `sizes` the
    usual denominator of each member that has one.
    """
    ratio = definition.denominator is not None
    first = {one.organisation: _cell(one, ratio, definition) for one in parts}
    divided = [one for one in parts if tally(first[one.organisation]).numerator is not None]
    in_strata_only = [one.organisation for one in parts if one.strata[0] != WHOLE]
    cells = first | dict.fromkeys(in_strata_only, Cell("received", ratio=ratio))
    silent = [code for code in expected if code not in cells]
    whole = joined(map(tally, [*cells.values(), *(Cell(absent, ratio=ratio) for _ in silent)]))
    counted = [one for one in divided if one.organisation not in in_strata_only]
    lowest, highest = _bounds(whole, [code for code in expected if not _sent(cells.get(code))], sizes, definition)
    figure = Figure(
        period=period,
        numerator=whole.numerator,
        denominator=whole.denominator,
        failed=tuple(f"{one.organisation}: {words}" for one in parts for words in one.failed),
        provisional=any(one.provisional for one in counted),
        completeness=whole.completeness,
        versions=_versions(counted),
        status=status_of(whole, ratio=ratio, minimum_denominator=definition.minimum_denominator),
        lowest=lowest,
        highest=highest,
    )
    return [figure, *_strata(divided, figure, definition)]


def _cell(one: Part, ratio: bool, definition: Definition) -> Cell:
    state: ReturnState = "nil" if one.kind == "nil" else "received"
    passed, minimum = not one.failed, definition.minimum_denominator
    return Cell(state, one.numerator[0], one.denominator[0], ratio, passed, minimum)


def _sent(cell: Cell | None) -> bool:
    return cell is not None and tally(cell).submitted > 0


def _bounds(
    whole: Tally, missing: Sequence[str], sizes: Mapping[str, float], definition: Definition
) -> tuple[float | None, float | None]:
    """The proportion if none, or all, of the cases of missing members were events; each taken for its usual size.

    A member whose size is not known is taken for a typical one.
    """
    if not definition.proportion or not missing or whole.numerator is None or not whole.denominator or not sizes:
        return None, None
    typical = sum(sizes.values()) / len(sizes)
    more = sum(sizes.get(code, typical) for code in missing)
    least = whole.numerator / (whole.denominator + more)
    return least, (whole.numerator + more) / (whole.denominator + more)


def _strata(parts: Iterable[Part], whole: Figure, definition: Definition) -> list[Figure]:
    sums: dict[str, Tally] = defaultdict(Tally)
    ratio = definition.denominator is not None
    for one in parts:
        for stratum, numerator, denominator in zip(one.strata, one.numerator, one.denominator, strict=True):
            if stratum != WHOLE:
                before = sums[stratum]
                sums[stratum] = Tally(_sum(before.numerator, numerator), _sum(before.denominator, denominator))
    return [
        Figure(
            period=whole.period, stratum=stratum, numerator=found.numerator,
            denominator=found.denominator if ratio else None, provisional=whole.provisional,
            completeness=whole.completeness, versions=whole.versions,
        )
        for stratum, found in sums.items()
    ]  # fmt: skip


def _sum(one: float | None, other: float | None) -> float | None:
    return (other if one is None else one) if one is None or other is None else one + other


def _versions(parts: Iterable[Part]) -> tuple[str, ...]:
    """The ids as ingest gives them, without the sequence that tells two stands of one version apart."""
    found: list[str] = []
    for one in parts:
        if len(found) >= MOST_VERSIONS:
            break
        found += (version.partition("#")[0] for version in one.versions)
    return tuple(found[:MOST_VERSIONS])

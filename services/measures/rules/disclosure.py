"""Statistical disclosure control: what of a small number may be shown, by the policy of its data set.

Policies are a table. Sources: NHS Digital, "Disclosure control methodology for HES and ECDS" (2018); NHS England,
Maternity and Neonatal Equalities dashboard (MSDS); the MHSDS restrictive-interventions publication; codonPython 0.2.1.
A hidden figure is None with the status `suppressed`; it is never 0, and it cannot be had back by subtracting the shown
parts of a table from its total: neither at once nor by what roundings leave possible (`settled`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, inf
from typing import Any, Literal

from services.measures.rules.invalid import InvalidRow

Status = Literal["value", "zero", "rounded", "suppressed", "not_applicable"]

WHOLE = ""
"""The stratum that is the total of the others."""

PER_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one data set. A count is small when it is above 0 and below `small_below`."""

    name: str
    small_below: int
    small_shown_as: int | None
    nearest: int
    exact_at: frozenset[str] = frozenset()
    exact: bool = False
    rate_numerator_from: int = 0
    rate_denominator_from: int = 0


POLICIES: dict[str, Policy] = {
    "hes": Policy("hes", small_below=8, small_shown_as=None, nearest=5, exact_at=frozenset({"national"})),
    "msds": Policy(
        "msds",
        small_below=8,
        small_shown_as=5,
        nearest=5,
        rate_numerator_from=8,
    ),
    "mhsds": Policy(
        "mhsds",
        small_below=5,
        small_shown_as=None,
        nearest=5,
        rate_numerator_from=5,
        rate_denominator_from=100,
    ),
    "small-numbers": Policy("small-numbers", small_below=8, small_shown_as=None, nearest=5, rate_numerator_from=8),
    "none": Policy("none", small_below=0, small_shown_as=None, nearest=1, exact=True),
}
"""Each policy: small counts hidden or shown as one figure, the rest rounded.

`exact` policies have no control at all, for figures that are nobody's (returns in time); `exact_at` names the levels
(kinds of organisation) that have none. A rate per 1,000 is hidden where a numerator above 0, or the denominator, is
less than the policy asks. The dashboard of MSDS prints some rates per 1,000 of unrounded counts; here they are of
rounded ones too, because an exact rate gives the exact count away, and that a small one beside it.
"""

STRICTEST = Policy(
    "strictest",
    small_below=8,
    small_shown_as=None,
    nearest=5,
    rate_numerator_from=8,
    rate_denominator_from=100,
)
"""What holds where a measure names no policy, or one that does not exist."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A count or ratio as it may be shown: None and `suppressed` where it may not.

    A ratio with a denominator of 0 has no value and is `not_applicable`.
    """

    numerator: float | None
    denominator: float | None
    value: float | None
    status: Status


@dataclass(frozen=True, slots=True)
class Exact:
    """A count, or a ratio of two counts, before control."""

    numerator: float
    denominator: float | None = None


def policy(name: str | None) -> Policy:
    """The policy of that name; the strictest for a name that is not known."""
    return POLICIES.get(name or "", STRICTEST)


def shown_count(count: float, rules: Policy) -> float | None:
    """A count as it may be shown: 0 as it is, a small one hidden (None) or as the policy's figure, others rounded.

    What is below zero counts nobody, so that no rule says what of it may be shown: it is hidden.
    """
    if count == 0:
        return 0
    if count < 0:
        return None
    if count < rules.small_below:
        return rules.small_shown_as
    return nearest(count, rules.nearest)


def nearest(count: float, step: int) -> int:
    """The nearest multiple of `step`, the upper one where two are equally near."""
    return step * floor(count / step + 0.5)


def disclosed(exact: Exact, rules: Policy, *, level: str, multiplier: float = 1) -> Figure:
    """One figure as it may be shown at this level (kind of organisation).

    Ratios are of the rounded counts; rates per 1,000 are shown only where the policy says. `multiplier` scales the
    value of a ratio.
    """
    if rules.exact or level in rules.exact_at:
        value = _ratio(exact, multiplier)
        return Figure(exact.numerator, exact.denominator, value, _status(exact, value, "value"))
    numerator = shown_count(exact.numerator, rules)
    denominator = None if exact.denominator is None else shown_count(exact.denominator, rules)
    if exact.denominator is None:
        return Figure(numerator, None, numerator, _status(exact, numerator, "rounded"))
    if numerator is None or denominator is None:
        return Figure(numerator, denominator, None, "suppressed")
    if multiplier == PER_THOUSAND and _too_rare(exact, rules):
        return Figure(numerator, denominator, None, "suppressed")
    value = _ratio(Exact(numerator, denominator), multiplier)
    return Figure(numerator, denominator, value, _status(exact, value, "rounded"))


def disclosed_table(
    cells: Mapping[str, Exact], rules: Policy, *, level: str, multiplier: float = 1
) -> dict[str, Figure]:
    """A table of strata and their total (the stratum `""`), each as it may be shown.

    Where hiding leaves one stratum alone that the total would give away, the smallest other is hidden too, and so on
    until no small count is settled by what is shown. Numerators and denominators each count as a table, and so do the
    strata of each name (`imd_quintile=...`).
    """
    figures = {name: disclosed(cell, rules, level=level, multiplier=multiplier) for name, cell in cells.items()}
    if rules.exact or level in rules.exact_at or WHOLE not in cells:
        return figures
    for dimension in {name.partition("=")[0] for name in cells if name != WHOLE}:
        table = [name for name in cells if name == WHOLE or name.partition("=")[0] == dimension]
        for column in ("numerator", "denominator"):
            exact = {name: count for name in table if (count := getattr(cells[name], column)) is not None}
            hidden = {name for name in exact if getattr(figures[name], column) is None}
            for name in to_hide(exact, hidden, rules):
                figures[name] = without(figures[name], column)
    return figures


def to_hide(counts: Mapping[str, float], hidden: set[str], rules: Policy) -> set[str]:
    """The strata to hide besides `hidden` (`counts` has the total under `""`), so that no small one is settled.

    The smallest shown one goes first; a small one that the policy shows as one figure goes when nothing else is left.
    """
    more = complementary(counts, hidden)
    if WHOLE not in counts or WHOLE in more or WHOLE in hidden:
        return more
    left = sorted(
        (name for name, count in counts.items() if count > 0 and name not in {WHOLE, *hidden, *more}),
        key=lambda name: (counts[name] < rules.small_below, counts[name], name),
    )
    while left and settled(span(counts[WHOLE], rules), _parts(counts, more, rules), rules):
        more.add(left.pop(0))
    return more


@dataclass(frozen=True, slots=True)
class Spread:
    """What a reader knows of the parts of a total: how many are small, and between what bounds all lie together."""

    small: int = 0
    low: float = 0
    high: float = 0

    def plus(self, count: float, rules: Policy) -> "Spread":
        """With one more part."""
        low, high = span(count, rules)
        return Spread(self.small + (0 < count < rules.small_below), self.low + low, self.high + high)


def span(count: float, rules: Policy) -> tuple[float, float]:
    """Between what bounds a reader who knows the policy knows a count to lie once it has been shown."""
    if count == 0:
        return 0, 0
    if count < rules.small_below:
        return 1, rules.small_below - 1
    shown, half = nearest(count, rules.nearest), rules.nearest // 2
    return max(rules.small_below, shown - half), shown + half


def settled(total: tuple[float, float], parts: Spread, rules: Policy) -> bool:
    """Whether the bounds of a total and of its parts leave a small part only one count that it can be."""
    most = rules.small_below - 1
    lowest = max(1, total[0] - (parts.high - most))
    highest = min(most, total[1] - (parts.low - 1))
    return parts.small > 0 and lowest >= highest


def _parts(counts: Mapping[str, float], unknown: Iterable[str], rules: Policy) -> Spread:
    found, hidden = Spread(), set(unknown)
    for name, count in counts.items():
        if name in hidden:
            found = Spread(found.small, found.low, inf)
        elif name != WHOLE:
            found = found.plus(count, rules)
    return found


def complementary(counts: Mapping[str, float], hidden: Iterable[str]) -> set[str]:
    """The strata to hide besides `hidden`, so that none of those is the total less the others.

    `counts` has the total under `""`. The smallest stratum above 0 goes with a lone hidden one; where there is none, or
    where what is hidden is still small together, the total goes.
    """
    gone = set(hidden)
    strata = {name for name in counts if name != WHOLE}
    if WHOLE not in counts or WHOLE in gone or len(gone & strata) != 1:
        return set()
    others = sorted((name for name in strata - gone if counts[name] > 0), key=lambda name: (counts[name], name))
    return {others[0]} if others else {WHOLE}


def as_table(
    items: Sequence[Mapping[str, Any]],
    rules: Policy,
    *,
    level: str,
    multiplier: float,
    ratio: bool,
    hidden: Mapping[str, Collection[str]] | None = None,
) -> list[dict[str, Any]]:
    """Items of a series that are the strata of one period, as they may be shown: without intervals, in their order.

    `ratio` says whether the measure has a denominator; `hidden` which strata may not be shown beside the members (or
    periods) whose sum they are, by column.
    """
    exact = {
        item["stratum"]: Exact(item["numerator"], item["denominator"])
        for item in items
        if item["numerator"] is not None and (not ratio or item["denominator"] is not None)
    }
    figures = disclosed_table(exact, rules, level=level, multiplier=multiplier)
    for column, strata in (hidden or {}).items():
        for stratum in strata:
            if stratum in figures:
                figures[stratum] = without(figures[stratum], column)
    return [_as_shown(item, figures.get(item["stratum"])) for item in items]


def _as_shown(item: Mapping[str, Any], figure: Figure | None) -> dict[str, Any]:
    told = {**item, "numerator": None, "denominator": None, "value": None, "lower_95": None, "upper_95": None}
    told |= {"lowest": None, "highest": None, "failed": []}
    if figure is None:
        return told
    told |= {"numerator": figure.numerator, "denominator": figure.denominator}
    if item["status"] not in ("value", "zero"):
        return told
    return told | {"value": figure.value, "status": figure.status}


def suppress_value(value: int, *, replacement: str = "*", upper: int = 100_000_000) -> str:
    """A count as NHS Digital's codonPython prints it: "0", `replacement` for 1 to 7, else to the nearest 5.

    Raises `InvalidRow` for anything but a whole number from 0 to `upper`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRow(None, "value", "must be a whole number")
    if not 0 <= value <= upper:
        raise InvalidRow(None, "value", f"must be from 0 to {upper}")
    shown = shown_count(value, POLICIES["hes"])
    return replacement if shown is None else str(int(shown))


def suppress_values(values: Sequence[int], *, replacement: str = "*", upper: int = 100_000_000) -> list[str]:
    """`suppress_value` of each; the `InvalidRow` names the position."""
    printed = []
    for index, value in enumerate(values):
        try:
            printed.append(suppress_value(value, replacement=replacement, upper=upper))
        except InvalidRow as wrong:
            raise InvalidRow(index, wrong.field, wrong.message) from None
    return printed


def without(figure: Figure, column: str) -> Figure:
    """The figure with its numerator or its denominator hidden, and so without a value."""
    numerator = None if column == "numerator" else figure.numerator
    denominator = None if column == "denominator" else figure.denominator
    return Figure(numerator, denominator, None, "suppressed")


def _too_rare(exact: Exact, rules: Policy) -> bool:
    """Whether a rate per 1,000 rests on too little; a rate of no events at all says nothing of anybody."""
    return exact.numerator > 0 and (
        exact.numerator < rules.rate_numerator_from or (exact.denominator or 0) < rules.rate_denominator_from
    )


def _ratio(counts: Exact, multiplier: float) -> float | None:
    if counts.denominator is None:
        return counts.numerator
    return counts.numerator / counts.denominator * multiplier if counts.denominator else None


def _status(exact: Exact, shown: float | None, otherwise: Status) -> Status:
    if exact.denominator == 0:
        return "not_applicable"
    if shown is None:
        return "suppressed"
    return "zero" if exact.numerator == 0 else otherwise

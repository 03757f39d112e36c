"""Funnel plots: which organisations differ from the rest by more than chance, with overdispersion between them.

The statistics of FunnelPlotR 0.6.0 (Spiegelhalter 2005 and 2012; NHS England's SHMI and the CQC's methods): z-scores
on a transformed scale, trimmed, give the dispersion ratio phi and the variance between organisations tau2
(DerSimonian-Laird), which widens the limits. Unadjusted limits of standardised ratios are exact Poisson.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from services.measures.rules.intervals import shown
from services.measures.rules.invalid import InvalidRow, counts, finite, positive

FloatArray = NDArray[np.float64]
Kind = Literal["standardised_ratio", "proportion", "ratio_of_counts"]
Method = Literal["shmi", "cqc"]

DEVIATES = {"95": 1.959964, "998": 3.090232}
"""Standard normal deviates of the 95% and 99.8% limits, rounded as the source writes them."""

TAILS = {"95": 0.025, "998": 0.001}
GRID = 1000


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """One organisation on the funnel. Limits are scaled by the multiplier; `ratio` is not; z is before trimming."""

    group: str
    numerator: float
    denominator: float
    ratio: float
    z: float | None
    lower_95: float | None
    upper_95: float | None
    lower_998: float | None
    upper_998: float | None
    outlier: bool


@dataclass(frozen=True, slots=True)
class Funnel:
    """A funnel: its target (unscaled), dispersion, whether the limits are adjusted for it, and rows sorted by group."""

    target: float
    phi: float | None
    tau2: float | None
    adjusted: bool
    rows: tuple[FunnelRow, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Transformed ratios, their standard errors, z-scores, and z-scores after trimming (NaN where left out)."""

    y: FloatArray
    s: FloatArray
    z: FloatArray
    trimmed: FloatArray


@dataclass(frozen=True, slots=True)
class Family:
    """How one kind of ratio is transformed and back, how far it strays by chance, and how its z-scores are trimmed."""

    first_denominator: float
    transform: Callable[[FloatArray, FloatArray], FloatArray]
    spread: Callable[[FloatArray, FloatArray], FloatArray]
    centre: Callable[[float], float]
    back: Callable[[FloatArray], FloatArray]
    limit_variance: Callable[[FloatArray], FloatArray]
    trim: Callable[[FloatArray, float], FloatArray]


def winsorised(z: FloatArray, trim: float) -> FloatArray:
    """Scores drawn in to the `trim` and `1 - trim` quantiles."""
    low, high = np.quantile(z, [trim, 1 - trim])
    return np.clip(z, low, high)


def truncated(z: FloatArray, trim: float) -> FloatArray:
    """Scores with the lowest and highest `trim` share left out (NaN), by average rank."""
    _, place, times = np.unique(z, return_inverse=True, return_counts=True)
    last = np.cumsum(times)
    rank = (last - (times - 1) / 2)[place]
    share = 1 / trim
    slice_ = np.floor(rank * share / (len(z) + 1))
    return np.where((slice_ > 0) & (slice_ < share - 1), z, np.nan)


def _quarter(n: FloatArray) -> FloatArray:
    return 1 / (4 * n)


FAMILIES: dict[tuple[Kind, Method | None], Family] = {
    ("standardised_ratio", "shmi"): Family(
        1.1,
        lambda x, n: np.log(x / n),
        lambda _, n: 1 / np.sqrt(n),
        lambda _: 0.0,
        np.exp,
        lambda n: 1 / n,
        truncated,
    ),
    ("standardised_ratio", "cqc"): Family(
        1.1,
        lambda x, n: np.sqrt(x / n),
        lambda _, n: 1 / (2 * np.sqrt(n)),
        lambda _: 1.0,
        lambda y: y,
        _quarter,
        winsorised,
    ),
    ("proportion", None): Family(
        3,
        lambda x, n: np.arcsin(np.sqrt(x / n)),
        lambda _, n: 1 / (2 * np.sqrt(n)),
        lambda target: float(np.arcsin(np.sqrt(target))),
        lambda y: np.sin(y) ** 2,
        _quarter,
        winsorised,
    ),
    ("ratio_of_counts", None): Family(
        3,
        lambda x, n: np.log((x + 0.5) / (n + 0.5)),
        lambda x, n: np.sqrt(x / (x + 0.5) ** 2 + n / (n + 0.5) ** 2),
        lambda target: float(np.log(target)),
        np.exp,
        _quarter,
        winsorised,
    ),
}
"""The families of FunnelPlotR: SR with SHMI or CQC, PR and RC."""


def family(kind: Kind, method: Method) -> Family:
    """The family of a kind; `method` matters only to standardised ratios. Raises `InvalidRow`."""
    if kind not in {kind for kind, _ in FAMILIES}:
        raise InvalidRow(None, "kind", "must be standardised_ratio, proportion or ratio_of_counts")
    if method not in {"shmi", "cqc"}:
        raise InvalidRow(None, "method", "must be shmi or cqc")
    return FAMILIES[kind, method if kind == "standardised_ratio" else None]


def two_decimals(value: float) -> float:
    """`value` to two decimals: the nearer of the two candidates, the even one where they are equally near."""
    hundreds = value * 100
    floor = np.floor(hundreds)
    below, above = floor / 100, np.ceil(hundreds) / 100
    nearer_below = value - below < above - value or (value - below == above - value and floor % 2 == 0)
    return float(below if nearer_below else above)


def grouped(rows: Sequence[Mapping[str, object]], kind: Kind) -> dict[str, tuple[float, float]]:
    """Numerators and denominators summed by group, sorted by group as text. Raises `InvalidRow`."""
    if not rows:
        raise InvalidRow(None, "rows", "must have at least one row")
    parts: dict[str, list[tuple[float, float]]] = {}
    for index, row in enumerate(rows):
        group = row.get("group")
        if group is None or str(group) == "":
            raise InvalidRow(index, "group", "must be given")
        if any("\ud800" <= letter <= "\udfff" for letter in str(group)):
            raise InvalidRow(index, "group", "must be text: half of a surrogate pair is no letter")
        parts.setdefault(str(group), []).append(counts(row, index, within=kind == "proportion"))
    if all(x == n for pairs in parts.values() for x, n in pairs):
        raise InvalidRow(0, "denominator", "is the numerator in every row")
    return {group: (fsum(x for x, _ in parts[group]), fsum(n for _, n in parts[group])) for group in sorted(parts)}


def scores(numerator: FloatArray, denominator: FloatArray, target: float, fam: Family, trim: float) -> Scores:
    """Transformed ratios and z-scores of the groups."""
    with np.errstate(divide="ignore", invalid="ignore"):
        y = fam.transform(numerator, denominator)
        s = fam.spread(numerator, denominator)
        z = (y - fam.centre(target)) / s
    with np.errstate(invalid="ignore"):
        return Scores(y, s, z, fam.trim(z, trim))


def dispersion(scored: Scores) -> tuple[float, float]:
    """(phi, tau2): the dispersion ratio and the variance between groups on the transformed scale."""
    kept = ~np.isnan(scored.trimmed)
    size = int(kept.sum())
    if size == 0:
        return 0.0, 0.0
    phi = float(np.sum(scored.trimmed[kept] ** 2) / size)
    weight = 1 / scored.s[kept] ** 2
    room = float(weight.sum() - (weight**2).sum() / weight.sum())
    if size == 1 or size * phi < size - 1 or room <= 0:  # of one group alone the room is a rounding error
        return phi, 0.0
    return phi, max(0.0, (size * phi - (size - 1)) / room)


def limits_at(
    denominators: FloatArray, *, kind: Kind, fam: Family, target: float, tau2: float | None
) -> dict[str, FloatArray]:
    """Unscaled limits at sorted denominators: `lower_95`, `upper_95`, `lower_998`, `upper_998`.

    `tau2` None asks for unadjusted limits, exact Poisson for standardised ratios.
    """
    bounds: dict[str, FloatArray] = {}
    exact_poisson = tau2 is None and kind == "standardised_ratio"
    for name in DEVIATES:
        if exact_poisson:
            lower, upper = _poisson_limits(denominators, TAILS[name])
        else:
            half = DEVIATES[name] * np.sqrt(fam.limit_variance(denominators) + (tau2 or 0.0))
            lower, upper = fam.back(fam.centre(target) - half), fam.back(fam.centre(target) + half)
        if kind == "proportion":
            lower, upper = _monotone(lower, upper)
        bounds[f"lower_{name}"], bounds[f"upper_{name}"] = lower, upper
    return bounds


def _poisson_limits(expected: FloatArray, tail: float) -> tuple[FloatArray, FloatArray]:
    lower = special.gammaincinv(expected, tail) / expected
    upper = special.gammainccinv(expected + 1, tail) / expected
    return np.asarray(lower, np.float64), np.asarray(upper, np.float64)


def _monotone(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The arcsine turns back at small denominators: a limit that narrows the wrong way becomes 0 or 1."""
    low, high = lower.copy(), upper.copy()
    low[:-1][lower[:-1] > lower[1:]] = 0.0
    high[:-1][upper[:-1] < upper[1:]] = 1.0
    return low, high


def lookup(denominators: FloatArray, fam: Family) -> FloatArray:
    """The denominators the curve is drawn at: 1,000 even steps to the largest, and those of the groups."""
    largest = float(np.ceil(denominators.max()))
    return np.unique(np.concatenate([np.linspace(fam.first_denominator, largest, GRID), denominators]))


def limits_curve(
    denominators: Sequence[float],
    *,
    kind: Kind,
    method: Method = "shmi",
    target: float,
    tau2: float | None,
    multiplier: float = 1,
) -> dict[str, FloatArray]:
    """The funnel's lines: columns `denominator`, `lower_95`, `upper_95`, `lower_998`, `upper_998`, scaled.

    `tau2` None draws unadjusted limits. About 1,000 rows, in order of denominator.
    """
    fam = family(kind, method)
    grid = lookup(np.asarray(denominators, np.float64), fam)
    bounds = limits_at(grid, kind=kind, fam=fam, target=target, tau2=tau2)
    return {"denominator": grid, **{name: bound * multiplier for name, bound in bounds.items()}}


def funnel(
    rows: Sequence[Mapping[str, object]],
    *,
    kind: Kind,
    method: Method = "shmi",
    adjust: bool = True,
    always_adjust: bool = False,
    trim: float = 0.1,
    multiplier: float = 1,
    limit: float = 99.8,
    round_expected: bool = True,
) -> Funnel:
    """The funnel of `{"group", "numerator", "denominator"}` rows (expected events, for a standardised ratio).

    Rows of one group are summed. `adjust` widens the limits for overdispersion where there is any (phi above 1), or
    anyway with `always_adjust`; without it phi and tau2 are 0. `trim` is the share trimmed at each end, `limit` the
    limits (95 or 99.8) that make an outlier; on a limit is inside. `round_expected` rounds SHMI's expected deaths to
    two decimals, as published. Raises `InvalidRow`.
    """
    fam, trim = family(kind, method), finite(trim, None, "trim")
    if not 0 < trim < 0.5:
        raise InvalidRow(None, "trim", "must be above 0 and below 0.5")
    if limit not in {95, 99.8}:
        raise InvalidRow(None, "limit", "must be 95 or 99.8")
    scale = positive(multiplier, None, "multiplier")
    sums = grouped(rows, kind)
    x, n = (np.array(column, np.float64) for column in zip(*sums.values(), strict=True))
    if round_expected and (kind, method) == ("standardised_ratio", "shmi"):
        n = _rounded(n)
    target = 1.0 if kind == "standardised_ratio" else fsum(x) / fsum(n)
    if kind == "ratio_of_counts" and target == 0:
        raise InvalidRow(None, "rows", "have no events at all, so there is no ratio to compare with")
    scored = scores(x, n, target, fam, trim)
    phi, tau2 = dispersion(scored) if adjust else (0.0, 0.0)
    adjusted = adjust and (always_adjust or phi > 1)
    curve = limits_curve(
        n.tolist(), kind=kind, method=method, target=target, tau2=tau2 if adjusted else None, multiplier=scale
    )
    placed = _rows(list(sums), x, n, scored.z, curve, scale, "95" if limit == 95 else "998")
    return Funnel(target, shown(phi), shown(tau2), adjusted, placed)


def _rounded(expected: FloatArray) -> FloatArray:
    rounded = np.array([two_decimals(value) for value in expected])
    if (rounded <= 0).any():
        raise InvalidRow(None, "rows", "have a group of fewer than 0.01 expected events")
    return rounded


def _rows(
    groups: list[str],
    x: FloatArray,
    n: FloatArray,
    z: FloatArray,
    curve: dict[str, FloatArray],
    multiplier: float,
    limit: str,
) -> tuple[FunnelRow, ...]:
    at = np.searchsorted(curve["denominator"], n)
    bounds = {name: bound[at] for name, bound in curve.items() if name != "denominator"}
    ratio = x / n
    lower, upper = bounds[f"lower_{limit}"], bounds[f"upper_{limit}"]
    outside = (ratio * multiplier > upper) | (ratio * multiplier < lower)
    return tuple(
        FunnelRow(
            group=group,
            numerator=float(x[place]),
            denominator=float(n[place]),
            ratio=float(ratio[place]),
            z=shown(float(z[place])),
            outlier=bool(outside[place]),
            **{name: shown(float(bound[place])) for name, bound in bounds.items()},
        )
        for place, group in enumerate(groups)
    )

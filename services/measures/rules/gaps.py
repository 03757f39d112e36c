"""Inequalities of a measure between strata: a rate with its interval for each, the gap between them, SII and RII."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.measures.rules.definitions import Definition
from services.measures.rules.inequality import ValueType, inequality
from services.measures.rules.invalid import InvalidRow
from services.measures.rules.strata import UNKNOWN

QUANTILES = {"imd_quintile": ("1", "2", "3", "4", "5")}
"""Strata that are ordered quantiles of deprivation, 1 the most deprived."""


def gaps(items: Sequence[Mapping[str, Any]], definition: Definition, by: str) -> dict[str, Any]:
    """What the rates of the strata of one name say together. `items` are those of `rules.series` (one period).

    `gap` and `ratio` compare the most with the least deprived quantile, or the highest with the lowest rate where the
    strata are not quantiles. `unknown_share` is the share of the denominator (of the events, for plain counts) whose
    stratum is not known. SII and RII need all five quintiles.
    """
    rows = {item["stratum"].removeprefix(f"{by}="): item for item in items if item["stratum"].startswith(f"{by}=")}
    known = {name: one for name, one in rows.items() if name != UNKNOWN and one["value"] is not None}
    first, last = _ends(known, by)
    return {
        "compared": None if first is None or last is None else [f"{by}={first}", f"{by}={last}"],
        "gap": _gap(known, first, last),
        "ratio": _ratio(known, first, last),
        "unknown_share": _unknown(rows, definition),
        **_indices(known, definition, by),
    }


def _ends(known: Mapping[str, Mapping[str, Any]], by: str) -> tuple[str | None, str | None]:
    if by in QUANTILES:
        ends = QUANTILES[by][0], QUANTILES[by][-1]
        return ends if all(end in known for end in ends) else (None, None)
    if len(known) < 2:
        return None, None
    ordered = sorted(known, key=lambda name: (known[name]["value"], name))
    return ordered[-1], ordered[0]


def _gap(known: Mapping[str, Mapping[str, Any]], first: str | None, last: str | None) -> float | None:
    return None if first is None or last is None else known[first]["value"] - known[last]["value"]


def _ratio(known: Mapping[str, Mapping[str, Any]], first: str | None, last: str | None) -> float | None:
    if first is None or last is None or not known[last]["value"]:
        return None
    return float(known[first]["value"] / known[last]["value"])


def _unknown(rows: Mapping[str, Mapping[str, Any]], definition: Definition) -> float | None:
    half = "numerator" if definition.denominator is None else "denominator"
    sizes = {name: one[half] for name, one in rows.items()}
    if not sizes or any(size is None for size in sizes.values()) or not sum(sizes.values()):
        return None
    return float(sizes.get(UNKNOWN, 0.0) / sum(sizes.values()))


_NONE = {"sii": None, "sii_lower_95": None, "sii_upper_95": None, "rii": None, "rii_lower_95": None,
         "rii_upper_95": None}  # fmt: skip


def _indices(known: Mapping[str, Mapping[str, Any]], definition: Definition, by: str) -> dict[str, Any]:
    """The slope and relative indices, in the measure's unit; with the reason where there are none."""
    if by not in QUANTILES or definition.denominator is None:
        return {**_NONE, "notices": ["SII and RII are of ratios by quantile of deprivation."]}
    if set(known) != set(QUANTILES[by]):
        return {**_NONE, "notices": ["SII and RII need a figure for every quintile."]}
    scale = definition.multiplier if definition.proportion else 1.0
    rows = [
        {"quantile": int(name), "population": one["denominator"], "value": one["value"] / scale,
         "lower": _over(one["lower_95"], scale), "upper": _over(one["upper_95"], scale)}
        for name, one in sorted(known.items())
    ]  # fmt: skip
    kind: ValueType = "proportion" if definition.proportion else "rate"
    try:
        found = inequality(rows, value_type=kind, multiplier=scale)
    except InvalidRow as reason:
        return {**_NONE, "notices": [f"No SII and RII: the {reason}."]}
    figures = (found.sii, found.sii_lower, found.sii_upper, found.rii, found.rii_lower, found.rii_upper)
    return {**dict(zip(_NONE, figures, strict=True)), "notices": list(found.notices)}


def _over(bound: float | None, scale: float) -> float | None:
    return None if bound is None else bound / scale

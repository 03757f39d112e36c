"""Cumulative charts of outcomes one by one: VLAD, risk-adjusted CUSUM, expected-minus-observed CUSUM, Bernoulli CUSUM.

Sources: vlad 0.2.2 (Steiner et al. 2000; Lovegrove et al. 1997) and, for the Bernoulli CUSUM, qicharts2 0.8.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log

from services.measures.rules.invalid import InvalidRow, finite, positive, same_length, share


@dataclass(frozen=True, slots=True)
class Cusum:
    """One entry per case: expected minus observed so far, the two CUSUMs (never negative) and where they signal."""

    vlad: list[float]
    cusum_up: list[float]
    cusum_down: list[float]
    signal_up: list[bool]
    signal_down: list[bool]


@dataclass(frozen=True, slots=True)
class ExpectedObserved:
    """One entry per case: `up` (never negative) rises with fewer events than expected, `down` falls with more."""

    up: list[float]
    down: list[float]


@dataclass(frozen=True, slots=True)
class BernoulliCusum:
    """A CUSUM for a constant risk `p0`: `up` watches for risk `p1`, `down` (never positive) for risk `p2`."""

    p0: float
    p1: float
    p2: float
    score_up: list[float]
    score_down: list[float]
    cusum_up: list[float]
    cusum_down: list[float]
    signal_up: list[bool]
    signal_down: list[bool]


def cases(p: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """Expected risks and outcomes, checked: of one length, risks from 0 to 1, outcomes 0 or 1. Raises `InvalidRow`."""
    same_length("p", len(p), "y", len(y))
    return [share(value, index, "p") for index, value in enumerate(p)], outcomes(y, "y")


def outcomes(values: Sequence[float], field: str) -> list[float]:
    """Outcomes of 0 or 1, or `InvalidRow`."""
    for index, value in enumerate(values):
        if finite(value, index, field) not in {0, 1}:
            raise InvalidRow(index, field, "must be 0 or 1")
    return [float(value) for value in values]


def vlad(p: Sequence[float], y: Sequence[float]) -> list[float]:
    """Expected minus observed events up to each case."""
    return list(accumulate(risk - outcome for risk, outcome in zip(p, y, strict=True)))


def log_likelihood_score(risk: float, outcome: float, odds_ratio: float) -> float:
    """Evidence of one case that the odds are `odds_ratio` times the expected ones."""
    return outcome * log(odds_ratio) - log(1 - risk + odds_ratio * risk)


def risk_adjusted_cusum(
    p: Sequence[float],
    y: Sequence[float],
    *,
    odds_ratio_up: float,
    odds_ratio_down: float,
    limit_up: float,
    limit_down: float,
    reset: bool = False,
) -> Cusum:
    """CUSUMs of the log likelihood ratio for odds raised and lowered by the given ratios, and the VLAD.

    A CUSUM signals above its limit. With `reset`, both start again from 0 after either has signalled; the value that
    signalled stays in the answer. Raises `InvalidRow`.
    """
    risks, events = cases(p, y)
    if positive(odds_ratio_up, None, "odds_ratio_up") <= 1:
        raise InvalidRow(None, "odds_ratio_up", "must be above 1")
    if positive(odds_ratio_down, None, "odds_ratio_down") >= 1:
        raise InvalidRow(None, "odds_ratio_down", "must be below 1")
    limits = positive(limit_up, None, "limit_up"), positive(limit_down, None, "limit_down")
    ups: list[float] = []
    downs: list[float] = []
    up = down = 0.0
    for risk, event in zip(risks, events, strict=True):
        if reset and (up > limits[0] or down > limits[1]):
            up = down = 0.0
        up = max(0.0, up + log_likelihood_score(risk, event, odds_ratio_up))
        down = max(0.0, down + log_likelihood_score(risk, event, odds_ratio_down))
        ups.append(up)
        downs.append(down)
    return Cusum(vlad(risks, events), ups, downs, [s > limits[0] for s in ups], [s > limits[1] for s in downs])


def eo_cusum(
    p: Sequence[float],
    y: Sequence[float],
    *,
    slack_up: float,
    slack_down: float,
    limit_up: float | None = None,
    limit_down: float | None = None,
) -> ExpectedObserved:
    """CUSUMs of expected minus observed, each drawn towards 0 by its slack.

    Where both limits are given (both positive), both CUSUMs start again from 0 after either has passed its own.
    Raises `InvalidRow`.
    """
    risks, events = cases(p, y)
    slacks = finite(slack_up, None, "slack_up"), finite(slack_down, None, "slack_down")
    ups: list[float] = []
    downs: list[float] = []
    up = down = 0.0
    for risk, event in zip(risks, events, strict=True):
        if limit_up is not None and limit_down is not None and (up > limit_up or down < -limit_down):
            up = down = 0.0
        up = max(0.0, up + risk - event - slacks[0])
        down = min(0.0, down + risk - event + slacks[1])
        ups.append(up)
        downs.append(down)
    return ExpectedObserved(ups, downs)


def bernoulli_cusum(
    x: Sequence[float], *, odds_ratio: float = 2, limit: float = 3.5, target: float | None = None
) -> BernoulliCusum:
    """The CUSUMs of outcomes with one constant risk, for odds `odds_ratio` times higher and lower.

    `target` is that risk; above 1 it is how many of the first cases give it; None takes all. A CUSUM signals on
    reaching `limit` and starts again from 0 once beyond it. Raises `InvalidRow`.
    """
    events = outcomes(x, "x")
    risk = _constant_risk(events, target)
    ratio, bound = positive(odds_ratio, None, "odds_ratio"), positive(limit, None, "limit")
    raised, lowered = _changed_risk(risk, ratio), _changed_risk(risk, 1 / ratio)
    score_up, score_down = ([_change_score(event, risk, other) for event in events] for other in (raised, lowered))
    ups: list[float] = []
    downs: list[float] = []
    signal_up: list[bool] = []
    signal_down: list[bool] = []
    for gain, loss in zip(score_up, score_down, strict=True):
        up = (ups[-1] if ups else 0.0) + gain
        down = (downs[-1] if downs else 0.0) - loss
        signal_up.append(up >= bound)
        signal_down.append(down <= -bound)
        ups.append(up if 0 < up <= bound else 0.0)
        downs.append(down if -bound <= down < 0 else 0.0)
    return BernoulliCusum(risk, raised, lowered, score_up, score_down, ups, downs, signal_up, signal_down)


def _constant_risk(events: list[float], target: float | None) -> float:
    if target is not None and finite(target, None, "target") <= 1:
        risk = share(target, None, "target")
    else:
        first = events if target is None else events[: int(target)]
        risk = sum(first) / len(first) if first else 0.0
    if not 0 < risk < 1:
        raise InvalidRow(None, "target", "must give a risk above 0 and below 1")
    return risk


def _changed_risk(risk: float, ratio: float) -> float:
    odds = ratio * risk / (1 - risk)
    return odds / (1 + odds)


def _change_score(event: float, risk: float, other: float) -> float:
    return event * log(other / risk) + (1 - event) * log((1 - other) / (1 - risk))

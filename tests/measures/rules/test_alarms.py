"""What chance alone signals, and what a budget of false alarms affords."""

import numpy as np
import pytest

from services.measures.rules.alarms import RATES, afforded
from services.measures.rules.spc import Ruleset, Series, evaluate


def test_the_rates_are_those_of_the_engine_on_stable_charts() -> None:
    """Long charts, so that their limits are all but known; 2,400 of them leave a standard error of a tenth or less."""
    values = np.random.default_rng(7).normal(0, 1, (12, 2_000)).round(6)
    labels = [str(n) for n in range(values.shape[1])]
    series = [Series(id=str(n), chart="xmr", labels=labels, values=row.tolist()) for n, row in enumerate(values)]

    found: list[str | None] = [point.rule for one in evaluate(series, ruleset=Ruleset()) for point in one.points]

    share = {rule: found.count(rule) / len(found) for rule in RATES}
    assert share["outside"] == pytest.approx(RATES["outside"], rel=0.35)
    # The engine marks every point of a pattern, also those before its end: no less than the newest alone.
    for rule in ("trend", "two_of_three", "shift"):
        assert share[rule] > 0.5 * RATES[rule]


@pytest.mark.parametrize(
    ("charts", "budget", "rules"),
    [
        (0, 0.0, ("trend", "two_of_three", "outside", "shift")),
        (100, 0.0, ()),
        (100, 0.1, ("trend",)),
        (100, 0.6, ("trend", "two_of_three", "outside")),
        (100, 2.1, ("trend", "two_of_three", "outside", "shift")),
        (10_000, 5.0, ("trend",)),
    ],
)
def test_a_budget_affords_the_rarest_rules_first(charts: int, budget: float, rules: tuple[str, ...]) -> None:
    found = afforded(charts, budget)

    assert found.rules == rules
    assert found.expected_false_alarms <= budget

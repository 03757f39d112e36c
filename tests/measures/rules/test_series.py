"""The tidy items of a series."""

from typing import Any

import pytest

from services.measures.rules.definitions import Definition
from services.measures.rules.intervals import poisson, wilson
from services.measures.rules.series import Figure, series
from services.measures.rules.statuses import STATUSES
from shared.contracts.periods import Period

FEED = {"id": "f", "period": "month", "field": []}
SEPTEMBER = Period.parse("2026-09")


def measure(**changes: Any) -> Definition:
    definition = {"id": "m", "numerator": {"feed": "f"}, "denominator": {"feed": "f"}, "multiplier": 100, **changes}
    return Definition.compile(definition, {"f": FEED})


def september(definition: Definition, *figures: Figure, **options: Any) -> dict[str, Any]:
    return series(definition, "RGT", figures, first=SEPTEMBER, last=SEPTEMBER, **options)[-1]


def test_every_period_of_the_run_has_an_item_also_those_without_a_figure() -> None:
    figures = [Figure(period="2026-08", numerator=1.0, denominator=4.0, versions=("v1",), provisional=True)]

    items = series(measure(), "RGT", figures, first=Period.parse("2026-07"), last=SEPTEMBER)

    assert [(item["period"], item["status"], item["value"]) for item in items] == [
        ("2026-07", "not_submitted", None),
        ("2026-08", "value", 25.0),
        ("2026-09", "not_submitted", None),
    ]
    assert (items[1]["versions"], items[1]["provisional"], items[1]["completeness"]) == (["v1"], True, 1.0)
    assert list(items[0]) == [
        "measure", "organisation", "stratum", "period", "numerator", "denominator", "value", "lower_95", "upper_95",
        "status", "provisional", "completeness", "versions", "lowest", "highest", "failed",
    ]  # fmt: skip


def test_a_value_is_never_rounded() -> None:
    item = september(measure(), Figure(period="2026-09", numerator=1.0, denominator=3.0))

    assert item["value"] == 1 / 3 * 100


def test_a_plain_count_is_its_numerator() -> None:
    item = september(measure(denominator=None), Figure(period="2026-09", numerator=7.0))

    assert (item["value"], item["denominator"]) == (7.0, None)


def test_a_proportion_has_wilsons_interval_and_a_rate_has_a_poisson_one() -> None:
    figure = Figure(period="2026-09", numerator=12.0, denominator=400.0)

    proportion, rate = september(measure(unit="percent"), figure), september(measure(unit="rate", chart="u"), figure)

    lower, upper = wilson(12.0, 400.0)
    assert (proportion["lower_95"], proportion["upper_95"]) == (float(lower) * 100, float(upper) * 100)
    lower, upper = poisson(12.0)
    assert (rate["lower_95"], rate["upper_95"]) == (float(lower) / 400 * 100, float(upper) / 400 * 100)


@pytest.mark.parametrize(("numerator", "denominator"), [(5.0, 4.0), (1.5, 4.0)])
def test_what_is_not_events_among_cases_has_no_interval(numerator: float, denominator: float) -> None:
    item = september(measure(unit="percent"), Figure(period="2026-09", numerator=numerator, denominator=denominator))

    assert item["value"] == numerator / denominator * 100
    assert (item["lower_95"], item["upper_95"]) == (None, None)


REACHED = {
    "value": (Figure(period="2026-09", numerator=1.0, denominator=20.0), None),
    "zero": (Figure(period="2026-09", numerator=0.0, denominator=20.0), None),
    "not_submitted": (None, None),
    "nil_return": (Figure(period="2026-09", numerator=0.0, denominator=0.0), "nil"),
    "late": (None, "late"),
    "awaiting_denominator": (Figure(period="2026-09", numerator=1.0), None),
    "low_quality": (Figure(period="2026-09", numerator=1.0, denominator=20.0, failed=("half are blank",)), None),
    "not_applicable": (None, "not_expected"),
    "quarantined": (Figure(period="2026-09", numerator=1.0, denominator=20.0), "quarantined"),
}


@pytest.mark.parametrize("status", sorted(STATUSES - {"suppressed", "rounded"}))
def test_every_status_before_disclosure_control_can_be_reached(status: str) -> None:
    figure, state = REACHED[status]
    states = {} if state is None else {"2026-09": state}

    item = september(measure(), *([] if figure is None else [figure]), states=states)

    assert item["status"] == status
    assert (item["value"] is None) == (status not in ("value", "zero"))


def test_a_denominator_below_the_measures_minimum_shows_no_value() -> None:
    item = september(measure(minimum_denominator=10), Figure(period="2026-09", numerator=1.0, denominator=9.0))

    assert (item["status"], item["value"], item["denominator"]) == ("low_quality", None, 9.0)


def test_a_quarantined_figure_is_not_told() -> None:
    figure = Figure(period="2026-09", numerator=1.0, denominator=20.0)

    item = september(measure(), figure, states={"2026-09": "quarantined"})

    assert (item["numerator"], item["denominator"]) == (None, None)


def test_a_stratum_with_nobody_in_a_known_period_is_not_a_missing_one() -> None:
    whole = Figure(period="2026-09", numerator=1.0, denominator=20.0, versions=("v1",))

    ratio = september(measure(), whole, strata=("", "imd_quintile=1"))
    count = september(measure(denominator=None), whole, strata=("", "imd_quintile=1"))
    unknown = september(measure(), strata=("", "imd_quintile=1"))

    assert (ratio["status"], ratio["versions"]) == ("not_applicable", ["v1"])
    assert (count["status"], count["value"]) == ("zero", 0.0)
    assert unknown["status"] == "not_submitted"

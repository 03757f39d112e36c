"""What the rates of strata say together."""

from typing import Any

from services.measures.rules.definitions import Definition
from services.measures.rules.gaps import gaps
from services.measures.rules.series import Figure, series
from shared.contracts.periods import Period
from tests.measures.builders import BIRTHS_FEED, a_measure

PROPORTION = Definition.compile(a_measure().definition, {"births": BIRTHS_FEED})


def an_item(stratum: str, numerator: float | None, denominator: float | None) -> dict[str, Any]:
    shown = numerator is not None and denominator
    value = numerator / denominator * 100 if shown else None  # type: ignore[operator]
    bounds = {} if value is None else {"lower_95": value - 1, "upper_95": value + 1}
    return {"stratum": stratum, "numerator": numerator, "denominator": denominator, "value": value, **bounds}


def quintiles(*rates: float) -> list[dict[str, Any]]:
    return [an_item(f"imd_quintile={n}", rate, 100) for n, rate in enumerate(rates, 1)]


def test_the_most_deprived_are_compared_with_the_least() -> None:
    told = gaps(quintiles(12, 11, 10, 9, 6), PROPORTION, "imd_quintile")
    assert (told["compared"], told["gap"], told["ratio"]) == (["imd_quintile=1", "imd_quintile=5"], 6, 2)


def test_a_quintile_of_which_all_are_events_has_its_place_on_the_slope() -> None:
    # given figures with the intervals of a series, and a stratum of which all fifteen cases are events
    figures = [Figure(period="2026-05", stratum=f"imd_quintile={n}", numerator=events, denominator=15)
               for n, events in enumerate((15, 12, 10, 9, 8), 1)]  # fmt: skip
    month = Period.parse("2026-05")
    items = series(PROPORTION, "RGT", figures, first=month, last=month, strata=[one.stratum for one in figures])

    told = gaps(items, PROPORTION, "imd_quintile")

    assert told["sii"] < 0
    assert told["notices"] == []


def test_without_one_of_the_ends_nothing_is_compared() -> None:
    told = gaps(quintiles(12, 11, 10, 9), PROPORTION, "imd_quintile")
    assert (told["compared"], told["gap"], told["ratio"]) == (None, None, None)


def test_strata_without_an_order_are_compared_highest_with_lowest() -> None:
    items = [an_item(f"sex={name}", rate, 100) for name, rate in (("female", 4), ("male", 10))]
    told = gaps(items, PROPORTION, "sex")
    assert (told["compared"], told["gap"], told["ratio"]) == (["sex=male", "sex=female"], 6, 2.5)


def test_the_unknown_are_counted_and_never_compared() -> None:
    items = [an_item("sex=female", 4, 100), an_item("sex=male", 10, 100), an_item("sex=unknown", 50, 50)]
    told = gaps(items, PROPORTION, "sex")
    assert told["compared"] == ["sex=male", "sex=female"]
    assert told["unknown_share"] == 0.2


def test_a_share_of_what_is_hidden_is_not_told() -> None:
    items = [an_item("sex=female", 4, 100), an_item("sex=unknown", None, None)]
    assert gaps(items, PROPORTION, "sex")["unknown_share"] is None


def test_a_ratio_to_a_rate_of_nothing_is_not_told() -> None:
    items = [an_item("sex=female", 0, 100), an_item("sex=male", 10, 100)]
    told = gaps(items, PROPORTION, "sex")
    assert (told["gap"], told["ratio"]) == (10, None)

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.disclosure import (
    POLICIES,
    STRICTEST,
    WHOLE,
    Exact,
    complementary,
    disclosed,
    disclosed_table,
    policy,
    shown_count,
    span,
    suppress_value,
    suppress_values,
)
from services.measures.rules.invalid import InvalidRow

STRATA = st.dictionaries(
    st.sampled_from([f"imd_quintile={place}" for place in range(1, 6)]),
    st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=1,
)
CONTROLLED = sorted(name for name, rules in POLICIES.items() if not rules.exact)
NAMES = st.sampled_from(CONTROLLED)
HIDING = st.sampled_from([name for name in CONTROLLED if POLICIES[name].small_shown_as is None])


def table(strata: dict[str, tuple[int, int]]) -> dict[str, Exact]:
    totals = (sum(x for x, _ in strata.values()), sum(n for _, n in strata.values()))
    return {name: Exact(*pair) for name, pair in {**strata, WHOLE: totals}.items()}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("hes", {0: 0, 1: None, 7: None, 8: 10, 12: 10, 13: 15, 100: 100}),
        ("msds", {0: 0, 1: 5, 7: 5, 8: 10, 12: 10, 13: 15, 100: 100}),
        ("mhsds", {0: 0, 1: None, 4: None, 5: 5, 7: 5, 8: 10, 100: 100}),
        ("small-numbers", {0: 0, 1: None, 7: None, 8: 10, 100: 100}),
    ],
)
def test_counts_are_shown_as_their_policy_says(name: str, shown: dict[int, int | None]) -> None:
    assert {count: shown_count(count, POLICIES[name]) for count in shown} == shown


@given(strata=STRATA, name=NAMES)
def test_a_suppressed_figure_is_never_a_number(strata: dict[str, tuple[int, int]], name: str) -> None:
    for figure in disclosed_table(table(strata), POLICIES[name], level="trust").values():
        assert (figure.value is None) == (figure.status in {"suppressed", "not_applicable"})


@given(strata=STRATA, name=NAMES)
def test_no_small_count_is_ever_shown_exactly(strata: dict[str, tuple[int, int]], name: str) -> None:
    rules = POLICIES[name]
    found = disclosed_table(table(strata), rules, level="trust", multiplier=100)
    for figure in found.values():
        assert {figure.numerator, figure.denominator} <= {None, *range(0, 1000, 5)}


@given(strata=STRATA, name=HIDING)
def test_no_hidden_stratum_is_the_total_less_the_shown_ones(strata: dict[str, tuple[int, int]], name: str) -> None:
    found = disclosed_table(table(strata), POLICIES[name], level="trust", multiplier=100)
    for column in ("numerator", "denominator"):
        hidden = [stratum for stratum, figure in found.items() if getattr(figure, column) is None]
        assert len(hidden) != 1


@given(counts=st.lists(st.integers(0, 40), min_size=2, max_size=4), name=HIDING)
def test_a_reader_who_knows_the_rules_cannot_work_out_a_small_count(counts: list[int], name: str) -> None:
    """Every way to fill the hidden cells that agrees with all that is shown: none of them is settled."""
    rules = POLICIES[name]
    strata = {f"s{place}": count for place, count in enumerate(counts)}
    exact = {**strata, WHOLE: sum(counts)}
    shown = {stratum: shown_count(count, rules) for stratum, count in exact.items()}
    small = {stratum for stratum, figure in shown.items() if figure is None}
    shown |= dict.fromkeys(complementary(exact, small), None)
    if shown[WHOLE] is None:
        return
    for stratum in small:
        assert len(possible(stratum, shown, rules.nearest)) > 1


def possible(stratum: str, shown: dict[str, float | None], step: int) -> set[int]:
    """Values the hidden stratum could have, from 1 up, given the roundings of the others."""
    half = step // 2
    others = [name for name in shown if name not in {WHOLE, stratum}]
    whole = shown[WHOLE]
    assert whole is not None
    least = sum(1 if shown[name] is None else max(0, shown[name] - half) for name in others)
    unbounded = any(shown[name] is None for name in others)
    most = sum(0 if shown[name] == 0 else shown[name] + half for name in others if shown[name] is not None)
    highest = int(whole + half - least)
    lowest = 1 if unbounded else int(whole - half - most)
    return set(range(max(1, lowest), highest + 1))


def test_a_lone_hidden_stratum_takes_the_smallest_other_with_it() -> None:
    assert complementary({WHOLE: 63, "a": 3, "b": 40, "c": 20, "d": 0}, {"a"}) == {"c"}


def test_two_hidden_strata_hide_each_other() -> None:
    assert complementary({WHOLE: 48, "a": 3, "b": 5, "c": 40}, {"a", "b"}) == set()


def test_a_hidden_total_gives_nothing_away() -> None:
    assert complementary({WHOLE: 3, "a": 3, "b": 0}, {WHOLE, "a"}) == set()


def test_percentages_are_of_the_rounded_counts() -> None:
    figure = disclosed(Exact(13, 47), policy("hes"), level="trust", multiplier=100)
    assert (figure.numerator, figure.denominator, figure.value) == (15, 45, pytest.approx(100 / 3))
    assert figure.status == "rounded"


def test_hes_has_no_control_at_national_level() -> None:
    figure = disclosed(Exact(3, 47), policy("hes"), level="national", multiplier=100)
    assert (figure.numerator, figure.value, figure.status) == (3, pytest.approx(300 / 47), "value")


@pytest.mark.parametrize("level", ["trust", "region", "national"])
def test_rates_per_thousand_are_of_rounded_counts_so_that_they_give_no_exact_one_away(level: str) -> None:
    assert disclosed(Exact(13, 447), policy("msds"), level=level, multiplier=1000).value == pytest.approx(15_000 / 445)


@pytest.mark.parametrize("name", CONTROLLED)
@pytest.mark.parametrize("numerator", [1, 4])
def test_a_rate_per_thousand_of_few_events_is_hidden(name: str, numerator: int) -> None:
    assert disclosed(Exact(numerator, 447), policy(name), level="trust", multiplier=1000).status == "suppressed"


@pytest.mark.parametrize(("numerator", "status"), [(7, "suppressed"), (8, "rounded"), (0, "zero")])
def test_msds_shows_rates_per_thousand_from_eight_events(numerator: int, status: str) -> None:
    assert disclosed(Exact(numerator, 447), policy("msds"), level="trust", multiplier=1000).status == status


@pytest.mark.parametrize(
    ("exact", "status"),
    [(Exact(20, 500), "rounded"), (Exact(4, 500), "suppressed"), (Exact(20, 99), "suppressed")],
)
def test_mhsds_hides_rates_of_few_events_or_few_bed_days(exact: Exact, status: str) -> None:
    assert disclosed(exact, policy("mhsds"), level="trust", multiplier=1000).status == status


def test_zero_is_shown_as_zero_and_a_ratio_to_nothing_is_not_applicable() -> None:
    assert disclosed(Exact(0), policy("small-numbers"), level="trust").status == "zero"
    assert disclosed(Exact(0, 0), policy("small-numbers"), level="trust").status == "not_applicable"


@given(value=st.integers(0, 10**8))
def test_a_printed_count_is_a_star_or_a_multiple_of_five_within_two(value: int) -> None:
    printed = suppress_value(value)
    if printed == "*":
        assert 1 <= value <= 7
    else:
        assert int(printed) % 5 == 0
        assert abs(int(printed) - value) <= 2


@pytest.mark.parametrize("wrong", [-1, 10**8 + 1, 2.5, "3", None, True])
def test_what_is_not_a_count_is_not_printed(wrong: int) -> None:
    with pytest.raises(InvalidRow) as refused:
        suppress_values([3, wrong])
    assert refused.value.index == 1


@pytest.mark.parametrize("name", [None, "", "default", "MSDS"])
def test_an_unknown_policy_is_the_strictest(name: str | None) -> None:
    assert policy(name) is STRICTEST
    assert all(STRICTEST.small_below >= rules.small_below for rules in POLICIES.values())


def test_figures_without_a_policy_of_control_are_exact() -> None:
    figure = disclosed(Exact(3, 47), policy("none"), level="trust", multiplier=100)
    assert (figure.numerator, figure.denominator, figure.status) == (3, 47, "value")


@given(strata=STRATA, name=NAMES)
def test_no_small_stratum_is_settled_by_the_roundings_of_the_others(
    strata: dict[str, tuple[int, int]], name: str
) -> None:
    """An adversary who knows the rules bounds every figure, and the small ones by the total less the others."""
    rules, cells = POLICIES[name], table(strata)
    found = disclosed_table(cells, rules, level="trust", multiplier=100)
    for column in ("numerator", "denominator"):
        exact = {stratum: getattr(cell, column) for stratum, cell in cells.items()}
        if getattr(found[WHOLE], column) is None:
            continue
        bounds = {
            stratum: (1, 10**6) if getattr(found[stratum], column) is None else span(count, rules)
            for stratum, count in exact.items()
        }
        for stratum, count in exact.items():
            if stratum != WHOLE and 0 < count < rules.small_below:
                others = [bounds[one] for one in exact if one not in {WHOLE, stratum}]
                lowest = max(1, bounds[WHOLE][0] - sum(high for _, high in others))
                highest = min(rules.small_below - 1, bounds[WHOLE][1] - sum(low for low, _ in others))
                assert lowest < highest


def test_two_strata_at_the_ends_of_their_roundings_do_not_settle_a_third() -> None:
    """8 + 8 + 1 = 17 is shown as 10 + 10 + 5 = 15: only 8, 8 and 1 fit, so one of the eights is hidden."""
    found = disclosed_table(table({"a": (8, 60), "b": (8, 60), "c": (1, 60)}), policy("msds"), level="trust")
    assert [figure.numerator for figure in found.values()].count(None) == 1


@pytest.mark.parametrize("named", ["hes", "msds"])
def test_what_is_below_zero_is_hidden_whatever_a_small_count_is_shown_as(named: str) -> None:
    found = disclosed(Exact(-1, 400), policy(named), level="trust")
    assert (found.numerator, found.value, found.status) == (None, None, "suppressed")


def test_a_table_without_hidden_cells_is_left_as_it_is() -> None:
    found = disclosed_table(table({"a": (20, 40), "b": (0, 40)}), policy("hes"), level="trust")
    assert Counter(figure.status for figure in found.values()) == {"rounded": 2, "zero": 1}

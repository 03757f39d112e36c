"""Members taken together: sums over what was submitted, who is missing, and what they could make of it."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.definitions import Definition
from services.measures.rules.series import Figure
from services.measures.rules.together import together

FEED: dict[str, Any] = {"id": "f", "period": "month", "field": []}


@dataclass
class Sent:
    """What a member sent."""

    organisation: str
    numerator: list[float | None]
    denominator: list[float | None]
    strata: list[str] = field(default_factory=lambda: [""])
    kind: str = "rows"
    provisional: bool = False
    versions: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def sent(organisation: str, numerator: float | None, denominator: float | None, **more: Any) -> Sent:
    return Sent(organisation, [numerator], [denominator], **more)


def measure(**changes: Any) -> Definition:
    definition = {"id": "m", "numerator": {"feed": "f"}, "denominator": {"feed": "f"}, "unit": "percent", **changes}
    return Definition.compile(definition, {"f": FEED})


def whole(*parts: Sent, expected: str = "", definition: Definition | None = None, **more: Any) -> Figure:
    given_ = {"period": "2026-01", "absent": "missing", "sizes": {}} | more
    return together(parts, definition or measure(), expected=list(expected or "AB"), **given_)[0]


def test_an_aggregate_is_a_ratio_of_sums() -> None:
    found = whole(sent("A", 1, 10), sent("B", 30, 40))

    assert (found.numerator, found.denominator, found.status, found.completeness) == (31, 50, "value", 1.0)
    assert (found.lowest, found.highest) == (None, None)


def test_a_missing_member_is_counted_and_bounds_say_what_it_could_do() -> None:
    found = whole(sent("B", 15, 30), sizes={"A": 20.0, "B": 30.0})

    assert found.completeness == 0.5
    assert (found.lowest, found.highest) == (15 / 50, 35 / 50)


def test_a_member_of_no_known_size_is_taken_for_a_typical_one() -> None:
    found = whole(sent("A", 5, 20), sent("B", 5, 40), expected="ABC", sizes={"A": 20.0, "B": 40.0})

    assert (found.lowest, found.highest) == (10 / 90, 40 / 90)


def test_rates_have_no_bounds() -> None:
    rate = measure(unit="per 1,000", multiplier=1000, chart="u")

    found = whole(sent("B", 15, 30), definition=rate, sizes={"A": 20.0})

    assert (found.lowest, found.highest) == (None, None)


def test_a_member_that_fails_a_gate_is_left_out_and_said() -> None:
    found = whole(sent("A", 9, 10, failed=["half are blank"]), sent("B", 5, 20))

    assert (found.numerator, found.denominator, found.completeness) == (5, 20, 1.0)
    assert found.failed == ("A: half are blank",)


def test_where_all_fail_the_figure_is_of_low_quality() -> None:
    assert whole(sent("A", 9, 10, failed=["half are blank"]), expected="A").status == "low_quality"


def test_a_period_of_nil_returns_is_one() -> None:
    found = whole(sent("A", None, None, kind="nil"), sent("B", None, None, kind="nil"))

    assert (found.status, found.completeness) == ("nil_return", 1.0)


def test_strata_are_those_of_the_members_that_count() -> None:
    by_sex = ["", "sex=female", "sex=male"]
    good = Sent("A", [3, 1, 2], [30, 10, 20], by_sex)
    failing = Sent("B", [3, 1, 2], [30, 10, 20], by_sex, failed=["half are blank"])

    found = together([good, failing], measure(), period="2026-01", expected=["A", "B"], absent="late", sizes={})

    assert {one.stratum: (one.numerator, one.denominator) for one in found} == {
        "": (3, 30), "sex=female": (1, 10), "sex=male": (2, 20),
    }  # fmt: skip


def test_what_was_sent_of_a_stratum_alone_is_no_part_of_the_whole() -> None:
    figures = together(
        [sent("A", 7, 100), Sent("B", [5], [200], ["imd_quintile=1"], versions=["v1"])],
        measure(), period="2026-01", expected=["A", "B"], absent="late", sizes={},
    )  # fmt: skip

    assert {one.stratum: (one.numerator, one.denominator) for one in figures} == {
        "": (7, 100), "imd_quintile=1": (5, 200),
    }  # fmt: skip
    assert (figures[0].completeness, figures[0].versions) == (0.5, ())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(10, 90)), min_size=1, max_size=6), st.integers(0, 4))
def test_the_truth_lies_within_the_bounds(figures: list[tuple[int, int]], missing: int) -> None:
    # given members of which the last few are missing, and whose usual size is their true one
    everybody = [sent(str(number), *pair) for number, pair in enumerate(figures)]
    there = everybody[: len(everybody) - missing]
    sizes = {str(number): float(size) for number, (_, size) in enumerate(figures)}

    found = whole(*there, expected="".join(sizes), sizes=sizes)

    truth = sum(events for events, _ in figures) / sum(size for _, size in figures)
    if found.lowest is not None and found.highest is not None:
        assert found.lowest - 1e-12 <= truth <= found.highest + 1e-12
    else:
        assert missing == 0 or not there

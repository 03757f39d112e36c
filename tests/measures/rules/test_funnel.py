import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.measures.rules.funnel import Kind, funnel, limits_curve, two_decimals
from services.measures.rules.invalid import InvalidRow

KINDS: tuple[Kind, ...] = ("standardised_ratio", "proportion", "ratio_of_counts")


def row(group: str, numerator: float, denominator: float) -> dict[str, object]:
    return {"group": group, "numerator": numerator, "denominator": denominator}


def alike(count: int = 12) -> list[dict[str, object]]:
    """Organisations that hardly differ."""
    return [row(f"T{place:02}", 19 + place % 3, 100 + place) for place in range(count)]


TABLES = st.lists(
    st.tuples(st.integers(1, 200), st.integers(0, 300)).map(lambda pair: (pair[0], pair[0] + pair[1] + 1)),
    min_size=3,
    max_size=30,
).map(lambda pairs: [row(f"T{place:02}", x, n) for place, (x, n) in enumerate(pairs)])


@pytest.mark.parametrize("kind", ["standardised_ratio", "ratio_of_counts"])
@given(rows=TABLES)
def test_the_wider_limits_enclose_the_narrower_ones(kind: Kind, rows: list[dict[str, object]]) -> None:
    for found in funnel(rows, kind=kind).rows:
        assert found.lower_998 is not None
        assert found.lower_95 is not None
        assert found.upper_95 is not None
        assert found.upper_998 is not None
        assert found.lower_998 <= found.lower_95 < found.upper_95 <= found.upper_998


@given(rows=TABLES)
def test_the_limits_of_a_proportion_are_from_0_to_the_multiplier(rows: list[dict[str, object]]) -> None:
    for found in funnel(rows, kind="proportion", multiplier=100).rows:
        limits = (found.lower_998, found.lower_95, found.upper_95, found.upper_998)
        assert all(limit is not None and 0 <= limit <= 100 for limit in limits)


@pytest.mark.parametrize("kind", KINDS)
@given(rows=TABLES, data=st.data())
def test_the_order_of_rows_does_not_matter(kind: Kind, rows: list[dict[str, object]], data: st.DataObject) -> None:
    assert funnel(data.draw(st.permutations(rows)), kind=kind) == funnel(rows, kind=kind)


@given(rows=TABLES)
def test_every_outlier_at_99_8_is_one_at_95(rows: list[dict[str, object]]) -> None:
    strict, loose = (funnel(rows, kind="ratio_of_counts", limit=limit).rows for limit in (99.8, 95))
    assert all(other.outlier for one, other in zip(strict, loose, strict=True) if one.outlier)


def test_rows_of_one_group_are_summed_and_groups_sorted_as_text() -> None:
    found = funnel([row("b", 1, 9), row("T10", 2, 9), row("T9", 3, 9), row("b", 4, 9)], kind="proportion")
    assert [(line.group, line.numerator, line.denominator) for line in found.rows] == [
        ("T10", 2, 9),
        ("T9", 3, 9),
        ("b", 5, 18),
    ]


def test_limits_stay_unadjusted_where_there_is_no_overdispersion() -> None:
    found = funnel(alike(), kind="proportion")
    assert found.phi is not None
    assert found.phi < 1
    assert not found.adjusted
    assert found.rows == funnel(alike(), kind="proportion", adjust=False).rows


def test_an_organisation_far_from_the_rest_is_an_outlier() -> None:
    found = funnel([*alike(), row("Z", 60, 100)], kind="proportion", adjust=False)
    assert [line.group for line in found.rows if line.outlier] == ["Z"]


def test_the_multiplier_scales_limits_and_changes_no_verdict() -> None:
    rows = [*alike(), row("Z", 60, 100)]
    one, hundred = (funnel(rows, kind="proportion", multiplier=scale) for scale in (1, 100))
    assert [line.outlier for line in one.rows] == [line.outlier for line in hundred.rows]
    assert hundred.rows[0].upper_95 == pytest.approx(100 * (one.rows[0].upper_95 or 0))


def test_no_deaths_have_no_logarithm_and_so_no_score() -> None:
    rows = [row("A", 0, 5.5), *(row(f"T{place}", 9 + place, 10) for place in range(20))]
    assert funnel(rows, kind="standardised_ratio", method="shmi").rows[0].z is None


def test_the_curve_is_in_order_of_denominator() -> None:
    curve = limits_curve([50, 10], kind="proportion", target=0.2, tau2=0.01, multiplier=100)
    assert (curve["denominator"][1:] > curve["denominator"][:-1]).all()
    assert set(curve) == {"denominator", "lower_95", "upper_95", "lower_998", "upper_998"}


@pytest.mark.parametrize(("value", "rounded"), [(0.125, 0.12), (0.375, 0.38), (2.675, 2.67), (5.0, 5.0), (1.005, 1.0)])
def test_expected_deaths_are_rounded_to_two_decimals_half_to_even(value: float, rounded: float) -> None:
    assert two_decimals(value) == rounded


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (row("A", 3, 2), "numerator"),
        (row("A", 3, -2), "denominator"),
        (row("A", 0, 0), "denominator"),
        (row("", 1, 2), "group"),
        ({"numerator": 1, "denominator": 2}, "group"),
        (row("\ud800", 1, 2), "group"),
        (row("A", float("inf"), 2), "numerator"),
    ],
)
def test_a_wrong_row_is_refused_by_its_index_and_field(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRow) as refused:
        funnel([row("B", 1, 2), wrong], kind="proportion")
    assert (refused.value.index, refused.value.field) == (1, field)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"kind": "mean"}, "kind"),
        ({"method": "ons"}, "method"),
        ({"trim": 0}, "trim"),
        ({"trim": 0.5}, "trim"),
        ({"limit": 90}, "limit"),
        ({"multiplier": 0}, "multiplier"),
    ],
)
def test_a_wrong_option_is_refused_by_name(options: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRow) as refused:
        funnel(alike(), **{"kind": "proportion", **options})
    assert (refused.value.index, refused.value.field) == (None, field)


@pytest.mark.parametrize("kind", KINDS)
def test_one_group_alone_has_no_variance_between_groups(kind: Kind) -> None:
    assert funnel([row("A", 3, 10)], kind=kind).tau2 == 0


def test_no_rows_are_refused() -> None:
    with pytest.raises(InvalidRow, match="at least one row"):
        funnel([], kind="proportion")

"""Rows into figures."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.measures.rules import figures as figures_of_rows
from services.measures.rules.definitions import Definition
from services.measures.rules.feeds import COUNTED, Feed
from services.measures.rules.figures import KEYS, SCHEMA, default_grain, figures, join_halves
from shared.contracts.periods import Grain

BIRTHS: dict[str, Any] = {
    "id": "births",
    "period": "month",
    "period_columns": ["reporting_period_start", "born"],
    "field": [
        {"name": "days", "type": "integer"},
        {"name": "mother", "type": "text"},
        {"name": "reporting_period_start", "type": "date"},
        {"name": "born", "type": "datetime"},
        {"name": "imd_decile", "type": "integer"},
        {"name": "ethnic_category", "type": "text"},
    ],
}
HOMES: dict[str, Any] = {
    "id": "homes",
    "period": "week",
    "period_columns": ["week_ending"],
    "field": [{"name": "week_ending", "type": "date"}, {"name": "falls", "type": "integer"}],
}
COUNTS: dict[str, Any] = {
    "id": COUNTED,
    "period": "any",
    "field": [
        {"name": "measure", "type": "text"},
        {"name": "numerator", "type": "decimal"},
        {"name": "denominator", "type": "decimal"},
        {"name": "stratum", "type": "text"},
    ],
}
FEEDS = {"births": BIRTHS, "homes": HOMES, COUNTED: COUNTS}
EARLY = {"field": "days", "below": 259}


@pytest.fixture(autouse=True, scope="module", params=[0, 1000], ids=["as of many rows", "as of few rows"])
def rows_up_to_which_nothing_is_shared(request: pytest.FixtureRequest) -> Iterator[None]:
    """Few rows and many are added up in two ways, and nobody can tell by the figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures_of_rows, "_FEW", request.param)
        yield


def measure(name: str = "m", numerator: Any = "count", feed: str = "births", **changes: Any) -> Definition:
    definition = {
        "id": name,
        "numerator": {"feed": feed, "value": numerator, **({"where": EARLY} if feed == "births" else {})},
        "denominator": {"feed": feed, "value": "count"},
        "period": "month",
        **changes,
    }
    return Definition.compile(definition, FEEDS)


def frame(spec: dict[str, Any], *rows: dict[str, Any]) -> pl.DataFrame:
    schema = {"_organisation": pl.String(), "_period": pl.String()}
    schema |= {name: field.dtype for name, field in Feed.of(spec).fields.items()}
    placed = [{"_organisation": "RGT", "_period": "2026-09", **row} for row in rows]
    return pl.DataFrame(placed, schema=schema)


def cells(table: pl.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    return table.sort(KEYS).select(*(names or (*KEYS[1:], "numerator", "denominator"))).rows()


def test_rows_are_counted_for_every_organisation_and_period_and_none_is_counted_twice() -> None:
    rows = frame(
        BIRTHS,
        {"days": 200},
        {"days": 280},
        {"days": None},
        {"days": 200, "_period": "2026-10"},
        {"days": 280, "_organisation": "RDE"},
    )

    assert cells(figures(rows, [measure()], feed="births")) == [
        ("RDE", "2026-09", "", 0.0, 1.0),
        ("RGT", "2026-09", "", 1.0, 3.0),
        ("RGT", "2026-10", "", 1.0, 1.0),
    ]


def test_strata_are_cut_one_by_one_and_each_adds_up_to_the_whole() -> None:
    rows = frame(
        BIRTHS,
        {"days": 200, "imd_decile": 1, "ethnic_category": "A"},
        {"days": 200, "imd_decile": 2, "ethnic_category": "N"},
        {"days": 280, "imd_decile": None, "ethnic_category": "Z"},
    )
    cut, uncut = measure("cut", strata=["imd_quintile", "ethnic_group"]), measure("uncut")

    table = figures(rows, [cut, uncut], feed="births")

    assert cells(table, "measure", "stratum", "numerator", "denominator") == [
        ("cut", "", 2.0, 3.0),
        ("cut", "ethnic_group=Black", 1.0, 1.0),
        ("cut", "ethnic_group=White", 1.0, 1.0),
        ("cut", "ethnic_group=unknown", 0.0, 1.0),
        ("cut", "imd_quintile=1", 2.0, 2.0),
        ("cut", "imd_quintile=unknown", 0.0, 1.0),
        ("uncut", "", 2.0, 3.0),
    ]


def test_a_distinct_count_counts_a_mother_of_twins_once_wherever_she_is_counted() -> None:
    # given twins whose rows disagree about where their mother lives, and a mother of one in another month
    rows = frame(
        BIRTHS,
        {"days": 200, "mother": "a", "imd_decile": 1},
        {"days": 200, "mother": "a", "imd_decile": 3},
        {"days": 200, "mother": "b", "imd_decile": 1},
        {"days": 200, "mother": None, "imd_decile": 1},
        {"days": 200, "mother": "a", "imd_decile": 1, "_period": "2026-10"},
    )
    mothers = measure(numerator={"distinct": "mother"}, strata=["imd_quintile"])

    assert cells(figures(rows, [mothers], feed="births"), "period", "stratum", "numerator") == [
        ("2026-09", "", 2.0),
        ("2026-09", "imd_quintile=1", 2.0),
        ("2026-09", "imd_quintile=2", 1.0),
        ("2026-10", "", 1.0),
        ("2026-10", "imd_quintile=1", 1.0),
    ]


def test_dates_are_listed_in_order_also_beside_a_distinct_count_of_the_same_field() -> None:
    late, early = datetime.fromisoformat("2026-09-20T01:00"), datetime.fromisoformat("2026-09-03T23:00")
    rows = frame(BIRTHS, {"days": 1, "born": late}, {"days": 1, "born": early}, {"days": 300, "born": early})
    dated = measure("dated", {"dates": "born"}, denominator=None)
    moments = measure("moments", {"distinct": "born"})

    table = figures(rows, [dated, moments], feed="births")

    assert cells(table, "measure", "numerator", "dates") == [
        ("dated", 2.0, [early, late]),
        ("moments", 2.0, None),
    ]


def test_a_sum_of_nothing_but_blanks_is_not_known_and_a_sum_over_no_rows_is_zero() -> None:
    rows = frame(HOMES, {"falls": None}, {"falls": 3, "_organisation": "V1"}, {"falls": None, "_organisation": "V1"})
    falls = measure(numerator={"sum": "falls"}, feed="homes")
    none_match = measure("none", feed="homes", numerator={"sum": "falls"})
    nothing = Definition.compile(
        {
            "id": "nothing",
            "numerator": {"feed": "homes", "where": {"field": "falls", "above": 99}, "value": {"sum": "falls"}},
            "period": "month",
        },
        FEEDS,
    )

    table = figures(rows, [falls, none_match, nothing], feed="homes")

    assert cells(table, "measure", "organisation", "numerator") == [
        ("m", "RGT", None),
        ("m", "V1", 3.0),
        ("none", "RGT", None),
        ("none", "V1", 3.0),
        ("nothing", "RGT", 0.0),
        ("nothing", "V1", 0.0),
    ]


def test_weekly_rows_count_in_the_month_of_their_week_ending() -> None:
    rows = frame(
        HOMES,
        {"falls": 1, "_period": "2026-W39", "week_ending": date(2026, 9, 27)},
        {"falls": 2, "_period": "2026-W40", "week_ending": date(2026, 10, 4)},
        {"falls": 4, "_period": "2026-W44", "week_ending": None},
    )

    table = figures(rows, [measure(numerator={"sum": "falls"}, feed="homes")], feed="homes")

    assert cells(table, "period", "numerator", "denominator") == [
        ("2026-09", 1.0, 1.0),
        ("2026-10", 2.0, 1.0),
        ("2026-11", 4.0, 1.0),
    ]


def test_a_weekly_measure_of_a_monthly_feed_goes_by_the_day_of_the_event() -> None:
    rows = frame(
        BIRTHS,
        {"days": 200, "reporting_period_start": date(2026, 9, 1), "born": datetime.fromisoformat("2026-09-16T10:00")},
    )

    assert cells(figures(rows, [measure(period="week")], feed="births"), "period") == [("2026-W38",)]


@pytest.mark.parametrize(
    ("grain", "period"),
    [("quarter", "2026-Q3"), ("year", "2026"), ("financial_year", "2026-27"), ("month", "2026-09")],
)
def test_a_coarser_measure_takes_its_period_from_the_row(grain: str, period: str) -> None:
    rows = frame(BIRTHS, {"days": 200, "reporting_period_start": date(2026, 9, 1)})

    assert cells(figures(rows, [measure(period=grain)], feed="births"), "period", "numerator") == [(period, 1.0)]


def test_measures_of_different_grains_are_worked_out_together() -> None:
    rows = frame(BIRTHS, {"days": 200, "reporting_period_start": date(2026, 9, 1)})

    table = figures(rows, [measure("a"), measure("b", period="year")], feed="births")

    assert cells(table, "measure", "period") == [("a", "2026-09"), ("b", "2026")]


def counted(**row: Any) -> dict[str, Any]:
    return {"measure": "m", "numerator": 4.0, "denominator": 9.0, "stratum": None, **row}


def test_counted_figures_are_taken_as_they_are_for_measures_of_rows_too() -> None:
    rows = frame(
        COUNTS, counted(), counted(stratum="imd_quintile=1", denominator=None), counted(measure="somebody else's")
    )

    assert cells(figures(rows, [measure()], feed=COUNTED), "stratum", "numerator", "denominator", "half") == [
        ("", 4.0, 9.0, "both"),
        ("imd_quintile=1", 4.0, None, "both"),
    ]


def test_counted_figures_keep_the_periods_they_were_sent_for() -> None:
    rows = frame(COUNTS, *(counted(_period=period) for period in ("2026-07", "2026-08", "2025")))

    assert cells(figures(rows, [measure(period="quarter")], feed=COUNTED), "period", "numerator") == [
        ("2025", 4.0),
        ("2026-07", 4.0),
        ("2026-08", 4.0),
    ]


@pytest.mark.parametrize(
    ("there", "own", "shown"),
    [
        (["month"], "year", "month"),
        (["month", "year"], "year", "month"),
        (["quarter", "year"], "year", "year"),
        (["week", "month"], "month", "month"),
        (["week"], "month", "week"),
        ([], "quarter", "quarter"),
    ],
)
def test_a_measure_is_shown_by_the_month_where_months_were_sent(there: list[Grain], own: Grain, shown: Grain) -> None:
    assert default_grain(there, own) == shown


def test_halves_of_two_feeds_are_partial_until_they_are_joined() -> None:
    # given falls from homes by births, for two organisations of which one has sent only one of the two feeds
    two = measure(numerator={"sum": "falls"}, feed="homes", denominator={"feed": "births", "value": "count"})
    homes = frame(HOMES, {"falls": 5}, {"falls": 6, "_organisation": "V1"})
    births = frame(BIRTHS, {"days": 280}, {"days": 280, "_organisation": "V2"})

    numerators, denominators = figures(homes, [two], feed="homes"), figures(births, [two], feed="births")

    assert cells(numerators, "organisation", "numerator", "denominator", "half") == [
        ("RGT", 5.0, None, "numerator"),
        ("V1", 6.0, None, "numerator"),
    ]
    assert cells(join_halves(numerators, denominators), "organisation", "numerator", "denominator", "half") == [
        ("RGT", 5.0, 1.0, "both"),
        ("V1", 6.0, None, "numerator"),
        ("V2", None, 1.0, "denominator"),
    ]


def test_a_stratum_in_which_one_of_the_feeds_sent_nobody_is_0_in_its_half() -> None:
    # given a half with rows of one quintile, and another with rows of two
    split = measure(strata=["imd_quintile"])
    few, more = frame(BIRTHS, {"days": 200, "imd_decile": 1}), frame(BIRTHS, {"imd_decile": 1}, {"imd_decile": 3})
    numerators, denominators = (
        figures(rows, [split], feed="births").with_columns(half=pl.lit(half))
        for half, rows in (("numerator", few), ("denominator", more))
    )

    assert cells(join_halves(numerators, denominators), "stratum", "numerator", "denominator", "half") == [
        ("", 1.0, 2.0, "both"),
        ("imd_quintile=1", 1.0, 1.0, "both"),
        ("imd_quintile=2", 0.0, 1.0, "both"),
    ]


@pytest.mark.parametrize("feed", ["births", COUNTED])
def test_no_rows_give_an_empty_table_of_the_same_columns(feed: str) -> None:
    table = figures(frame(FEEDS[feed]), [measure(strata=["imd_quintile"])], feed=feed)

    assert dict(table.schema) == dict(SCHEMA)
    assert table.height == 0


BIRTH = st.fixed_dictionaries(
    {
        "_organisation": st.sampled_from(["RGT", "RDE"]),
        "_period": st.sampled_from(["2026-09", "2026-10"]),
        "days": st.none() | st.integers(150, 310),
        "mother": st.none() | st.sampled_from("abc"),
        "imd_decile": st.none() | st.integers(0, 10),
        "ethnic_category": st.none() | st.sampled_from("ADHMRZ"),
        "born": st.none() | st.datetimes(datetime.fromisoformat("2026-09-01"), datetime.fromisoformat("2026-10-31")),
    }
)
EVERY_KIND = [
    measure("counted", strata=["imd_quintile", "ethnic_group"]),
    measure("summed", {"sum": "days"}, strata=["imd_quintile"]),
    measure("different", {"distinct": "mother"}, strata=["imd_quintile", "ethnic_group"]),
    measure("dated", {"dates": "born"}, denominator=None, strata=["ethnic_group"]),
]


def worked_out(rows: list[dict[str, Any]], definitions: list[Definition]) -> list[tuple[Any, ...]]:
    return cells(figures(frame(BIRTHS, *rows), definitions, feed="births"), *SCHEMA)


@settings(max_examples=25)
@given(st.data(), st.lists(BIRTH, max_size=25))
def test_figures_do_not_depend_on_the_order_of_rows(data: st.DataObject, rows: list[dict[str, Any]]) -> None:
    assert worked_out(data.draw(st.permutations(rows)), EVERY_KIND) == worked_out(rows, EVERY_KIND)


@settings(max_examples=25)
@given(st.lists(BIRTH, max_size=15), st.lists(BIRTH, max_size=15))
def test_counts_and_sums_of_two_frames_together_are_the_sums_of_their_own(
    some: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    additive = EVERY_KIND[:2]
    parts = pl.concat([figures(frame(BIRTHS, *rows), additive, feed="births") for rows in (some, others)])
    halves = [
        pl.when(pl.col(half).is_not_null().any()).then(pl.col(half).sum()).alias(half)
        for half in ("numerator", "denominator")
    ]

    together = figures(frame(BIRTHS, *some, *others), additive, feed="births")

    assert cells(parts.group_by(KEYS).agg(halves), *KEYS, "numerator", "denominator") == cells(
        together, *KEYS, "numerator", "denominator"
    )


@settings(max_examples=25)
@given(st.lists(BIRTH, max_size=25))
def test_a_distinct_count_is_what_counting_one_by_one_gives(rows: list[dict[str, Any]]) -> None:
    expected: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        decile = row["imd_decile"]
        quintile = f"imd_quintile={(decile + 1) // 2}" if decile else "imd_quintile=unknown"
        for stratum in ("", quintile):
            mothers = expected.setdefault((row["_organisation"], row["_period"], stratum), set())
            if row["mother"] is not None and row["days"] is not None and row["days"] < 259:
                mothers.add(row["mother"])
    mothers = measure(numerator={"distinct": "mother"}, strata=["imd_quintile"])

    found = figures(frame(BIRTHS, *rows), [mothers], feed="births")

    assert {row[:3]: row[3] for row in cells(found, *KEYS[1:], "numerator")} == {
        key: float(len(mothers)) for key, mothers in expected.items()
    }


def test_a_value_seen_in_two_months_is_not_a_repetition() -> None:
    rows = frame(BIRTHS, *({"days": 1, "mother": "a", "_period": period} for period in ("2026-09", "2026-10")))

    found = figures(rows, [measure(numerator={"distinct": "mother"})], feed="births")

    assert cells(found, "period", "numerator") == [("2026-09", 1.0), ("2026-10", 1.0)]

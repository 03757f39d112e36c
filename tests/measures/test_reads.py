"""The reads over HTTP: who may ask, what is refused, and what an answer stands on."""

import io
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from services.measures.api.forms import rasterised
from tests.measures.builders import (
    MONTHS,
    a_measure,
    a_return,
    a_target,
    an_organisation,
    counted,
    monthly,
    some_births,
)
from tests.measures.conftest import Served

QUIET = [20.0, 22, 19, 21, 20, 18, 23, 20, 21, 19, 22, 20, 18, 21, 20, 22, 19, 21]
WITHIN = {"QUE": ("icb", None, None)}
READS: dict[str, dict[str, str]] = {
    "/v1/series": {"measure": "preterm", "organisation": "RGT"},
    "/v1/charts/preterm/RGT": {},
    "/v1/funnels/preterm": {"period": "2026-06"},
    "/v1/inequalities/preterm/RGT": {},
    "/v1/matrix": {"organisation": "RGT"},
    "/v1/signals": {"organisation": "RGT"},
    "/v1/explain": {"measure": "preterm", "organisation": "RGT", "period": "2026-06"},
    "/v1/targets/preterm-6/progress": {},
    "/v1/exports/preterm": {},
}


def with_figures(served: Served) -> None:
    served.hear(
        a_target(),
        an_organisation("QUE", kind="icb", within={"ENGLAND": ("national", None, None)}),
        *(an_organisation(code, within=WITHIN) for code in ("RGT", "RGN", "RDE")),
    )
    strata = {f"imd_quintile={n}": (8.0 - n / 2, 40.0) for n in range(1, 6)}
    served.hear_together(monthly(QUIET, strata=strata))
    served.hear_together(monthly([21.0] * 18, organisation="RGN"))
    served.hear_together(monthly([50.0] * 18, organisation="RDE"))


def test_an_answer_says_how_many_figures_it_holds(served: Served) -> None:
    with_figures(served)
    answers = [
        served.get("/v1/series", **READS["/v1/series"]),
        served.get("/v1/series", format="csv", **READS["/v1/series"]),
        served.get("/v1/charts/preterm/RGT"),
        served.get("/v1/charts/preterm/RGT", format="svg"),
        served.get("/v1/exports/preterm"),
    ]
    rows = len(pl.read_csv(io.BytesIO(answers[-1].content)))
    assert [int(one.headers["X-PSIP-Cells"]) for one in answers] == [18, 18, 18, 18, rows]


@pytest.mark.parametrize("path", READS)
def test_who_may_not_ask_and_what_is_not_there_and_a_good_day(served: Served, path: str) -> None:
    with_figures(served)
    asked: dict[str, Any] = READS[path]
    assert served.get(path, who={"X-Nobody": "1"}, **asked).status_code == 401
    assert served.get(path, who=served.as_(scopes=frozenset()), **asked).status_code == 403
    unknown = {**asked, **{name: "nowhere" for name in ("organisation", "measure") if name in asked}}
    elsewhere = path.replace("preterm", "nothing")
    if elsewhere != path or unknown != asked:
        assert served.get(elsewhere, **unknown).status_code == 404
    assert served.get(path, **asked).status_code == 200


@pytest.mark.parametrize("path", READS)
def test_an_unknown_parameter_is_refused_and_named(served: Served, path: str) -> None:
    with_figures(served)
    answer = served.get(path, **READS[path], colour="blue")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "colour"


@pytest.mark.parametrize("path", READS)
def test_an_answer_says_what_it_stands_on_and_is_not_sent_twice(served: Served, path: str) -> None:
    with_figures(served)
    first = served.get(path, **READS[path])
    if path != "/v1/exports/preterm":
        assert {"as_of", "data_version", "known_at", "org_basis", "disclosure"} <= set(first.json())
    again = served.get(path, **READS[path], headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    served.hear(a_return([counted("preterm", 33, 210)], feed="measure-counts", period="2026-06"))
    changed = served.get(path, **READS[path], headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


@pytest.mark.parametrize("path", READS)
def test_what_was_known_at_an_instant_is_answered_as_it_was_then(served: Served, path: str) -> None:
    with_figures(served)
    then = served.read("/v1/series", measure="preterm", organisation="RGT")["as_of"]
    before = served.get(path, **READS[path], known_at=then).content
    served.hear(a_return([counted("preterm", 66, 210)], feed="measure-counts", period="2026-06"))
    assert served.get(path, **READS[path], known_at=then).content == before


@pytest.mark.parametrize("path", [path for path in READS if path.split("/")[2] not in ("charts", "explain", "targets")])
def test_a_table_is_the_same_as_csv_and_as_parquet(served: Served, path: str) -> None:
    with_figures(served)
    served.hear_together(monthly([60.0]))
    as_csv = served.get(path, **READS[path], format="csv")
    as_parquet = served.get(path, **READS[path], headers={"Accept": "application/vnd.apache.parquet"})
    assert as_csv.headers["content-type"].startswith("text/csv")
    table = pl.read_parquet(io.BytesIO(as_parquet.content))
    assert table.height > 0
    assert as_csv.text.splitlines()[0].split(",") == table.columns
    assert len(as_csv.text.splitlines()) == table.height + 1


def test_a_monthly_figure_of_a_yearly_measure_is_charted_by_the_month(served: Served) -> None:
    served.hear(a_measure("yearly", period="year"), an_organisation("RGT"))
    served.hear_together(monthly(QUIET, measure="yearly"))
    chart = served.read("/v1/charts/yearly/RGT")
    assert [point["period"] for point in chart["points"]] == MONTHS
    assert chart["axes"]["x"]["title"] == "Month"


def test_a_target_is_inherited_from_the_nearest_that_set_one(served: Served) -> None:
    with_figures(served)
    assert served.read("/v1/charts/preterm/RGT")["target"]["value"] == 6.0
    served.hear(a_target("preterm-icb", scope="QUE", value=5.0), a_target("preterm-own", scope="RGN", value=4.0))
    assert served.read("/v1/charts/preterm/RGT")["target"]["value"] == 5.0
    assert served.read("/v1/charts/preterm/RGN")["target"]["value"] == 4.0
    assert served.read("/v1/charts/preterm/ENGLAND")["target"]["value"] == 6.0


def test_a_target_that_is_not_inherited_is_not_drawn_below(served: Served) -> None:
    with_figures(served)
    served.hear(a_target(inherited=False))
    assert served.read("/v1/charts/preterm/RGT")["target"] is None
    assert served.read("/v1/charts/preterm/ENGLAND")["target"]["value"] == 6.0


def test_a_relative_target_is_a_level_from_the_organisations_own_baseline(served: Served) -> None:
    with_figures(served)
    served.hear(a_target(kind="relative_change", value=-50, baseline={"basis": "own"}))
    assert served.read("/v1/charts/preterm/RGN")["target"]["value"] == pytest.approx(10.5 / 2)


def test_a_funnel_has_every_organisation_and_the_limits_the_engine_gives(served: Served) -> None:
    with_figures(served)
    funnel = served.read("/v1/funnels/preterm", period="2026-06", level="trust", within="QUE")
    rows = [
        {"group": item["organisation"], "numerator": item["numerator"], "denominator": item["denominator"]}
        for item in funnel["items"]
    ]
    assert [tuple(row.values()) for row in rows] == [("RDE", 50, 200), ("RGN", 21, 200), ("RGT", 21, 200)]
    asked = {"kind": "proportion", "multiplier": 100, "rows": rows}
    engine = served.client.post("/v1/statistics/funnel", json=asked, headers=served.as_()).json()
    for item, row in zip(funnel["items"], engine["rows"], strict=True):
        assert {name: item[name] for name in row if name != "group"} == {n: v for n, v in row.items() if n != "group"}
    assert funnel["target"] == pytest.approx(100 * 92 / 600)
    assert served.read("/v1/funnels/preterm", level="icb")["items"][0]["numerator"] == 92


HUGE = {"population": 1e308, "value": 1, "lower": 0, "upper": 2}


@pytest.mark.parametrize(
    ("statistic", "asked", "pointer"),
    [
        ("cusum", {"p": [0.1, 1.2], "y": [0, 1]}, "/p/1"),
        ("cusum", {"p": [0.1], "y": [0, 1]}, "/y/1"),
        ("intervals", {"method": "mean", "rows": [{"values": [1]}, {"values": [1e308, 1e308]}]}, "/rows/1/values"),
        (
            "funnel",
            {"kind": "ratio_of_counts", "rows": [{"group": g, "numerator": 1, "denominator": 1e308} for g in "ab"]},
            "/rows",
        ),
        ("inequality", {"value_type": "mean", "rows": [HUGE | {"quantile": place} for place in range(5)]}, "/rows"),
    ],
)
def test_what_makes_no_statistic_is_refused_by_its_place(
    served: Served, statistic: str, asked: dict[str, object], pointer: str
) -> None:
    refused = served.client.post(f"/v1/statistics/{statistic}", json=asked, headers=served.as_())
    assert refused.status_code == 422, refused.text
    assert refused.json()["type"] == "/problems/invalid-statistic"
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


@pytest.mark.parametrize(("asked", "named"), [({"by": "imd"}, "by"), ({"stratum": "imd_quintle=1"}, "stratum")])
def test_a_stratum_there_is_not_is_refused_by_name(served: Served, asked: dict[str, str], named: str) -> None:
    with_figures(served)
    refused = served.get("/v1/series", **READS["/v1/series"], **asked)
    assert refused.status_code == 422
    assert [error["parameter"] for error in refused.json()["errors"]] == [named]
    assert "imd_quintile, ethnic_group" in refused.json()["detail"]


@pytest.mark.parametrize(("first", "last", "status"), [("2010-01-01", "2026-01-01", 422), ("1726-01", "2026-01", 200)])
def test_a_range_of_too_many_periods_is_refused_whatever_their_length(
    served: Served, first: str, last: str, status: int
) -> None:
    served.hear(an_organisation("RGT"))
    asked = served.get("/v1/series", measure="preterm", organisation="RGT", from_=first, to=last)
    assert asked.status_code == status


@pytest.mark.parametrize(
    ("first", "last", "periods"),
    [
        ("2026", "2026", [f"2026-{month:02}" for month in range(1, 13)]),
        ("2026-Q1", "2026-Q1", ["2026-01", "2026-02", "2026-03"]),
        ("2025-26", "2025-26", [f"2025-{month:02}" for month in range(4, 13)] + ["2026-01", "2026-02", "2026-03"]),
        ("2031", "2031", [f"2031-{month:02}" for month in range(1, 13)]),
    ],
)
def test_who_asks_for_a_year_of_monthly_figures_is_given_its_months(
    served: Served, first: str, last: str, periods: list[str]
) -> None:
    with_figures(served)
    items = served.read("/v1/series", measure="preterm", organisation="RGT", from_=first, to=last)["items"]
    assert [one["period"] for one in items] == periods


def test_figures_by_the_month_are_not_said_to_be_missing_by_the_day(served: Served) -> None:
    with_figures(served)
    asked = {"measure": "preterm", "organisation": "RGT"}
    refused = served.get("/v1/series", **asked, from_="2026-01-01", to="2026-01-31")
    assert (refused.status_code, "by the month" in refused.json()["detail"]) == (422, True)
    assert served.get("/v1/explain", **asked, period="2026-Q1").status_code == 404


def test_a_funnel_of_nobody_says_so_and_by_what_the_measure_is(served: Served) -> None:
    with_figures(served)
    quarter = served.read("/v1/funnels/preterm", period="2026-Q1")
    assert (quarter["items"], quarter["notices"]) == (
        [],
        ["No organisation has a figure of 2026-Q1; this measure is by the month."],
    )


def test_before_anything_was_known_an_answer_is_as_of_the_instant_asked_for(served: Served) -> None:
    with_figures(served)
    before = served.read("/v1/series", measure="preterm", organisation="RGT", known_at="2020-01-01T00:00:00Z")
    assert (before["as_of"], before["data_version"]) == ("2020-01-01T00:00:00+00:00", 0)


def test_a_count_has_no_funnel(served: Served) -> None:
    served.hear(a_measure("deaths", denominator=None, unit="count", chart="c"))
    assert served.get("/v1/funnels/deaths").status_code == 422


def test_inequalities_have_rates_the_gap_between_the_ends_and_the_indices(served: Served) -> None:
    with_figures(served)
    found = served.read("/v1/inequalities/preterm/RGT", from_="2025-04", to="2026-03")
    rates = {item["stratum"]: item["value"] for item in found["items"]}
    assert rates["imd_quintile=1"] == pytest.approx(100 * 7.5 / 40)
    assert found["gap"] == pytest.approx(100 * (7.5 - 5.5) / 40)
    assert found["ratio"] == pytest.approx(7.5 / 5.5)
    assert found["sii"] == pytest.approx(-100 * 0.5 / 40 * 5)
    assert found["sii_lower_95"] is None or found["sii_lower_95"] < found["sii"]
    assert found["unknown_share"] == 0


def test_a_year_of_inequalities_is_of_the_months_whose_figures_have_both_halves(served: Served) -> None:
    # given a month of figures, and one that awaits its denominators
    served.hear(an_organisation("RGT"))
    for month, size in (("2026-04", 100), ("2026-05", None)):
        rows = [counted("preterm", 10, size), counted("preterm", 10, size, "imd_quintile=1")]
        served.hear(a_return(rows, feed="measure-counts", period=month))

    found = served.read("/v1/inequalities/preterm/RGT")

    assert (found["whole"]["numerator"], found["whole"]["denominator"], found["items"][0]["value"]) == (10, 100, 10)


@pytest.mark.parametrize(("basis", "of"), [("as_was", {"RVJ": 100, "RGT": 200}), ("as_is_now", {"RGT": 300})])
def test_whoever_was_succeeded_is_compared_as_it_is_now_with_nobody_else(
    served: Served, basis: str, of: dict[str, int]
) -> None:
    served.hear(
        an_organisation("QUE", kind="icb"),
        an_organisation("RVJ", within={"QUE": ("icb", None, "2026-02-01")}, succeeded_by=("RGT", "2026-02-01")),
        an_organisation("RGT", within=WITHIN),
    )
    for code, size in (("RVJ", 100), ("RGT", 200)):
        row = counted("preterm", 20, size)
        served.hear(a_return([row], feed="measure-counts", organisation=code, period="2026-01"))

    funnel = served.read("/v1/funnels/preterm", org_basis=basis)["items"]
    matrix = served.read("/v1/matrix", within="QUE", org_basis=basis)["items"]

    assert {one["organisation"]: one["denominator"] for one in funnel} == of
    assert {one["organisation"]: one["denominator"] for one in matrix} == {"QUE": 300, **of}


@pytest.mark.parametrize(("period", "compared"), [("2026-01", ["RGN", "RGT"]), ("2026-02", ["RGN"])])
def test_a_funnel_is_of_those_who_lay_within_then(served: Served, period: str, compared: list[str]) -> None:
    served.hear(
        an_organisation("QUE", kind="icb"),
        an_organisation("RGT", within={"QUE": ("icb", None, "2026-02-01")}),
        an_organisation("RGN", within=WITHIN),
    )
    for code in ("RGT", "RGN"):
        row = counted("preterm", 20, 200)
        served.hear(a_return([row], feed="measure-counts", organisation=code, period=period))

    funnel = served.read("/v1/funnels/preterm", within="QUE", period=period)

    assert [one["organisation"] for one in funnel["items"]] == compared


def test_the_matrix_says_what_each_chart_says(served: Served) -> None:
    with_figures(served)
    served.hear_together(monthly([60.0]))
    items = served.read("/v1/matrix", within="QUE")["items"]
    assert {item["organisation"] for item in items} == {"QUE", "RGT", "RGN", "RDE"}
    for item in items:
        chart = served.read(f"/v1/charts/{item['measure']}/{item['organisation']}")
        assert (item["variation"], item["assurance"], item["chart"], item["target"]) == (
            chart["variation"], chart["assurance"], chart["chart"], chart["target"]["value"],
        )  # fmt: skip
        assert item["value"] == chart["points"][-1]["value"]
        assert item["centre"] == pytest.approx(chart["segments"][-1]["centre"])


def test_the_matrix_asks_for_an_organisation(served: Served) -> None:
    assert served.get("/v1/matrix").status_code == 422
    assert served.get("/v1/matrix", organisation="RGT", within="QUE").status_code == 422


def test_progress_says_where_a_target_stands_and_whether_the_process_can_reach_it(served: Served) -> None:
    with_figures(served)
    served.hear(a_target(due="2099-03-31", baseline={"value": 10.0, "period": "2024"}, trajectory={"shape": "linear"}))
    found = served.read("/v1/targets/preterm-6/progress", organisation="RGT")
    assert found["baseline"] == {"value": 10.0, "on": "2024-12-31"}
    assert found["now"]["value"] == pytest.approx(10.5)
    assert 9.9 < found["now"]["expected"] < 10
    assert found["status"] == "behind"
    assert found["prospect"]["reaches"] in ("never", "by_chance")
    assert "6" in found["prospect"]["reason"]
    assert [one["value"] for one in found["trajectory"]][-1] == 6.0


def test_progress_of_a_target_does_not_exist_where_it_does_not_hold(served: Served) -> None:
    with_figures(served)
    served.hear(a_target("for-rgn", scope="RGN"))
    assert served.get("/v1/targets/for-rgn/progress", organisation="RGT").status_code == 404
    assert served.get("/v1/targets/unheard-of/progress").status_code == 404


def test_a_figure_is_explained_down_to_its_returns(served: Served) -> None:
    with_figures(served)
    counted_return = a_return(some_births(preterm=8, term=92, month="2026-07"), period="2026-07")
    served.hear(counted_return)
    found = served.read("/v1/explain", measure="preterm", organisation="RGT", period="2026-07")
    assert found["numbers"]["value"] == 8.0
    assert found["formula"] == (
        "(number of rows of births where gestation_length_at_birth is below 259) divided by "
        "(number of rows of births), times 100."
    )
    assert found["counted_from"] == ["rows"]
    assert found["returns"][0]["submission_id"] == counted_return.submission_id
    assert found["returns"][0]["rows"] == 100
    assert found["segment"]["segment"] == found["point"]["segment"] == 0
    assert found["suppression"] == {
        "policy": "small-numbers", "applied": False, "small_below": 8, "small_shown_as": None, "rounded_to": 5,
    }  # fmt: skip
    ready = served.read("/v1/explain", measure="preterm", organisation="RGT", period="2026-06")
    assert ready["counted_from"] == ["counted"]


def test_a_period_in_which_nothing_was_sent_is_explained_as_that(served: Served) -> None:
    with_figures(served)
    found = served.read("/v1/explain", measure="preterm", organisation="RGT", period="1999-01")
    assert found["numbers"]["status"] == "not_submitted"
    assert (found["numbers"]["value"], found["returns"]) == (None, [])


def test_a_chart_is_drawn_as_png(served: Served) -> None:
    with_figures(served)
    answer = served.get("/v1/charts/preterm/RGT", format="png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


def test_a_chart_as_png_has_its_letters_wherever_it_is_drawn() -> None:
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"><text y="15" font-family="{}">{}</text></svg>'
    )
    assert rasterised(drawn.format("Arial, sans-serif", "preterm")) != rasterised(drawn.format("sans-serif", ""))


@pytest.mark.parametrize(
    ("path", "accept", "told_as"),
    [
        ("/v1/series", "text/csv", "text/csv; charset=utf-8"),
        ("/v1/series", "application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("/v1/charts/preterm/RGT", "image/svg+xml", "image/svg+xml"),
        ("/v1/charts/preterm/RGT", "application/vnd.vegalite.v5+json", "application/vnd.vegalite.v5+json"),
        ("/v1/exports/preterm", "text/csv", "text/csv; charset=utf-8"),
    ],
)
def test_a_form_without_a_place_for_it_says_in_headers_what_it_stands_on(
    served: Served, path: str, accept: str, told_as: str
) -> None:
    with_figures(served)
    whole = served.read("/v1/series", **READS["/v1/series"])
    answer = served.get(path, **READS.get(path, {}), headers={"Accept": accept})
    assert answer.headers["content-type"] == told_as
    assert datetime.fromisoformat(answer.headers["X-As-Of"]) == datetime.fromisoformat(whole["as_of"])
    assert answer.headers["X-Data-Version"] == str(whole["data_version"])


@pytest.mark.parametrize(
    ("asked", "named", "word"),
    [
        ({"by": "postcode"}, "by", "ethnic_group"),
        ({"stratum": "imd"}, "stratum", "name=value"),
        ({"stratum": "imd_quintile=1", "by": "imd_quintile"}, "stratum", "either"),
    ],
)
def test_a_split_there_cannot_be_is_refused_and_named(
    served: Served, asked: dict[str, str], named: str, word: str
) -> None:
    with_figures(served)
    answer = served.get("/v1/series", measure="preterm", organisation="RGT", **asked)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == named
    assert word in answer.json()["errors"][0]["message"]


def test_an_export_has_every_cell_and_stratum(served: Served) -> None:
    with_figures(served)
    lines = served.get("/v1/exports/preterm").text.splitlines()
    assert len(lines) == 1 + 18 * (6 + 1 + 1)
    assert lines[0].startswith("measure,organisation,organisation_name,organisation_kind,period,")


@pytest.mark.parametrize(
    ("path", "asked", "column"),
    [
        ("/v1/series", {"measure": "preterm", "organisation": "RGT"}, "numerator"),
        ("/v1/funnels/preterm", {"period": "2026-01"}, "lower_998"),
        ("/v1/matrix", {"organisation": "RGT"}, "variation"),
        ("/v1/signals", {"organisation": "RGT"}, "detected_at"),
    ],
)
def test_a_table_without_rows_has_the_columns_of_one_with_rows(
    served: Served, path: str, asked: dict[str, str], column: str
) -> None:
    served.hear(an_organisation("RGT"))
    text = served.get(path, format="csv", **asked).text
    assert text.count("\n") == 1
    assert column in text.strip().split(",")
    frame = pl.read_parquet(served.get(path, format="parquet", **asked).content)
    assert (frame.height, column in frame.columns) == (0, True)


def test_a_table_without_rows_and_one_with_rows_have_the_same_columns(served: Served) -> None:
    served.hear(an_organisation("RGT"))
    asked = {"measure": "preterm", "organisation": "RGT", "format": "csv"}
    without = served.get("/v1/series", **asked).text.splitlines()[0]
    served.hear_together(monthly([20.0]))
    assert served.get("/v1/series", **asked).text.splitlines()[0] == without

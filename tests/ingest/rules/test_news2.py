"""NEWS2 scored again from its parameters, at every boundary of the chart, and told where it is not what was sent."""

import csv
import re
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from services.ingest.rules.feeds import Feed
from services.ingest.rules.news2 import scored
from tests.ingest.builders import CATALOGUE, feed_spec

DATA = Path(__file__).parents[4] / "shared" / "data" / "deterioration" / "synthetic_news_obs.csv"
WELL = {
    "tool": "NEWS2", "resp_rate": 16, "spo2": 97, "spo2_scale": "1", "on_oxygen": False, "sbp": 120, "pulse": 70,
    "acvpu": "A", "temperature": 37.0,
}  # fmt: skip


def score(**changes):
    return scored(pl.DataFrame([WELL | changes])).row(0, named=True)


@pytest.mark.parametrize(
    ("parameter", "value", "points"),
    [
        *[("resp_rate", v, p) for v, p in ((8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3))],
        *[("spo2", v, p) for v, p in ((91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0))],
        *[("sbp", v, p) for v, p in ((90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3))],
        *[("pulse", v, p) for v, p in ((40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2))],
        *[("pulse", v, p) for v, p in ((130, 2), (131, 3))],
        *[("acvpu", v, p) for v, p in (("A", 0), ("C", 3), ("V", 3), ("P", 3), ("U", 3))],
        *[("temperature", v, p) for v, p in ((35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1))],
        *[("temperature", v, p) for v, p in ((39.0, 1), (39.1, 2))],
        ("on_oxygen", True, 2),
    ],
)
def test_each_parameter_scores_as_the_chart_says_on_both_sides_of_every_boundary(parameter, value, points):
    assert score(**{parameter: value}) == {
        "total": points,
        "red": points == 3,
        "other": score(**{parameter: value})["other"],
    }


@pytest.mark.parametrize(
    ("spo2", "on_oxygen", "points"),
    [
        *[
            (v, air, p)
            for v, p in ((83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0))
            for air in (False, True)
        ],
        *[(v, False, 0) for v in (93, 94, 95, 96, 97, 100)],
        *[(v, True, p) for v, p in ((93, 1), (94, 1), (95, 2), (96, 2), (97, 3), (100, 3))],
    ],
)
def test_the_second_scale_of_saturation_asks_whether_oxygen_is_given(spo2, on_oxygen, points):
    assert score(spo2=spo2, spo2_scale="2", on_oxygen=on_oxygen)["total"] == points + 2 * on_oxygen


def test_the_worst_there_can_be_is_twenty():
    worst = score(resp_rate=30, spo2=80, on_oxygen=True, sbp=80, pulse=140, acvpu="U", temperature=34.0)

    assert (worst["total"], worst["red"]) == (20, True)


def test_a_temperature_counts_to_a_tenth_of_a_degree():
    assert [score(temperature=t)["total"] for t in (35.04, 35.06, 38.04, 38.06)] == [3, 1, 0, 1]


@pytest.mark.parametrize("missing", ["resp_rate", "spo2", "sbp", "pulse", "acvpu", "temperature"])
def test_nothing_is_worked_out_from_parameters_that_are_not_all_there(missing):
    one = scored(pl.DataFrame([WELL, WELL | {missing: None}])).row(1, named=True)

    assert one == {"total": None, "red": None, "other": None}


def test_other_tools_are_left_alone():
    assert score(tool="MEWS")["total"] is None


def codes(name):
    with (CATALOGUE / "codelists.csv").open(newline="") as file:
        return [(row["code"], int(row["label"])) for row in csv.DictReader(file) if row["list"] == name]


def fits(code, value):
    numbers = [float(n) for n in re.findall(r"[0-9.]+", code)]
    if code.startswith("<="):
        return value <= numbers[0]
    return value >= numbers[0] if code.startswith(">=") else numbers[0] <= value <= numbers[-1]


@pytest.mark.parametrize(
    ("parameter", "listed", "values"),
    [
        ("resp_rate", "NEWS2_RESP_RATE", range(60)),
        ("spo2", "NEWS2_SPO2_SCALE1", range(70, 101)),
        ("sbp", "NEWS2_SBP", range(60, 240)),
        ("pulse", "NEWS2_PULSE", range(20, 200)),
        ("temperature", "NEWS2_TEMP", [t / 10 for t in range(330, 420)]),
    ],
)
def test_every_value_scores_what_the_code_lists_say(parameter, listed, values):
    told = scored(pl.DataFrame([WELL | {parameter: float(v) if parameter == "temperature" else v} for v in values]))

    assert told["total"].to_list() == [next(p for code, p in codes(listed) if fits(code, v)) for v in values]


def observation(**changes):
    row = {
        "provider_org_code": "RGT", "encounter_id": "S1", "obs_datetime": "2026-05-03T10:00:00",
        "ethnic_category": "A", "nhs_number_status": "01",
    }  # fmt: skip
    return row | {name: str(value) for name, value in (WELL | changes).items()}


def judged_observations(judge, *rows):
    names = list(rows[0])
    lines = [",".join(names), *(",".join(row[name] for name in names) for row in rows)]
    return judge(Feed.from_spec(feed_spec("observations")), "\n".join(lines) + "\n")


def told(judged):
    chosen = judged.faults.filter(pl.col("code").str.starts_with("news2"))
    return chosen.select("column", "found", "expected", "severity").rows()


def test_a_total_that_is_not_what_the_parameters_score_is_a_warning_with_both_and_the_row_lands(judge):
    judged = judged_observations(judge, observation(resp_rate=22, total_score=1, any_red_score="false"))

    assert told(judged) == [("total_score", "1", "2", "warning")]
    assert judged.counts["accepted"] == 1
    assert judged.accepted["total_score"].to_list() == [1]


def test_the_total_of_the_other_scale_of_saturation_is_recognised(judge):
    judged = judged_observations(judge, observation(spo2=90, spo2_scale="1", total_score=0, any_red_score="true"))

    assert told(judged) == [("total_score", "0", "3", "warning")]
    assert "other SpO2 scale" in judged.faults.filter(pl.col("code") == "news2-total-differs")["hint"][0]


def test_a_red_score_that_was_not_seen_is_told(judge):
    judged = judged_observations(judge, observation(acvpu="C", total_score=3, any_red_score="false"))

    assert told(judged) == [("any_red_score", "false", "true", "warning")]


def test_a_total_that_is_right_is_not_spoken_of(judge):
    rows = [
        observation(encounter_id=f"S{n}", resp_rate=rate, on_oxygen=str(oxygen).lower(),
                    total_score=points + 2 * oxygen, any_red_score=str(points == 3).lower())
        for n, ((rate, points), oxygen) in enumerate(product(((16, 0), (22, 2), (30, 3)), (False, True)))
    ]  # fmt: skip

    assert told(judged_observations(judge, *rows)) == []


def test_a_feed_cannot_ask_for_a_score_that_there_is_not():
    with pytest.raises(ValueError, match="a score of this name"):
        Feed.from_spec(feed_spec("observations") | {"recomputed": "APACHE"})


@pytest.mark.published
@pytest.mark.skipif(not DATA.exists(), reason="published figures are not beside this checkout")
def test_of_800_synthetic_sets_whose_totals_were_made_up_apart_from_their_parameters_298_are_told_to_differ():
    table = pl.read_csv(DATA)
    rows = table.select(
        tool=pl.lit("NEWS2"), resp_rate="resp", spo2="sat", spo2_scale=pl.lit("1"), on_oxygen=pl.col("sup") == 1,
        sbp="syst", pulse="pulse", acvpu=pl.when(pl.col("alert") == 0).then(pl.lit("A")).otherwise(pl.lit("V")),
        temperature="temp",
    )  # fmt: skip
    differs = scored(rows)["total"] != table["NEWS"]

    assert (differs.sum(), differs.null_count()) == (298, 0)

"""Published figures, month by month and with revisions: what was answered then is answered again.

The newest 14 months; PSIP_MONTHS=38 takes all there are.
"""

import os
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.journeys import published
from tests.journeys.journey import Journey
from tests.journeys.published import Pair, Place
from tests.journeys.test_published_figures import OVER_FOUR_HOURS

pytestmark = [
    pytest.mark.published,
    pytest.mark.skipif(not published.FOLDER.exists(), reason="no published figures are kept beside the checkout"),
    pytest.mark.parametrize("journey", ["local"], indirect=True),
]
MEASURE = "md-ae-month-by-month"
MONTHS = int(os.environ.get("PSIP_MONTHS", "14"))
REVISED, MORE = 5, 7
"""Each month some trusts send the month before again, with that many more."""
OF_THE_POINT = ("value", "centre", "lower", "upper", "outside", "rule", "signal", "segment")


class Answered:
    """What was asked of an instant, and the bytes of the answers."""

    def __init__(self, journey: Journey, instant: str, month: str, trusts: list[str]) -> None:
        self._http = journey.http("national")
        self.asked: list[tuple[str, dict[str, Any]]] = [
            *((f"/v1/charts/{MEASURE}/{code}", {"known_at": instant}) for code in (*trusts, "ENGLAND")),
            ("/v1/series", {"measure": MEASURE, "organisation": "ENGLAND", "format": "csv", "known_at": instant}),
            (f"/v1/funnels/{MEASURE}", {"period": month, "known_at": instant}),
            ("/v1/matrix", {"organisation": trusts[0], "known_at": instant}),
        ]
        self.bytes = self.again()

    def again(self) -> list[bytes]:
        return [self._http.get(path, params=params).raise_for_status().content for path, params in self.asked]


class Posted:
    """The months as they were sent: what every trust has said in the end, and what was answered on the way."""

    def __init__(self) -> None:
        self.figures: dict[Place, Pair] = {}
        self.answered: list[Answered] = []


def registered(journey: Journey) -> None:
    journey.introduce("third-lead", "*", like="national")
    counted = {half: {**OVER_FOUR_HOURS[half], "where": {"field": "measure", "equals": MEASURE}}
               for half in ("numerator", "denominator")}  # type: ignore[dict-item]  # fmt: skip
    rows = [{"measure": MEASURE, "numerator": 3, "denominator": 40, "stratum": ""}]
    example = {"rows": rows, "expect": {"numerator": 3, "denominator": 40}}
    told = {"id": MEASURE, **OVER_FOUR_HOURS, **counted, "chart": "xmr", "examples": [example]}
    journey.as_("national").post("/v1/measures", told)
    journey.as_("third-lead").post(f"/v1/measures/{MEASURE}/publish", None)
    journey.settle()


@pytest.fixture(scope="module")
def posted(journey: Journey) -> Posted:
    registered(journey)
    by_month: dict[str, dict[Place, Pair]] = defaultdict(dict)
    for (code, month), pair in sorted(published.emergency().items()):
        by_month[month][code, month] = pair
    done, before = Posted(), dict[Place, Pair]()
    for month in sorted(by_month)[-MONTHS:]:
        revised = {place: (n + MORE, d + MORE) for place, (n, d) in list(before.items())[:REVISED]}
        sent = revised | by_month[month]
        receipt = journey.as_("supplier").submit(published.as_counts(sent, measure=MEASURE), feed="measure-counts")
        assert receipt.rows["accepted"] == len(sent), receipt.faults[:2]
        journey.settle()
        done.figures |= sent
        trusts = [code for code, _ in list(by_month[month])[: REVISED + 1]]
        done.answered.append(Answered(journey, datetime.now(UTC).isoformat(), month, trusts))
        before = by_month[month]
    return done


def test_each_month_is_answered_the_same_again_byte_for_byte(posted: Posted) -> None:
    assert len(posted.answered) == MONTHS
    assert len({tuple(one.bytes) for one in posted.answered}) == MONTHS
    for one in posted.answered:
        for (path, _), then, now in zip(one.asked, one.bytes, one.again(), strict=True):
            assert now == then, path


def test_the_chart_of_every_trust_is_that_of_the_engine(journey: Journey, posted: Posted) -> None:
    national = journey.as_("national")
    by_trust: dict[str, dict[str, Pair]] = defaultdict(dict)
    for (code, month), pair in posted.figures.items():
        by_trust[code][month] = pair
    charts = {code: national.chart(MEASURE, code) for code in by_trust}
    series = [
        {"id": code, "chart": "xmr", "improvement": "decrease", "labels": [one["period"] for one in chart["points"]],
         "values": [one["value"] for one in chart["points"]]}
        for code, chart in charts.items()
    ]  # fmt: skip

    answered = national.post("/v1/statistics/spc", {"series": series})["series"]

    assert len(charts) > 100
    for one in answered:
        chart = charts[one["id"]]
        pairs = by_trust[one["id"]]
        assert {point["period"]: point["numerator"] for point in chart["points"] if point["value"] is not None} == {
            month: n for month, (n, _) in pairs.items()
        }
        for shown, point in zip(chart["points"], one["points"], strict=True):
            assert {name: shown[name] for name in OF_THE_POINT} == {name: point[name] for name in OF_THE_POINT}


def test_the_funnel_of_each_month_is_that_of_the_engine(journey: Journey, posted: Posted) -> None:
    national = journey.as_("national")
    for month in sorted({month for _, month in posted.figures})[::6]:
        funnel = national.get(f"/v1/funnels/{MEASURE}", period=month)
        rows = [{"group": one["organisation"], "numerator": one["numerator"], "denominator": one["denominator"]}
                for one in funnel["items"]]  # fmt: skip

        engine = national.post("/v1/statistics/funnel", {"kind": "proportion", "multiplier": 100, "rows": rows})

        assert len(rows) > 50
        assert (funnel["phi"], funnel["tau2"]) == (engine["phi"], engine["tau2"])
        limits = {one["group"]: (one["lower_998"], one["upper_998"], one["outlier"]) for one in engine["rows"]}
        assert limits == {
            one["organisation"]: (one["lower_998"], one["upper_998"], one["outlier"]) for one in funnel["items"]
        }

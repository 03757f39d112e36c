"""Signals: found as figures arrive, told once, resolved by themselves; quiet where little can be said."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from services.measures.commands import judge_aggregates
from services.measures.events import HANDLERS
from shared.contracts.ingest import ReturnPublished
from shared.contracts.measures import SignalDetected
from shared.contracts.programmes import AnnotationSet
from tests.measures.builders import MONTHS, NOW, a_measure, an_organisation, monthly
from tests.measures.conftest import Served

QUIET = [20.0, 22, 19, 21, 20, 18, 23, 20, 21, 19, 22, 20, 18, 21, 20, 22, 19]


def signals(served: Served, **asked: Any) -> list[tuple[str, ...]]:
    items = served.read("/v1/signals", **({"organisation": "RGT"} | asked))["items"]
    return [(item["measure"], item["period"], item["variation"], item["state"]) for item in items]


def everything_told(served: Served) -> list[SignalDetected]:
    with served.database.session() as session:
        rows = session.execute(text("select body from outbox where topic like 'measures.signals%' order by position"))
        return [msgspec.json.decode(bytes(row.body), type=SignalDetected) for row in rows]


def told(served: Served) -> list[tuple[str, str]]:
    return [(one.variation, one.state) for one in everything_told(served)]


def set_up(served: Served, *more: Any) -> None:
    served.hear(an_organisation("QUE", kind="icb"), an_organisation("RGT", within={"QUE": ("icb", None, None)}), *more)


def test_a_signal_is_found_when_its_figure_arrives_and_told_once(served: Served) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET, 60]))
    assert signals(served) == [("preterm", "2026-06", "concern_high", "detected")]
    served.hear_together(monthly([60]))
    assert told(served) == [("concern_high", "detected")]


@pytest.mark.parametrize(("points", "found"), [(12, []), (13, [("concern_high", "detected")])])
def test_a_chart_of_trial_limits_is_silent_and_one_of_a_point_more_is_not(
    served: Served, points: int, found: list[tuple[str, str]]
) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET[: points - 1], 60]))
    assert told(served) == found


def test_a_signal_is_what_the_chart_shows(served: Served) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET, 60]))
    chart = served.read("/v1/charts/preterm/RGT")
    (item,) = served.read("/v1/signals", organisation="RGT")["items"]
    assert (item["variation"], item["rule"]) == (chart["variation"], chart["points"][-1]["rule"])


def test_a_signal_that_is_over_is_resolved_by_itself(served: Served) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET, 60]))
    served.hear_together(monthly([20]))
    assert signals(served) == [("preterm", "2026-06", "concern_high", "resolved")]
    assert signals(served, state="detected") == []
    assert told(served) == [("concern_high", "detected"), ("concern_high", "resolved")]


def test_a_signal_that_turns_round_ends_the_one_before(served: Served) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET, 60]))
    served.hear_together(monthly([0]))
    assert signals(served) == [
        ("preterm", "2026-06", "concern_high", "resolved"),
        ("preterm", "2026-06", "improvement_low", "detected"),
    ]
    assert told(served) == [("concern_high", "detected"), ("improvement_low", "detected")]


def test_a_budget_of_false_alarms_leaves_out_what_chance_would_tell_too_often(served: Served) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET, 60.0]))  # outside the limits
    served.hear(an_organisation("RGN", within={"QUE": ("icb", None, None)}))
    served.hear_together(
        monthly([20, 22, 19, 21, 20, 22, 19, 21, 20, 22, 26, 25, 26, 27, 25, 26, 27, 26], organisation="RGN")
    )

    def rules(**asked: Any) -> set[str]:
        return {one["rule"] for one in served.read("/v1/signals", within="QUE", **asked)["items"]}

    assert rules() == {"outside", "shift"}
    assert rules(budget=0.02) == {"outside"}
    told_of = served.read("/v1/signals", within="QUE", budget=0.02)["false_alarms"]
    assert (told_of["charts"], told_of["rules"]) == (3, ["trend", "two_of_three", "outside"])
    assert 0 < told_of["expected_false_alarms"] <= 0.02
    assert served.get("/v1/signals", within="QUE", budget=-1).status_code == 422


def test_trial_limits_are_quiet(served: Served) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET[:11], 60]))
    assert signals(served) == []


def test_denominators_below_the_minimum_are_quiet(served: Served) -> None:
    set_up(served, a_measure(minimum_denominator=300))
    served.hear_together(monthly([*QUIET, 60]))
    assert signals(served) == []


def test_an_accepted_step_change_ends_the_signal_it_explains(served: Served) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET[:5], *[value * 2 for value in QUIET[:13]]]))
    assert [one[3] for one in signals(served)] == ["detected"]
    step = AnnotationSet(id="s", kind="step_change", organisation="RGT", measure="preterm", on=date(2025, 6, 1),
                         text="A new pathway", set_at=NOW)  # fmt: skip
    served.hear(step)
    assert [one[3] for one in signals(served)] == ["resolved"]


def test_signals_of_all_within_an_organisation_are_paged(served: Served) -> None:
    set_up(served, an_organisation("RGN", within={"QUE": ("icb", None, None)}))
    for code in ("RGT", "RGN"):
        served.hear_together(monthly([*QUIET, 60], organisation=code))
    first = served.read("/v1/signals", within="QUE", limit=1)
    second = served.read("/v1/signals", within="QUE", limit=1, cursor=first["next_cursor"])
    assert [item["organisation"] for item in first["items"] + second["items"]] == ["RGT", "RGN"]
    assert second["next_cursor"] is None


def test_a_signal_found_in_the_first_hour_of_a_summers_day_is_of_that_day(served: Served) -> None:
    set_up(served)
    served.hear_together(monthly([*QUIET, 60]))
    with served.database.session() as session:
        session.execute(text("update signal set detected_at = '2026-07-01T23:30:00Z'"))
    assert [len(signals(served, from_=day)) for day in ("2026-07-02", "2026-07-03")] == [1, 0]


@pytest.mark.parametrize(("small", "seen"), [(3, 0), (20, 1)])
def test_the_public_is_told_of_no_chart_with_small_numbers(served: Served, small: float, seen: int) -> None:
    set_up(served)
    served.hear_together(monthly([small, *QUIET[1:], 60]))
    assert len(signals(served)) == 1
    assert len(signals(served, who=served.as_("public"))) == seen


def test_a_signal_that_stands_is_the_publics_while_none_of_its_figures_is_small(served: Served) -> None:
    set_up(served)
    seen = []
    for first in (20, 3, 20):
        served.hear_together(monthly([first, *QUIET[1:], 60]))
        seen.append((len(signals(served)), len(signals(served, who=served.as_("public")))))
    assert seen == [(1, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize(("count", "small"), [(3, True), (20, False)])
def test_those_who_listen_are_told_whether_the_public_may_be(served: Served, count: float, small: bool) -> None:
    """Also when the signal is over: that it was there says as much."""
    set_up(served)
    served.hear_together(monthly([count, *QUIET[1:], 60]))
    served.hear_together(monthly([20]))
    with served.database.session() as session:
        rows = session.execute(
            text("select convert_from(body, 'utf8')::jsonb as one from outbox where topic like 'measures.signals%'")
        )
        assert [(row.one["state"], row.one["small"]) for row in rows] == [("detected", small), ("resolved", small)]


def as_an_icb(served: Served, *codes: str, **definition: Any) -> None:
    """An ICB of these trusts, and the worker that judges it has nothing to do."""
    within = {"QUE": ("icb", None, None)}
    served.hear(
        a_measure(version="2.0.0", **definition),
        an_organisation("QUE", kind="icb", within={"ENGLAND": ("national", None, None)}),
    )
    served.hear(*(an_organisation(code, within=within) for code in codes))


def judge(served: Served) -> int:
    with served.database.session() as session:
        return judge_aggregates(session)


def test_an_icb_signals_where_none_of_its_trusts_does(served: Served) -> None:
    as_an_icb(served, "RGT", "RGN")
    rise = [23.0] * 8
    for code in ("RGT", "RGN"):
        shaken = [one + (3 if (n % 2) == (code == "RGT") else -3) for n, one in enumerate([*[20.0] * 10, *rise])]
        served.hear_together(monthly(shaken, denominator=1000, organisation=code))
    assert judge(served) > 0
    assert signals(served) == signals(served, organisation="RGN") == []
    (item,) = served.read("/v1/signals", organisation="QUE")["items"]
    chart = served.read("/v1/charts/preterm/QUE")
    assert (item["variation"], item["rule"]) == (chart["variation"], chart["points"][-1]["rule"])
    assert item["variation"] == "concern_high"


def test_an_operator_sees_how_much_is_still_to_be_judged(served: Served) -> None:
    as_an_icb(served, "RGT")
    served.hear_together(monthly([*QUIET, 60]))
    waiting = served.read("/health/ready")["messages"]["unjudged"]
    assert waiting == judge(served) > 0
    assert served.read("/health/ready")["messages"]["unjudged"] == 0


def test_an_aggregate_is_told_once_resolved_by_itself_and_judged_only_when_figures_move(served: Served) -> None:
    as_an_icb(served, "RGT")
    served.hear_together(monthly([*QUIET, 60]))
    assert (judge(served) > 0, judge(served)) == (True, 0)
    served.hear_together(monthly([61]))
    judge(served)
    served.hear_together(monthly([20]))
    judge(served)
    assert signals(served, organisation="QUE") == [("preterm", "2026-06", "concern_high", "resolved")]
    told_of = [(one.organisation, one.state) for one in everything_told(served)]
    assert [state for code, state in told_of if code == "QUE"] == ["detected", "resolved"]
    assert [state for code, state in told_of if code == "ENGLAND"] == ["detected", "resolved"]


def test_a_month_for_which_few_have_sent_is_not_judged_until_most_have(served: Served) -> None:
    as_an_icb(served, "RGT", "RGN", denominator=None, unit="count", chart="c", disclosure="none")
    steady = [value * 5 for value in QUIET]
    served.hear_together(monthly([*steady, 100], denominator=None))
    served.hear_together(monthly([*steady, 100], denominator=None, organisation="RGN")[:-1])
    judge(served)
    assert signals(served, organisation="QUE") == []

    served.hear_together(monthly([400], denominator=None, organisation="RGN"))
    judge(served)
    assert [one[1:3] for one in signals(served, organisation="QUE")] == [("2026-06", "concern_high")]


def test_an_organisation_that_moves_has_its_old_and_its_new_aggregate_judged_again(served: Served) -> None:
    as_an_icb(served, "RGT")
    served.hear_together(monthly([*QUIET, 60]))
    judge(served)
    served.hear(an_organisation("QWE", kind="icb"), an_organisation("RGT", within={"QWE": ("icb", None, None)}))
    judge(served)
    assert [one[3] for one in signals(served, organisation="QUE")] == ["resolved"]
    assert [one[3] for one in signals(served, organisation="QWE")] == ["detected"]


@pytest.mark.parametrize(("usual", "seen"), [([one // 8 for one in QUIET], 0), (QUIET, 1)])
def test_the_public_is_told_of_an_aggregate_only_what_its_own_chart_says(
    served: Served, usual: list[float], seen: int
) -> None:
    as_an_icb(served, "RGT", "RGN")
    for code in ("RGT", "RGN"):
        served.hear_together(monthly([*usual, 60], organisation=code))
    judge(served)
    assert len(signals(served, organisation="QUE")) == 1
    assert len(signals(served, organisation="QUE", who=served.as_("public"))) == seen


def test_the_budget_of_false_alarms_counts_the_charts_of_aggregates(served: Served) -> None:
    as_an_icb(served, "RGT", "RGN")
    for code in ("RGT", "RGN"):
        served.hear_together(monthly([*QUIET, 60], organisation=code))
    judge(served)
    assert served.read("/v1/signals", within="QUE", budget=1)["false_alarms"]["charts"] == 3
    assert served.read("/v1/signals", organisation="QUE", budget=1)["false_alarms"]["charts"] == 1


def test_a_step_change_accepted_for_an_aggregate_ends_its_signal(served: Served) -> None:
    as_an_icb(served, "RGT")
    served.hear_together(monthly([*QUIET[:5], *[value * 2 for value in QUIET[:13]]]))
    judge(served)
    served.hear(AnnotationSet(id="s", kind="step_change", organisation="QUE", measure="preterm", on=date(2025, 6, 1),
                              text="A new pathway", set_at=NOW))  # fmt: skip
    judge(served)
    assert [one[3] for one in signals(served, organisation="QUE")] == ["resolved"]
    assert [one[3] for one in signals(served)] == ["detected"]


def test_two_workers_that_bring_figures_of_one_organisation_together_miss_no_signal(served: Served) -> None:
    """Neither sees the other's figures while it works; the one that is judged last must."""
    set_up(served)
    first, second = monthly([*QUIET[:9]]), monthly([*QUIET[9:], 60])
    early = [msgspec.structs.replace(one, period=month) for one, month in zip(first, MONTHS, strict=False)]
    taken_in, done = threading.Event(), threading.Event()

    def take_in_early() -> None:
        with served.database.session() as session:
            HANDLERS[ReturnPublished](session, early)
            taken_in.set()
            waits = text("select exists (select 1 from pg_locks where locktype = 'advisory' and not granted)")
            while not done.is_set() and not session.scalar(waits):
                pass

    with ThreadPoolExecutor(1) as pool:
        earlier = pool.submit(take_in_early)
        taken_in.wait(20)
        served.hear_together(second)
        done.set()
        earlier.result(20)
    assert signals(served) == [("preterm", "2026-06", "concern_high", "detected")]

"""From returns to cells: what changed is computed anew, once, and history stays."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from services.measures.commands import verify
from services.measures.queries.explain import explain
from services.measures.queries.series import chart, series
from shared.contracts.ingest import QuarantineSettled, SubmissionCompleted
from shared.contracts.periods import Period
from shared.messaging.outbox import new_id
from tests.measures.builders import (
    BIRTHS_FEED,
    COUNTS_FEED,
    a_feed,
    a_measure,
    a_return,
    an_organisation,
    counted,
    some_births,
)
from tests.measures.conftest import Measures


def set_up(measures: Measures, *more: object) -> None:
    measures.hear(a_feed(BIRTHS_FEED), a_feed(COUNTS_FEED), a_measure(), an_organisation("RGT"), *more)  # type: ignore[arg-type]


def figures(answer: dict) -> list[tuple]:
    return [(item["period"], item["numerator"], item["denominator"], item["status"]) for item in answer["items"]]


def test_rows_become_figures_with_intervals_and_lineage(measures: Measures) -> None:
    set_up(measures)
    sent = a_return(some_births(preterm=8, term=92))
    measures.hear(sent)
    (item,) = measures.ask(series)["items"]
    assert (item["numerator"], item["denominator"], item["value"], item["status"]) == (8, 100, 8.0, "value")
    assert 4.1 < item["lower_95"] < 4.2 < 14.9 < item["upper_95"] < 15.1
    assert item["versions"] == [sent.version_id]
    assert item["provisional"] is True


def test_a_newer_version_replaces_the_figures_and_the_older_is_still_known_then(measures: Measures) -> None:
    set_up(measures)
    measures.hear(a_return(some_births(preterm=8, term=92), sequence=1))
    then = datetime.now(UTC)
    measures.hear(a_return(some_births(preterm=9, term=91), sequence=2))
    assert figures(measures.ask(series)) == [("2026-01", 9, 100, "value")]
    assert figures(measures.ask(series, known_at=then)) == [("2026-01", 8, 100, "value")]


def test_an_older_version_that_comes_late_changes_nothing(measures: Measures) -> None:
    set_up(measures)
    measures.hear(a_return(some_births(preterm=9, term=91), sequence=2))
    measures.hear(a_return(some_births(preterm=1, term=1), sequence=1))
    assert figures(measures.ask(series)) == [("2026-01", 9, 100, "value")]


def test_a_return_in_parts_counts_only_when_whole(measures: Measures) -> None:
    set_up(measures)
    first = a_return(some_births(preterm=1, term=9), sequence=1, parts=2, part=1, version_id="v1")
    second = a_return(some_births(preterm=2, term=8), sequence=1, parts=2, part=2, version_id="v1")
    measures.hear(second)
    assert figures(measures.ask(series)) == []
    measures.hear(first)
    assert figures(measures.ask(series)) == [("2026-01", 3, 20, "value")]


def test_a_withdrawn_return_leaves_no_figure_and_a_nil_return_says_so(measures: Measures) -> None:
    set_up(measures)
    measures.hear(a_return(some_births(preterm=1, term=9), sequence=1))
    measures.hear(a_return([], sequence=2, kind="withdrawn"))
    assert figures(measures.ask(series)) == []
    measures.hear(a_return([], sequence=3, kind="nil"))
    assert figures(measures.ask(series)) == [("2026-01", None, None, "nil_return")]


def test_the_figure_received_last_stands_whether_counted_or_from_rows(measures: Measures) -> None:
    set_up(measures)
    early, late = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 9, tzinfo=UTC)
    measures.hear(
        a_return([counted("preterm", 7, 70)], feed="measure-counts", received_at=late),
        a_return(some_births(preterm=9, term=91), received_at=early),
    )
    assert figures(measures.ask(series)) == [("2026-01", 7, 70, "value")]


def test_a_figure_counted_for_a_stratum_alone_leaves_the_whole_that_came_before(measures: Measures) -> None:
    set_up(measures)
    early, late = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 9, tzinfo=UTC)
    rows = a_return(some_births(preterm=9, term=91), received_at=early)
    part = [counted("preterm", 7, 70, "imd_quintile=1")]
    measures.hear(rows, a_return(part, feed="measure-counts", received_at=late))
    assert figures(measures.ask(series)) == [("2026-01", 9, 100, "value")]
    (item,) = measures.ask(series, stratum="imd_quintile=1")["items"]
    assert (item["numerator"], item["denominator"]) == (7, 70)
    assert len(item["versions"]) == 2


def test_a_definition_that_changes_moves_every_figure(measures: Measures) -> None:
    set_up(measures)
    measures.hear(a_return(some_births(preterm=8, term=92)), a_return(some_births(preterm=5, term=5), period="2026-02"))
    everything = {"feed": "births", "value": "count"}
    measures.hear(a_measure(version="2.0.0", numerator=everything))
    assert figures(measures.ask(series)) == [("2026-01", 100, 100, "value"), ("2026-02", 10, 10, "value")]


def test_returns_that_come_before_their_feed_or_measure_become_figures_when_it_comes(measures: Measures) -> None:
    measures.hear(a_return(some_births(preterm=8, term=92)), an_organisation("RGT"), a_measure(), a_feed(BIRTHS_FEED))
    assert figures(measures.ask(series)) == [("2026-01", 8, 100, "value")]


def test_a_missing_month_is_not_submitted_and_is_never_zero(measures: Measures) -> None:
    set_up(measures)
    measures.hear(
        a_return(some_births(preterm=8, term=92)),
        a_return(some_births(preterm=0, term=50, month="2026-03"), period="2026-03"),
    )
    assert figures(measures.ask(series)) == [
        ("2026-01", 8, 100, "value"),
        ("2026-02", None, None, "not_submitted"),
        ("2026-03", 0, 50, "zero"),
    ]


def test_a_month_whose_return_is_due_and_may_still_come_is_late(measures: Measures) -> None:
    set_up(measures, a_feed(BIRTHS_FEED | {"window": {"provisional_after_months": 1, "final_after_months": 2}}))
    measures.hear(a_return(some_births(preterm=8, term=92)))

    def statuses(day: datetime) -> list[str]:
        return [one["status"] for one in measures.ask(series, first="2026-01", last="2026-02", known_at=day)["items"]]

    with measures.database.session() as session:
        session.execute(text("update cell set known_from = '2026-02-01'"))
    assert statuses(datetime(2026, 3, 31, 12, tzinfo=UTC)) == ["value", "not_submitted"]
    assert statuses(datetime(2026, 4, 1, 12, tzinfo=UTC)) == ["value", "late"]
    assert statuses(datetime(2026, 5, 1, 12, tzinfo=UTC)) == ["value", "not_submitted"]


FILLED = {
    "feed": "births",
    "meets": {"field": "gestation_length_at_birth", "is": "present"},
    "at_least": 0.9,
    "says": "gestation is filled in",
}


def test_a_return_that_fails_a_quality_gate_is_of_low_quality_and_no_part_of_its_icb(measures: Measures) -> None:
    within = {"QUE": ("icb", None, None)}
    set_up(
        measures,
        a_measure(quality=[FILLED]),
        an_organisation("QUE", kind="icb"),
        *(an_organisation(code, within=within) for code in ("RGT", "RGN")),
    )
    blank = [{**row, "gestation_length_at_birth": None} for row in some_births(preterm=0, term=20)]
    measures.hear(a_return(some_births(preterm=10, term=70) + blank))
    measures.hear(a_return(some_births(preterm=5, term=45), organisation="RGN"))

    (own,) = measures.ask(series)["items"]
    (icb,) = measures.ask(series, organisation="QUE")["items"]

    assert (own["status"], own["value"]) == ("low_quality", None)
    assert own["failed"] == ["gestation is filled in: 80 of 100 rows, 90% needed"]
    assert (icb["status"], icb["numerator"], icb["denominator"], icb["completeness"]) == ("value", 5, 50, 1.0)
    assert icb["failed"] == ["RGT: gestation is filled in: 80 of 100 rows, 90% needed"]


def test_a_return_of_which_every_row_was_rejected_is_quarantined_until_one_lands(measures: Measures) -> None:
    set_up(measures)
    measures.hear(a_return(some_births(preterm=8, term=92)))

    def statuses() -> list[str]:
        return [one["status"] for one in measures.ask(series, first="2026-01", last="2026-02")["items"]]

    measures.hear(rejected("2026-01"), rejected("2026-02"))
    assert statuses() == ["value", "quarantined"]

    measures.hear(a_return(some_births(preterm=1, term=9, month="2026-02"), period="2026-02"))
    assert statuses() == ["value", "value"]


def test_a_quarantined_return_whose_rows_were_all_waived_is_quarantined_no_more(measures: Measures) -> None:
    set_up(measures)
    measures.hear(a_return(some_births(preterm=8, term=92)))
    first, second = rejected("2026-02"), rejected("2026-02")
    other = rejected("2026-03")
    measures.hear(first, second, other)

    def statuses() -> list[str]:
        return [one["status"] for one in measures.ask(series, first="2026-02", last="2026-03")["items"]]

    measures.hear(settled(first))
    assert statuses() == ["quarantined", "quarantined"]
    then = datetime.now(UTC)
    measures.hear(settled(second))
    assert statuses() == ["not_submitted", "quarantined"]
    items = measures.ask(series, first="2026-02", last="2026-03", known_at=then)["items"]
    assert [one["status"] for one in items] == ["quarantined", "quarantined"]


def settled(one: SubmissionCompleted) -> QuarantineSettled:
    return QuarantineSettled(id=one.id, feed=one.feed, returns=one.quarantined, settled_at=datetime.now(UTC))


def rejected(period: str) -> SubmissionCompleted:
    return SubmissionCompleted(
        id=new_id(), feed="births", submitted_by="a-supplier", status="rejected", rows={}, faults_total=1, returns=[],
        quarantined=[{"organisation": "RGT", "period": period}], completed_at=datetime.now(UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "figure"), [("nil", (0.0, 10.0, "zero")), ("withdrawn", (None, 10.0, "not_submitted"))]
)
def test_nothing_to_report_is_a_figure_of_0_beside_the_cases_of_another_feed(
    measures: Measures, kind: str, figure: tuple[float | None, float, str]
) -> None:
    incidents = {**BIRTHS_FEED, "id": "incidents"}
    numerator = {"feed": "incidents", "value": "count"}
    set_up(measures, a_feed(incidents), a_measure(numerator=numerator, unit="rate", chart="u"))
    measures.hear(a_return(some_births(preterm=1, term=9)), a_return([], feed="incidents", kind=kind))
    assert figures(measures.ask(series)) == [("2026-01", *figure)]


def test_an_aggregate_says_what_those_missing_could_make_of_it(measures: Measures) -> None:
    within = {"QUE": ("icb", None, None)}
    set_up(
        measures,
        an_organisation("QUE", kind="icb"),
        *(an_organisation(code, within=within) for code in ("RGT", "RGN")),
    )
    measures.hear(a_return(some_births(preterm=5, term=45)))
    measures.hear(a_return(some_births(preterm=5, term=5), organisation="RGN"))
    measures.hear(a_return(some_births(preterm=4, term=46, month="2026-02"), period="2026-02"))

    items = measures.ask(series, organisation="QUE")["items"]

    assert [(one["lowest"], one["highest"]) for one in items] == [(None, None), (100 * 4 / 60, 100 * 14 / 60)]


def test_what_was_sent_by_mistake_and_corrected_is_no_part_of_a_members_usual_size(measures: Measures) -> None:
    within = {"QUE": ("icb", None, None)}
    trusts = (an_organisation(code, within=within) for code in ("RGT", "RGN"))
    set_up(measures, an_organisation("QUE", kind="icb"), *trusts)

    def send(code: str, size: float, month: str) -> None:
        row = counted("preterm", 10, size)
        measures.hear(a_return([row], feed="measure-counts", organisation=code, period=month))

    send("RGN", 100_000, "2026-01")
    send("RGN", 100, "2026-01")
    send("RGT", 100, "2026-02")
    (_, item) = measures.ask(series, organisation="QUE")["items"]
    assert (item["lowest"], item["highest"]) == (pytest.approx(5), pytest.approx(55))


def test_an_icb_adds_up_its_trusts_while_they_lay_within_it(measures: Measures) -> None:
    set_up(
        measures,
        an_organisation("QUE", kind="icb"),
        an_organisation("RGT", within={"QUE": ("icb", None, "2026-02-01")}),
        an_organisation("RGN", within={"QUE": ("icb", None, None)}),
    )
    for month in ("2026-01", "2026-02"):
        for code, preterm in (("RGT", 8), ("RGN", 2)):
            measures.hear(a_return(some_births(preterm=preterm, term=10, month=month), organisation=code, period=month))
    was = measures.ask(series, organisation="QUE")
    now = measures.ask(series, organisation="QUE", basis="as_is_now")
    assert figures(was) == [("2026-01", 10, 30, "value"), ("2026-02", 2, 12, "value")]
    assert figures(now) == [("2026-01", 2, 12, "value"), ("2026-02", 2, 12, "value")]


def test_after_a_merger_the_successor_carries_on_the_figures_when_asked_as_it_is_now(measures: Measures) -> None:
    set_up(measures, an_organisation("RVJ", succeeded_by=("RGT", "2026-02-01")))
    measures.hear(
        a_return(some_births(preterm=3, term=7), organisation="RVJ"), a_return(some_births(preterm=1, term=9))
    )
    assert figures(measures.ask(series)) == [("2026-01", 1, 10, "value")]
    assert figures(measures.ask(series, basis="as_is_now")) == [("2026-01", 4, 20, "value")]


@pytest.mark.parametrize("rows", [[], [counted("preterm", 50, None)]], ids=["nil", "without its denominator"])
def test_what_the_one_before_sent_without_figures_takes_nothing_from_its_successors(
    measures: Measures, rows: list[dict[str, Any]]
) -> None:
    set_up(measures, an_organisation("RVJ", succeeded_by=("RGT", "2026-02-01")))
    feed, kind = ("measure-counts", "rows") if rows else ("births", "nil")
    measures.hear(a_return(rows, feed=feed, kind=kind, organisation="RVJ"))
    measures.hear(a_return(some_births(preterm=1, term=9)))
    assert figures(measures.ask(series, basis="as_is_now")) == [("2026-01", 1, 10, "value")]


def test_a_batch_of_many_small_returns_is_applied_in_one_go_and_told_once_an_organisation(measures: Measures) -> None:
    set_up(measures)
    batch = [a_return(some_births(preterm=1, term=9), organisation=f"X{n:03}") for n in range(300)]
    measures.hear_together(batch)
    with measures.database.session() as session:
        told = session.execute(text("select count(*) from outbox where topic = 'measures.cells.v1' and key like 'X%'"))
        assert told.scalar_one() == 300
        assert session.execute(text("select count(*) from cell where known_to is null")).scalar_one() == 300


def test_a_chart_has_a_point_for_every_period_and_says_in_words_what_it_shows(measures: Measures) -> None:
    set_up(measures)
    months = [f"2025-{n:02}" for n in range(1, 13)] + ["2026-01", "2026-02"]
    for number, month in enumerate(months):
        if month != "2025-05":
            rows = some_births(preterm=10 + number % 3, term=190, month=month)
            measures.hear(a_return(rows, period=month))
    answer = measures.ask(chart, kind=None)
    assert [point["period"] for point in answer["points"]] == months
    assert answer["points"][4]["status"] == "not_submitted"
    assert answer["points"][4]["value"] is None
    assert answer["chart"] == "p"
    assert answer["segments"][0]["last"] == 13
    assert "RGT NHS Trust" in answer["summary"]


def test_a_rolling_measure_moves_every_figure_that_a_month_is_in_and_keeps_what_was_known(measures: Measures) -> None:
    set_up(measures, a_measure(version="2.0.0", rolling=3, chart="run"))
    for month, preterm in (("2026-01", 1), ("2026-02", 2), ("2026-03", 3), ("2026-04", 4)):
        measures.hear(a_return(some_births(preterm=preterm, term=10, month=month), period=month, sequence=1))
    then = datetime.now(UTC)
    known = [("2026-03", 6, 36, "value"), ("2026-04", 9, 39, "value")]
    assert figures(measures.ask(series)) == known

    measures.hear(a_return(some_births(preterm=12, term=10, month="2026-02"), period="2026-02", sequence=2))
    assert figures(measures.ask(series)) == [("2026-03", 16, 46, "value"), ("2026-04", 19, 49, "value")]
    assert figures(measures.ask(series, known_at=then)) == known
    with measures.database.session() as session:
        assert verify(session) == []

    measures.hear(a_return([], period="2026-02", sequence=3, kind="withdrawn"))
    assert figures(measures.ask(series)) == []


def test_a_rolling_figure_is_explained_by_its_months_and_their_returns(measures: Measures) -> None:
    set_up(measures, a_measure(version="2.0.0", rolling=2, chart="run"))
    sent = [a_return(some_births(preterm=1, term=9, month=month), period=month) for month in ("2026-01", "2026-02")]
    measures.hear(*sent)
    told = measures.ask(lambda session, question: explain(session, question, Period.parse("2026-02")))
    assert told["periods"] == ["2026-02", "2026-01"]
    assert {one["version_id"] for one in told["returns"]} == {one.version_id for one in sent}
    assert (told["numbers"]["numerator"], told["numbers"]["denominator"]) == (2, 20)


def test_overlapping_windows_are_drawn_and_never_judged(measures: Measures) -> None:
    set_up(measures, a_measure(version="2.0.0", rolling=3, chart="run"))
    for number in range(24):
        month = f"{2024 + number // 12}-{number % 12 + 1:02}"
        rows = some_births(preterm=10 if number < 12 else 30, term=90, month=month)
        measures.hear(a_return(rows, period=month))
    told = measures.ask(chart, kind="xmr")
    assert (told["chart"], told["variation"], told["assurance"], told["runs"]) == ("run", "common_cause", None, [])
    assert any("each figure is of 3 periods" in one for one in told["notices"])
    with measures.database.session() as session:
        assert session.execute(text("select count(*) from signal")).scalar_one() == 0


def test_a_group_of_peers_adds_up_whom_somebody_put_in_it_wherever_they_lie(measures: Measures) -> None:
    set_up(
        measures,
        *(an_organisation(code, kind="icb") for code in ("QUE", "QOP")),
        an_organisation("TEACHING", kind="peer_group"),
        an_organisation("RGT", within={"QUE": ("icb", None, None), "TEACHING": ("peer", None, None)}),
        an_organisation("RGN", within={"QUE": ("icb", None, None)}),
        an_organisation("RM3", within={"QOP": ("icb", None, None), "TEACHING": ("peer", "2026-02-01", None)}),
        an_organisation("RM301", kind="site", within={"RM3": ("provider", None, None)}),
    )
    for month in ("2026-01", "2026-02"):
        for number, code in enumerate(("RGT", "RGN", "RM3", "RM301"), 1):
            rows = some_births(preterm=5 * number, term=0, month=month)
            measures.hear(a_return(rows, organisation=code, period=month))

    assert [one[:3] for one in figures(measures.ask(series, organisation="TEACHING"))] == [
        ("2026-01", 5, 5), ("2026-02", 5 + 15 + 20, 5 + 15 + 20),
    ]  # fmt: skip
    assert [one[:2] for one in figures(measures.ask(series, organisation="QUE"))] == [("2026-01", 15), ("2026-02", 15)]

"""What the registry told is held between reads, and never a moment longer than it is so."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import event as events
from sqlalchemy import text

from services.measures.problems import UnknownMeasure, UnknownOrganisation
from services.measures.queries.definitions import definition_of, definitions_of
from services.measures.queries.moment import begin
from services.measures.queries.organisations import members_of, place, sight
from shared.contracts.event import Event
from shared.contracts.programmes import AnnotationSet
from shared.db import Database
from shared.principal import Principal
from tests.measures.builders import BIRTHS_FEED, a_feed, a_measure, a_target, an_organisation, monthly
from tests.measures.builders import NOW as TOLD_AT
from tests.measures.conftest import Measures, Served

QUIET = [20.0, 22, 19, 21, 20, 18, 23, 20, 21, 19, 22, 20, 18, 21, 20, 22, 19, 21]


def a_note(**changes: Any) -> AnnotationSet:
    given: dict[str, Any] = {"id": "n", "on": date(2025, 10, 1), "kind": "step_change"} | changes
    return AnnotationSet(organisation="RGT", text="A new pathway", set_at=TOLD_AT, **given)


def a_trust(code: str, within: str = "QUE", **more: Any) -> Any:
    return an_organisation(code, within={within: ("icb", None, None)}, **more)


def later(event: Event, field: str, /, **changes: Any) -> Event:
    return msgspec.structs.replace(event, **{field: datetime.now(UTC) + timedelta(seconds=1)}, **changes)


@pytest.fixture
def told(served: Served) -> Served:
    served.hear(
        an_organisation("QUE", kind="icb", within={"ENGLAND": ("national", None, None)}),
        an_organisation("QXU", kind="icb", within={"ENGLAND": ("national", None, None)}),
        a_trust("RGT"),
        a_trust("RGN"),
        a_target(),
        a_note(),
    )
    for code in ("RGT", "RGN"):
        served.hear_together(monthly(QUIET, organisation=code))
    return served


def of_chart(field: str) -> Callable[[Served], Any]:
    return lambda told: told.read("/v1/charts/preterm/RGT")[field]


def how_many(field: str) -> Callable[[Served], Any]:
    return lambda told: len(of_chart(field)(told))


def level(told: Served) -> Any:
    target = of_chart("target")(told)
    return None if target is None else target["value"]


def centre_in_the_matrix(told: Served) -> Any:
    return round(told.read("/v1/matrix", organisation="RGT")["items"][0]["centre"], 2)


def of_the_icb(told: Served) -> Any:
    return told.read("/v1/series", measure="preterm", organisation="QUE")["items"][-1]["denominator"]


def of_matrix(told: Served) -> Any:
    return [one["organisation"] for one in told.read("/v1/matrix", within="QUE")["items"]]


def of_funnel(told: Served) -> Any:
    return [one["organisation"] for one in told.read("/v1/funnels/preterm", period="2026-06", within="QUE")["items"]]


def what_a_member_sees(told: Served) -> Any:
    who = told.as_("member", "QUE")
    return told.read("/v1/series", who=who, measure="preterm", organisation="RGN")["disclosure"]


Asked = tuple[Callable[[Served], Any], Any, Any]
CHANGES: dict[str, tuple[Callable[[], Event], list[Asked]]] = {
    "a definition": (
        lambda: later(a_measure(version="2.0.0", name="Early births"), "published_at"),
        [(of_chart("name"), "Preterm births", "Early births")],
    ),
    "a target": (lambda: later(a_target(status="superseded"), "set_at"), [(level, 6.0, None)]),
    "a target of the ICB, which is nearer": (lambda: a_target("nearer", scope="QUE", value=5.0), [(level, 6.0, 5.0)]),
    "a step change": (
        lambda: a_note(id="m", on=date(2026, 3, 1)),
        [(how_many("annotations"), 1, 2), (how_many("segments"), 2, 3), (centre_in_the_matrix, 10.11, 10.25)],
    ),
    "an annotation withdrawn": (
        lambda: later(a_note(withdrawn=True), "set_at"),
        [(how_many("annotations"), 1, 0), (how_many("segments"), 2, 1)],
    ),
    "a name": (
        lambda: later(a_trust("RGT"), "recorded_at", name="Another NHS Trust"),
        [(of_chart("organisation_name"), "RGT NHS Trust", "Another NHS Trust")],
    ),
    "a move to another ICB": (
        lambda: later(a_trust("RGN", "QXU"), "recorded_at"),
        [
            (of_the_icb, 400, 200),
            (of_matrix, ["QUE", "RGN", "RGT"], ["QUE", "RGT"]),
            (of_funnel, ["RGN", "RGT"], ["RGT"]),
            (what_a_member_sees, None, "small-numbers"),
        ],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_registry_changes_is_in_the_very_next_answer(told: Served, change: str) -> None:
    changed, asked = CHANGES[change]
    for ask, before, _ in asked:
        assert [ask(told), ask(told)] == [before, before]

    told.hear(changed())

    for ask, _, after in asked:
        assert ask(told) == after


def test_a_successor_takes_over_in_the_very_next_answer(told: Served) -> None:
    def figure() -> Any:
        asked: dict[str, Any] = {"measure": "preterm", "organisation": "RGT", "org_basis": "as_is_now"}
        return told.read("/v1/series", **asked)["items"][-1]["denominator"]

    assert figure() == 200
    told.hear(later(a_trust("RGN", succeeded_by=("RGT", "2026-04-01")), "recorded_at"))

    assert figure() == 400


def test_an_organisation_that_was_unknown_is_found_as_soon_as_it_is_known(told: Served) -> None:
    assert told.get("/v1/charts/preterm/RDE").status_code == 404
    told.hear(a_trust("RDE"))

    assert told.get("/v1/charts/preterm/RDE").status_code == 200


def test_an_instant_is_answered_from_the_database_whatever_is_held(told: Served) -> None:
    instant = datetime.now(UTC).isoformat()
    told.hear(later(a_trust("RGT"), "recorded_at", name="Another NHS Trust"))
    assert told.read("/v1/charts/preterm/RGT")["organisation_name"] == "Another NHS Trust"

    assert told.read("/v1/charts/preterm/RGT", known_at=instant)["organisation_name"] == "RGT NHS Trust"
    assert told.read("/v1/charts/preterm/RGT")["organisation_name"] == "Another NHS Trust"


def named(measures: Measures, code: str = "RGT") -> str:
    with measures.database.session() as session:
        when, _ = begin(session, None)
        return place(session, code, when).name


def rename(session: Any, name: str) -> None:
    session.execute(text("update organisation set name = :name where code = 'RGT'"), {"name": name})


def test_a_feed_that_is_published_anew_is_in_the_very_next_definition(measures: Measures) -> None:
    def due() -> int | None:
        with measures.database.session() as session:
            when, _ = begin(session, None)
            return definition_of(session, "preterm", when).window.due_after_days

    measures.hear(a_feed(BIRTHS_FEED), a_measure())
    assert due() is None
    measures.hear(a_feed(BIRTHS_FEED | {"window": {"due_after_days": 3}}))

    assert due() == 3


def test_what_a_clock_that_is_ahead_has_published_is_told_at_once(measures: Measures) -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    first = msgspec.structs.replace(a_measure(), published_at=datetime.now(UTC) - hour)
    second = msgspec.structs.replace(a_measure(version="2.0.0"), published_at=datetime.now(UTC) + day)
    measures.hear(a_feed(BIRTHS_FEED), first, second)

    with measures.database.session() as session:
        assert definition_of(session, "preterm", begin(session, None)[0]).version == "2.0.0"


def test_what_is_not_committed_is_seen_by_nobody_and_once_it_is_by_everybody(measures: Measures) -> None:
    measures.hear(an_organisation("RGT"))
    assert named(measures) == "RGT NHS Trust"

    with measures.database.session() as session:
        rename(session, "Another")
        assert named(measures) == "RGT NHS Trust"

    assert named(measures) == "Another"


def test_what_is_taken_back_is_not_held_even_if_it_was_read(measures: Measures) -> None:
    measures.hear(an_organisation("RGT"))
    with measures.database.session() as session:
        attempt = session.begin_nested()
        rename(session, "Another")
        when, _ = begin(session, None)
        assert place(session, "RGT", when).name == "Another"
        attempt.rollback()

    assert named(measures) == "RGT NHS Trust"


def test_of_two_who_change_at_once_neither_change_is_missed(measures: Measures) -> None:
    measures.hear(an_organisation("RGT"), an_organisation("RGN"))
    with measures.database.session() as first, measures.database.session() as second:
        rename(first, "First")
        second.execute(text("update organisation set name = 'Second' where code = 'RGN'"))
        second.commit()
        assert (named(measures), named(measures, "RGN")) == ("RGT NHS Trust", "Second")
        first.commit()

    assert (named(measures), named(measures, "RGN")) == ("First", "Second")


def test_what_was_asked_for_before_a_change_is_never_taken_for_what_came_after(measures: Measures) -> None:
    measures.hear(an_organisation("RGT"))
    with measures.database.session() as slow:
        when, _ = begin(slow, None)
        before = place(slow, "RGT", when)
        with measures.database.session() as session:
            rename(session, "Another")
        assert named(measures) == "Another"
        when.found(("place", "RGT"), lambda: before)

    assert named(measures) == "Another"


def test_databases_are_not_taken_for_one_another(measures: Measures, new_database: Any) -> None:
    other = Measures(Database(new_database("measures"), pool_size=1))
    with measures.database.session() as one, other.database.session() as two:
        assert begin(one, None)[0].held is not begin(two, None)[0].held
    other.database.close()


def test_a_read_asks_the_registry_nothing_that_it_has_told_before(told: Served) -> None:
    with told.database.session() as session:
        when, _ = begin(session, None)
        every = [place(session, code, when) for code in ("QUE", "RGT")]
        members_of(session, every, basis="as_was", when=when)
        sight(session, Principal("x", frozenset(), frozenset({"QUE"}), "member"), when)
    asked: list[str] = []
    with told.database.session() as session:
        when, _ = begin(session, None)
        events.listen(told.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert [place(session, code, when) for code in ("QUE", "RGT")] == every
        members = members_of(session, every, basis="as_was", when=when)
        seen = sight(session, Principal("x", frozenset(), frozenset({"QUE"}), "member"), when)

    assert sorted(one.code for one in members["QUE"]) == ["RGN", "RGT"]
    assert seen.exact("RGN")
    assert asked == []


def test_of_names_that_nobody_knows_nothing_is_held(measures: Measures) -> None:
    with measures.database.session() as session:
        when, _ = begin(session, None)
        assert when.held is not None
        for name in ("nobody", "knows"):
            assert not definitions_of(session, programme=name, when=when)
            with pytest.raises(UnknownMeasure):
                definition_of(session, name, when)
            with pytest.raises(UnknownOrganisation):
                place(session, name, when)

        assert when.held.size == 0

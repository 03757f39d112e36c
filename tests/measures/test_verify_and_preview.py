"""Rehearsals: cells rebuilt from the returns are those that stand; a draft says what it would change."""

import pytest
from sqlalchemy import text

from services.measures.commands import verify
from tests.measures.builders import a_measure, a_return, a_target, an_organisation, counted, monthly, some_births
from tests.measures.conftest import Served

QUIET = [20.0, 22, 19, 21, 20, 18, 23, 20, 21, 19, 22, 20, 18, 21, 20, 22, 19, 21]
WRITER = frozenset({"programmes:write"})


def differences(served: Served) -> list[tuple[str, ...]]:
    with served.database.session() as session:
        return [tuple(one) for one in verify(session)]


def with_everything(served: Served) -> None:
    served.hear(a_measure("yearly", period="year"), a_measure("deaths", denominator=None, unit="count", chart="c"))
    served.hear(an_organisation("RGT"), an_organisation("RGN"))
    served.hear_together(monthly(QUIET))
    served.hear_together(monthly(QUIET, measure="yearly", organisation="RGN"))
    served.hear(
        a_return(some_births(preterm=8, term=92), sequence=1),
        a_return(some_births(preterm=9, term=91), sequence=2),
        a_return([], organisation="RGN", kind="nil"),
        a_return(some_births(preterm=1, term=9, month="2026-02"), period="2026-02", organisation="RGN"),
        a_return([], period="2026-02", organisation="RGN", kind="withdrawn", sequence=10**6),
    )


def test_all_cells_rebuilt_are_those_that_stand(served: Served) -> None:
    with_everything(served)
    assert differences(served) == []


THE_CELL = "period = '2026-01' and organisation = 'RGT' and measure = 'preterm' and known_to is null"


@pytest.mark.parametrize(
    ("harm", "found"),
    [("update cell set numerator[1] = 7 where ", "numerator"), ("delete from cell where ", "missing")],
)
def test_a_cell_that_is_wrong_is_found(served: Served, harm: str, found: str) -> None:
    with_everything(served)
    with served.database.session() as session:
        session.execute(text(harm + THE_CELL))
    assert differences(served) == [("preterm", "RGT", "2026-01", found)]


def test_a_definition_on_another_feed_leaves_no_cell_of_the_old_one(served: Served) -> None:
    served.hear(an_organisation("RGT"), a_return(some_births(preterm=8, term=92)))
    half = {"feed": "measure-counts", "where": {"field": "measure", "equals": "preterm"}}
    served.hear(a_measure(version="2.0.0", strata=[], numerator=half | {"value": {"sum": "numerator"}},
                          denominator=half | {"value": {"sum": "denominator"}}))  # fmt: skip
    assert served.read("/v1/series", measure="preterm", organisation="RGT")["items"] == []
    assert differences(served) == []


def preview(served: Served, draft: dict) -> dict:
    caller = served.as_("national", scopes=WRITER)
    answer = served.client.post("/v1/measures/preterm/preview", json=draft, headers=caller)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_draft_equal_to_the_live_version_changes_nothing(served: Served) -> None:
    with_everything(served)
    found = preview(served, a_measure().definition)
    assert found["cells"]["changed"] == 0
    assert (found["changes"], found["icons"], found["crossings"]) == ([], [], [])


def test_a_draft_says_which_cells_icons_and_targets_it_would_move(served: Served) -> None:
    served.hear(an_organisation("RGT"), an_organisation("ENGLAND", kind="national"), a_target())
    months = [f"2025-{month:02}" for month in range(6, 13)] + [f"2026-{month:02}" for month in range(1, 8)]
    for month in months:
        served.hear(a_return(some_births(preterm=8 + int(month[-1]) % 2, term=92, month=month), period=month))
    everybody = a_measure(version="2.0.0", numerator={"feed": "births", "where": {
        "field": "gestation_length_at_birth", "below": 100}, "value": "count"}).definition  # fmt: skip
    found = preview(served, everybody)
    assert found["cells"]["changed"] == 2 * len(months)
    first = found["changes"][0]
    assert (first["before"]["numerator"], first["after"]["numerator"]) == (8, 0)
    assert [one["organisation"] for one in found["crossings"]] == ["RGT"]
    assert found["icons"][0]["before"]["assurance"] != found["icons"][0]["after"]["assurance"]
    live = served.read("/v1/series", measure="preterm", organisation="RGT")["items"][0]
    assert live["numerator"] == 8


def test_a_draft_that_cannot_be_computed_is_refused_with_the_place(served: Served) -> None:
    draft = a_measure(numerator={"feed": "births", "where": {"field": "nothing", "equals": 1}}).definition
    answer = served.client.post("/v1/measures/preterm/preview", json=draft, headers=served.as_(scopes=WRITER))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/numerator/where/field"


def test_previews_are_for_those_who_write_programmes(served: Served) -> None:
    draft = a_measure().definition
    assert served.client.post("/v1/measures/preterm/preview", json=draft).status_code == 401
    assert served.client.post("/v1/measures/preterm/preview", json=draft, headers=served.as_()).status_code == 403


def test_the_figures_of_others_are_counted_but_not_shown(served: Served) -> None:
    served.hear(an_organisation("RGT"), a_return([counted("preterm", 3, 50)], feed="measure-counts", period="2026-06"),
                a_return(some_births(preterm=3, term=47, month="2026-07"), period="2026-07"))  # fmt: skip
    everybody = a_measure(version="2.0.0", numerator={"feed": "births", "value": "count"}).definition
    answer = served.client.post("/v1/measures/preterm/preview", json=everybody,
                                headers=served.as_("public", scopes=WRITER)).json()  # fmt: skip
    assert answer["cells"]["changed"] > 0
    assert (answer["changes"], answer["changes_total"]) == ([], 0)


def test_without_a_draft_in_the_body_and_without_a_registry_there_is_none(served: Served) -> None:
    answer = served.client.post("/v1/measures/preterm/preview", headers=served.as_(scopes=WRITER))
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-draft")

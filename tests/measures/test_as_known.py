"""What was answered for an instant is answered again, word for word, whatever came later."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.contracts.event import Event
from shared.contracts.programmes import AnnotationSet
from tests.measures.builders import MONTHS, NOW, a_measure, a_target, an_organisation, monthly
from tests.measures.conftest import Served

WAS = [20.0, 22, 19, 21, 20, 18, 23, 20, 21, 19, 22, 20, 18, 21, 20, 22, 19, 21]
READS: dict[str, dict[str, str]] = {
    "/v1/series": {"measure": "preterm", "organisation": "RGT"},
    "/v1/series#whole": {"measure": "preterm", "organisation": "QUE"},
    "/v1/charts/preterm/RGT": {},
    "/v1/charts/preterm/QUE": {"org_basis": "as_is_now"},
    "/v1/funnels/preterm": {"within": "QUE"},
    "/v1/inequalities/preterm/QUE": {},
    "/v1/matrix": {"within": "QUE"},
    "/v1/signals": {"organisation": "RGT"},
    "/v1/explain": {"measure": "preterm", "organisation": "QUE", "period": "2026-06"},
    "/v1/targets/preterm-6/progress": {"organisation": "RGT"},
    "/v1/exports/preterm": {"format": "csv"},
}


def later(event: Event, name: str) -> Event:
    """The event, said a minute from now."""
    return msgspec.structs.replace(event, **{name: datetime.now(UTC) + timedelta(minutes=1)})


def a_note(**changes: Any) -> AnnotationSet:
    given: dict[str, Any] = {"id": "n", "on": date(2025, 10, 1)} | changes
    return AnnotationSet(kind="step_change", organisation="RGT", text="A new pathway", set_at=NOW, **given)


CHANGES: dict[str, Callable[[], list[Event]]] = {
    "other figures": lambda: list(monthly([50.0] * 18)),
    "a new version of the definition": lambda: [
        later(a_measure(version="2.0.0", name="Births before 37 weeks", multiplier=1000), "published_at")
    ],
    "a measure retired": lambda: [later(msgspec.structs.replace(a_measure(), status="retired"), "published_at")],
    "another target": lambda: [later(a_target(value=4.0), "set_at")],
    "an annotation withdrawn": lambda: [later(a_note(withdrawn=True), "set_at")],
    "another annotation": lambda: [later(a_note(id="m", on=date(2026, 1, 1)), "set_at")],
    "another name": lambda: [
        later(msgspec.structs.replace(a_trust("RGT"), name="Another NHS Trust"), "recorded_at")
    ],
    "a move to another ICB": lambda: [
        later(an_organisation("RGT", within={"QXU": ("icb", None, None)}), "recorded_at")
    ],
    "a merger": lambda: [
        later(a_trust("RGN", succeeded_by=("RGT", "2026-04-01")), "recorded_at")
    ],
}  # fmt: skip


def a_trust(code: str, **more: Any) -> Any:
    return an_organisation(code, within={"QUE": ("icb", None, None)}, **more)


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
        served.hear_together(monthly(WAS, organisation=code, strata={"imd_quintile=1": (4.0, 40.0)}))
    return served


@pytest.mark.parametrize("change", CHANGES)
def test_an_instant_is_answered_the_same_after(told: Served, change: str) -> None:
    instant = datetime.now(UTC).isoformat()

    def answers() -> dict[str, str]:
        return {name: told.get(name.partition("#")[0], known_at=instant, **asked).text for name, asked in READS.items()}

    before = answers()
    for event in CHANGES[change]():
        told.hear(event)

    assert answers() == before
    assert f'"{MONTHS[-1]}"' in before["/v1/charts/preterm/RGT"]


def test_the_changes_are_to_be_seen_now(told: Served) -> None:
    for change in ("a new version of the definition", "another target", "another annotation", "another name"):
        for event in CHANGES[change]():
            told.hear(event)

    chart = told.read("/v1/charts/preterm/RGT")

    assert (chart["name"], chart["organisation_name"]) == ("Births before 37 weeks", "Another NHS Trust")
    assert chart["target"]["value"] == 4.0
    assert [one["on"] for one in chart["annotations"]] == ["2025-10-01", "2026-01-01"]

"""A programme whose parts do not hang together, or a target that could not be judged, is refused with its place."""

from typing import Any

import pytest

from services.programmes.rules import programmes, targets

TOLD = {"source": "a page", "unverified": False}
SEE = {"id": "see", "name": "See it", **TOLD}
WALK = {"id": "walk", "name": "Walk", "kind": "idea", "drivers": ["see"], "measures": [], **TOLD}
PROGRAMME = {
    "id": "local", "version": "1.0.0", "kind": "programme", "name": "Local", "status": "active", "owner": "A team",
    "source": "a page",
    "aim": [{"id": "safer", "text": "Safer.", **TOLD}],
    "setting": [{"name": "Homes", **TOLD}],
    "driver": [{**SEE, "aims": ["safer"], "measures": ["ch-falls"], "secondary": [{**SEE, "measures": ["ch-falls"]}]}],
    "change_idea": [WALK],
}  # fmt: skip
TARGET = {
    "id": "fewer", "version": "1.0.0", "name": "Fewer", "measure": "ch-falls", "kind": "relative_change", "value": -25,
    "baseline": {"value": 8.0, "period": "2025-26"}, "due": "2027-03-31", "direction": "decrease", "scope": "EAST",
    "status": "active", "source": "a page", "trajectory": {"shape": "linear"},
}  # fmt: skip


def programme_faults(**changed: Any) -> dict[str, str]:
    return dict(programmes.problems({**PROGRAMME, **changed}, {"ch-falls"}))


def target_faults(**changed: Any) -> dict[str, str]:
    asked = {key: value for key, value in {**TARGET, **changed}.items() if value is not None}
    return dict(targets.problems(asked, measures={"ch-falls"}, organisations={"EAST"}, targets={"fewer"}))


def test_a_whole_programme_and_a_whole_target_are_accepted() -> None:
    assert programme_faults() == {}
    assert target_faults() == {}


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"aim": [], "driver": [], "change_idea": []}, "/aim"),
        ({"status": "asleep"}, "/status"),
        ({"valid_from": "2024-01-01", "valid_to": "2023-01-01"}, "/valid_to"),
        ({"aim": [{"id": "safer", "text": "Safer.", "source": "a page"}]}, "/aim/0/unverified"),
        ({"aim": [*PROGRAMME["aim"], *PROGRAMME["aim"]]}, "/aim/1/id"),
        ({"driver": [{**SEE, "aims": ["richer"]}]}, "/driver/0/aims/0"),
        ({"driver": [{**SEE, "secondary": [{**SEE, "measures": ["y"]}]}]}, "/driver/0/secondary/0/measures/0"),
        ({"change_idea": [{**WALK, "drivers": ["run"]}]}, "/change_idea/0/drivers/0"),
        ({"change_idea": [{**WALK, "kind": "whim"}]}, "/change_idea/0/kind"),
    ],
)
def test_a_programme_that_does_not_hang_together_is_refused(changed: dict[str, Any], pointer: str) -> None:
    assert list(programme_faults(**changed)) == [pointer]


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"baseline": None, "trajectory": None}, "/baseline"),
        ({"kind": "count_difference", "baseline": None, "trajectory": None}, "/baseline"),
        ({"baseline": {"value": 8.0, "period": "last year"}}, "/baseline/period"),
        ({"measure": "ch-trips"}, "/measure"),
        ({"scope": "WEST"}, "/scope"),
        ({"due": "soon"}, "/due"),
        ({"due": None}, "/due"),
        ({"value": "half"}, "/value"),
        ({"kind": "wish"}, "/kind"),
        ({"status": "superseded"}, "/superseded_by"),
        ({"status": "superseded", "superseded_by": "other"}, "/superseded_by"),
        ({"trajectory": {"shape": "stepped"}}, "/trajectory/points"),
        ({"trajectory": {"shape": "curly"}}, "/trajectory/shape"),
        ({"kind": "share_of_organisations", "measure": None}, "/organisations"),
        (
            {"kind": "share_of_organisations", "organisations": {"kind": "icb", "stage": "dreaming"}},
            "/organisations/stage",
        ),
    ],
)
def test_a_target_that_could_not_be_judged_is_refused(changed: dict[str, Any], pointer: str) -> None:
    assert list(target_faults(**changed)) == [pointer]


def test_each_home_may_be_measured_from_its_own_baseline() -> None:
    assert target_faults(baseline={"basis": "own"}) == {}


def test_a_baseline_may_span_several_years() -> None:
    assert target_faults(baseline={"value": 10.6, "period": "2009/2011"}) == {}

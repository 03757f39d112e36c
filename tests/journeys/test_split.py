"""An ICB is split in two, and that day a trust joins another: what was, what is now, and what was known before."""

from datetime import datetime
from typing import Any, NamedTuple

import pytest

from tests.ingest.builders import as_csv
from tests.journeys.journey import Journey, figures

MEASURE, DAY, LAST_DAY = "ss-falls", "2025-04-01", "2025-03-31"
BEFORE, AFTER = ("2025-01", "2025-02", "2025-03"), ("2025-04", "2025-05")
NORTH, SOUTH, GONE = (51, 10000), (73, 20000), (37, 5000)
"""What each trust counts a month: the one that goes north, the one that goes south, and the one that joins that."""
SOUTH_AND_GONE = (90, 24000)
"""What the southern trust counts a month once the other has joined it."""


class Told(NamedTuple):
    """The journey, and the last instant at which nobody knew of the split."""

    journey: Journey
    before: datetime


def plus(*pairs: tuple[int, int]) -> tuple[int, int]:
    return sum(n for n, _ in pairs), sum(d for _, d in pairs)


def organisation(code: str, kind: str, *edges: tuple[str, str, str | None, str | None], **facts: Any) -> dict[str, Any]:
    held = [{"hierarchy": way, "parent": parent, "start": start, "end": end} for way, parent, start, end in edges]
    return {"code": code, "name": f"Invented {code}", "kind": kind, "edges": held, **facts}


def icb(code: str, **facts: Any) -> dict[str, Any]:
    return organisation(code, "icb", ("region", "YZ9", None, None), **facts)


def trust(code: str, *places: tuple[str, str | None, str | None], **facts: Any) -> dict[str, Any]:
    return organisation(code, "trust", *(("icb", *place) for place in places), **facts)


REGION = organisation("YZ9", "region", ("national", "ENGLAND", None, None))
WHOLE = [icb("QZ1"), *(trust(code, ("QZ1", None, None)) for code in ("ZN1", "ZS1", "ZG1"))]
SPLIT = [
    icb("QZ2", opened=DAY),
    icb("QZ3", opened=DAY),
    icb("QZ1", closed=LAST_DAY, successors=[{"successor": "QZ2", "on": DAY}, {"successor": "QZ3", "on": DAY}]),
    trust("ZN1", ("QZ1", None, DAY), ("QZ2", DAY, None)),
    trust("ZS1", ("QZ1", None, DAY), ("QZ3", DAY, None)),
    trust("ZG1", ("QZ1", None, DAY), closed=LAST_DAY, successors=[{"successor": "ZS1", "on": DAY}]),
]


def send(journey: Journey, months: tuple[str, ...], **pairs: tuple[int, int]) -> None:
    rows = [
        {"organisation": code, "period": month, "measure": MEASURE, "numerator": n, "denominator": d}
        for month in months
        for code, (n, d) in pairs.items()
    ]
    receipt = journey.as_("supplier").submit(as_csv(rows), feed="measure-counts")
    assert receipt.status == "accepted", receipt.faults
    journey.settle()


@pytest.fixture(scope="module")
def told(journey: Journey) -> Told:
    """Three trusts of one ICB sent their months; then the registry learned of the split, and the rest was sent."""
    national = journey.as_("national")
    national.post("/v1/organisations", [REGION, *WHOLE])
    journey.settle()
    send(journey, BEFORE, ZN1=NORTH, ZS1=SOUTH, ZG1=GONE)
    before = datetime.fromisoformat(journey.as_("supplier").chart(MEASURE, "QZ1")["as_of"])
    national.post("/v1/organisations", SPLIT, reason="The boundary order of 2025")
    journey.settle()
    send(journey, AFTER, ZN1=NORTH, ZS1=SOUTH_AND_GONE)
    return Told(journey, before)


def seen(told: Told, code: str, **asked: Any) -> dict[str, Any]:
    return figures(told.journey.as_("supplier").chart(MEASURE, code, **asked))


def test_as_it_was_each_icb_has_the_months_in_which_it_was_there(told: Told) -> None:
    assert seen(told, "QZ1") == dict.fromkeys(BEFORE, plus(NORTH, SOUTH, GONE))
    assert seen(told, "QZ2") == dict.fromkeys(AFTER, NORTH)
    assert seen(told, "QZ3") == dict.fromkeys(AFTER, SOUTH_AND_GONE)


def test_as_it_is_now_each_new_icb_has_all_the_months_of_its_trusts_and_of_whom_they_took_in(told: Told) -> None:
    assert seen(told, "QZ2", org_basis="as_is_now") == dict.fromkeys((*BEFORE, *AFTER), NORTH)
    joined = dict.fromkeys(BEFORE, plus(SOUTH, GONE)) | dict.fromkeys(AFTER, SOUTH_AND_GONE)
    assert seen(told, "QZ3", org_basis="as_is_now") == joined
    assert seen(told, "ZS1", org_basis="as_is_now") == joined
    assert seen(told, "QZ1", org_basis="as_is_now") == {}


@pytest.mark.parametrize("basis", ["as_was", "as_is_now"])
def test_what_holds_them_all_counts_every_figure_once_across_the_day(told: Told, basis: str) -> None:
    wanted = dict.fromkeys(BEFORE, plus(NORTH, SOUTH, GONE)) | dict.fromkeys(AFTER, plus(NORTH, SOUTH_AND_GONE))
    assert seen(told, "YZ9", org_basis=basis) == wanted


@pytest.mark.parametrize("basis", ["as_was", "as_is_now"])
def test_as_known_before_the_split_the_old_icb_has_all_three(told: Told, basis: str) -> None:
    whole = dict.fromkeys(BEFORE, plus(NORTH, SOUTH, GONE))
    assert seen(told, "QZ1", org_basis=basis, known_at=told.before) == whole
    assert seen(told, "ZS1", org_basis=basis, known_at=told.before) == dict.fromkeys(BEFORE, SOUTH)


def test_the_registry_tells_the_same_story_on_either_side_of_the_day_and_of_the_knowledge(told: Told) -> None:
    def members(code: str, **asked: Any) -> list[str]:
        answer = told.journey.as_("supplier").get(f"/v1/organisations/{code}", around="true", **asked)
        return [one["code"] for one in answer["members"]]

    assert members("QZ1", at=LAST_DAY) == ["ZG1", "ZN1", "ZS1"]
    assert (members("QZ1", at=DAY), members("QZ2", at=DAY), members("QZ3", at=DAY)) == ([], ["ZN1"], ["ZS1"])
    assert members("QZ1", at=DAY, known_at=told.before.isoformat()) == ["ZG1", "ZN1", "ZS1"]


def test_who_said_so_and_why_is_on_record(told: Told) -> None:
    lines = told.journey.as_("national").get("/v1/changes", subject="QZ1", order="newest")["items"]
    assert (lines[0]["action"], lines[0]["why"]) == ("revised", "The boundary order of 2025")
    assert (lines[0]["before"]["closed"], lines[0]["after"]["closed"]) == (None, LAST_DAY)

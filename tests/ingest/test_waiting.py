"""Rows that wait land by themselves, are counted once, and are never lost, whatever comes while they wait."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from services.ingest.commands import accept
from tests.ingest.builders import a_measure, an_organisation, as_csv, some_births, some_counts
from tests.ingest.conftest import Ingest


def counts(*organisations: str, **changes: Any) -> bytes:
    return as_csv([some_counts(months=1, organisation=code)[0] | changes for code in organisations])


def receipt(ingest: Ingest, sent: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = ingest.get(f"/v1/submissions/{sent['id']}").json()
    return answer


def codes(told: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(fault["code"], fault["found"]) for fault in told["faults"]]


def test_a_row_that_waits_for_an_organisation_and_a_measure_lands_when_both_have_come(ingest: Ingest) -> None:
    sent = ingest.send(counts("R9Z", measure="mn-later")).json()
    ingest.hear(an_organisation("R9Z"))
    assert receipt(ingest, sent)["rows"]["waiting"] == 1
    ingest.hear(a_measure("mn-later"))
    assert receipt(ingest, sent)["rows"]["accepted"] == 1


def test_a_row_waits_for_the_period_that_its_request_named(ingest: Ingest) -> None:
    row = {name: value for name, value in some_counts(organisation="R9Z")[0].items() if name != "period"}
    sent = ingest.send(as_csv([row]), period="2026-09").json()
    ingest.hear(an_organisation("R9Z"))
    assert [one["period"] for one in receipt(ingest, sent)["returns"]] == ["2026-09"]


def test_of_two_files_that_wait_for_one_organisation_the_later_replaces_the_earlier(ingest: Ingest) -> None:
    for many in (3, 1):
        ingest.send(as_csv(some_births(many, organisation="R9Z")), "births")
    ingest.hear(an_organisation("R9Z"))
    versions = ingest.get("/v1/returns", feed="births", organisation="R9Z").json()["items"]
    assert sorted((one["version"], one["rows"], one["current"]) for one in versions) == [(1, 3, False), (2, 1, True)]


def test_a_row_that_mends_another_joins_its_return_when_it_has_waited(ingest: Ingest) -> None:
    births = some_births(2, organisation="R9Z")
    births[1]["pregnancy_outcome"] = "77"
    sent = ingest.send(as_csv(births), "births").json()
    row = {"pregnancy_outcome": "01"}
    ingest.client.patch(f"/v1/quarantine/{sent['id']}/3", json=row, headers=ingest.as_()).raise_for_status()
    ingest.hear(an_organisation("R9Z"))
    (version,) = ingest.get("/v1/returns", feed="births", organisation="R9Z").json()["items"]
    assert (version["rows"], receipt(ingest, sent)["rows"]["accepted"]) == (2, 2)


def test_a_row_that_turns_out_wrong_is_in_quarantine_and_what_others_wait_for_is_still_told(ingest: Ingest) -> None:
    sent = ingest.send(counts("R9Z", "R9Y", remark="x")).json()
    ingest.hear(an_organisation("R9Z", opened=date(2026, 10, 1)))
    told = receipt(ingest, sent)
    assert (told["rows"]["rejected"], told["rows"]["waiting"]) == (1, 1)
    assert codes(told) == [
        ("organisation-not-open", "R9Z"), ("unknown-column", None), ("unknown-organisation", "R9Y")
    ]  # fmt: skip
    assert told["faults_total"] == 3
    rejected = ingest.get("/v1/quarantine", organisation="R9Z").json()["items"]
    assert [(one["line"], one["codes"], one["row"]["remark"]) for one in rejected] == [
        (2, ["organisation-not-open"], "x")
    ]
    assert "R9Z" in ingest.get(f"/v1/submissions/{sent['id']}/rejected").text
    verified = ingest.get(f"/v1/submissions/{sent['id']}/verify").json()
    assert verified["intact"]


def test_a_row_that_turns_out_wrong_is_kept_without_what_identifies(ingest: Ingest) -> None:
    sent = ingest.send(as_csv(some_births(1, organisation="R9Z")), "births").json()
    ingest.hear(an_organisation("R9Z", opened=date(2026, 10, 1)))
    row = ingest.get("/v1/quarantine").json()["items"][0]["row"]
    assert (row["provider_org_code"], row["baby_local_id"]) == ("R9Z", "[withheld]")
    assert receipt(ingest, sent)["status"] == "rejected"


def test_a_corrected_row_that_waits_and_turns_out_wrong_is_open_again(ingest: Ingest) -> None:
    sent = ingest.send(counts("RGT", "RGN", numerator=-1)).json()
    changes = {"numerator": 1, "organisation": "R9Z"}
    ingest.client.patch(f"/v1/quarantine/{sent['id']}/2", json=changes, headers=ingest.as_())
    ingest.hear(an_organisation("R9Z", opened=date(2026, 10, 1)))
    assert receipt(ingest, sent)["rows"]["rejected"] == 2
    assert [one["line"] for one in ingest.get("/v1/quarantine").json()["items"]] == [2, 3]


@pytest.mark.parametrize(("second", "outcome"), [(31, "duplicate"), (5, "rejected")])
def test_one_record_under_two_names_of_its_organisation_is_counted_once(
    ingest: Ingest, second: int, outcome: str
) -> None:
    rows = [some_counts(organisation=name)[0] for name in ("VNX1", "1-123456789")]
    sent = ingest.send(as_csv([rows[0], rows[1] | {"numerator": second}])).json()
    ingest.hear(an_organisation("VNX1", identifiers={"cqc": "1-123456789"}))
    told = receipt(ingest, sent)
    assert (told["rows"]["accepted"], told["rows"][outcome]) == (1, 1)
    assert [one["rows"] for one in told["returns"]] == [1]


def test_a_row_lands_whose_organisation_came_while_it_was_checked(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry speaks after the row was found to be of nobody known, and before it is kept waiting."""
    hold = accept.hold_news

    def late(session: Session) -> int:
        ingest.hear(an_organisation("R9Z"))
        return hold(session)

    monkeypatch.setattr(accept, "hold_news", late)
    told = ingest.send(counts("R9Z")).json()
    assert told["rows"]["accepted"] == 1
    assert receipt(ingest, told) == told


def test_who_acts_for_one_organisation_does_not_see_the_rows_of_another_that_wait(ingest: Ingest) -> None:
    sent = ingest.send(counts("RGT", "R9Z")).json()
    assert ingest.get(f"/v1/submissions/{sent['id']}", who=ingest.as_("RGT", client="trust")).status_code == 404


def test_withdrawing_leaves_nothing_that_could_land(ingest: Ingest) -> None:
    sent = ingest.send(counts("R9Z")).json()
    ingest.client.delete(f"/v1/submissions/{sent['id']}", headers=ingest.as_())
    ingest.hear(an_organisation("R9Z"))
    told = receipt(ingest, sent)
    assert (told["status"], told["rows"]["rejected"], told["returns"]) == ("withdrawn", 1, [])

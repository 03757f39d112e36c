"""Rejected rows are kept, found, put right one at a time or all at once, and none is dropped without a word."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from services.ingest.commands import accept
from services.ingest.models import Submission
from tests.ingest.builders import an_organisation, as_csv, some_births, some_counts
from tests.ingest.conftest import Ingest


def births(ingest: Ingest, **more: Any) -> dict[str, Any]:
    """Four births of which the second has an impossible outcome and the third an impossible gestation."""
    rows = some_births(4)
    rows[1]["pregnancy_outcome"] = "77"
    rows[2]["gestation_length_at_birth"] = 31
    return ingest.send(as_csv(rows), "births", **more).json()


def patch(ingest: Ingest, receipt: dict[str, Any], line: int, who: dict[str, str] | None = None, **changes: Any) -> Any:
    headers = who or ingest.as_()
    return ingest.client.patch(f"/v1/quarantine/{receipt['id']}/{line}", json=changes, headers=headers)


def post(ingest: Ingest, receipt: dict[str, Any], line: int, verb: str, **body: Any) -> Any:
    return ingest.client.post(f"/v1/quarantine/{receipt['id']}/{line}/{verb}", json=body, headers=ingest.as_())


def listed(ingest: Ingest, **query: Any) -> list[tuple[str, int]]:
    return [(one["feed"], one["line"]) for one in ingest.get("/v1/quarantine", **query).json()["items"]]


def test_rejected_rows_are_found_by_feed_organisation_and_code(ingest: Ingest) -> None:
    births(ingest)
    counts = some_counts(months=2, organisation="RGN")
    counts[0]["numerator"] = 999
    ingest.send(as_csv(counts))
    assert listed(ingest) == [("measure-counts", 2), ("births", 3), ("births", 4)]
    assert listed(ingest, feed="births") == [("births", 3), ("births", 4)]
    assert listed(ingest, organisation="RGN") == [("measure-counts", 2)]
    assert listed(ingest, code="not-in-code-list") == [("births", 3)]
    assert listed(ingest, code="too-long") == []


def test_a_rejected_row_says_what_was_sent_and_what_is_wrong_and_names_nobody(ingest: Ingest) -> None:
    births(ingest)
    row = ingest.get("/v1/quarantine", code="not-in-code-list").json()["items"][0]
    assert (row["organisation"], row["period"], row["codes"]) == ("RGT", "2026-05", ["not-in-code-list"])
    assert row["row"]["pregnancy_outcome"] == "77"
    assert row["row"]["baby_local_id"].startswith("[pseudonym 1:")
    assert [(one["code"], one["column"]) for one in row["faults"] if one["severity"] == "error"] == [
        ("not-in-code-list", "pregnancy_outcome")
    ]


def test_the_list_comes_in_pages(ingest: Ingest) -> None:
    births(ingest)
    first = ingest.get("/v1/quarantine", limit=1).json()
    rest = ingest.get("/v1/quarantine", limit=1, cursor=first["next_cursor"]).json()
    assert [one["line"] for one in first["items"] + rest["items"]] == [3, 4]
    assert rest["next_cursor"] is None


def test_a_corrected_row_lands_in_its_return_and_the_counts_move(ingest: Ingest) -> None:
    receipt = births(ingest)
    answer = patch(ingest, receipt, 3, pregnancy_outcome="01")
    told = answer.json()
    assert answer.status_code == 200, told
    assert told["effect"] == {"added": 1, "changed": 0, "removed": 0}
    rows = told["receipt"]["rows"]
    assert (rows["received"], rows["accepted"], rows["rejected"]) == (4, 3, 1)
    assert "not-in-code-list" not in {fault["code"] for fault in told["receipt"]["faults"]}
    current = [one for one in ingest.get("/v1/returns").json()["items"] if one["current"]]
    assert [(one["version"], one["rows"]) for one in current] == [(2, 3)]
    assert listed(ingest) == [("births", 4)]
    assert listed(ingest, status="corrected") == [("births", 3)]


def test_the_last_row_put_right_makes_the_submission_accepted(ingest: Ingest) -> None:
    receipt = births(ingest)
    patch(ingest, receipt, 3, pregnancy_outcome="01")
    told = patch(ingest, receipt, 4, gestation_length_at_birth=275).json()["receipt"]
    assert (told["status"], told["rows"]["accepted"]) == ("accepted", 4)
    assert listed(ingest, status="corrected") == [("births", 3), ("births", 4)]


def test_a_corrected_row_is_the_record_it_would_have_been(ingest: Ingest) -> None:
    receipt = births(ingest)
    patch(ingest, receipt, 3, pregnancy_outcome="01")
    patch(ingest, receipt, 4, gestation_length_at_birth=223)
    whole = ingest.send(as_csv(some_births(4)), "births").json()
    assert whole["rows"]["unchanged"] == 4


def test_a_row_that_is_still_wrong_changes_nothing_and_says_why(ingest: Ingest) -> None:
    receipt = births(ingest)
    answer = patch(ingest, receipt, 3, pregnancy_outcome="78")
    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [
        ("/pregnancy_outcome", "not-in-code-list")
    ]
    assert ingest.get(receipt["links"]["self"]).json() == receipt


def test_a_row_that_is_corrected_for_a_place_not_yet_known_waits(ingest: Ingest) -> None:
    receipt = births(ingest)
    told = patch(ingest, receipt, 3, pregnancy_outcome="01", provider_org_code="R9Z").json()["receipt"]
    assert (told["rows"]["waiting"], told["rows"]["rejected"]) == (1, 1)


@pytest.mark.parametrize(("line", "changes", "status"), [(2, {"falls": 1}, 404), (3, {"nonsense": "x"}, 422)])
def test_a_correction_that_makes_no_sense_is_refused(
    ingest: Ingest, line: int, changes: dict[str, Any], status: int
) -> None:
    assert patch(ingest, births(ingest), line, **changes).status_code == status


def test_a_row_is_put_right_once(ingest: Ingest) -> None:
    receipt = births(ingest)
    patch(ingest, receipt, 3, pregnancy_outcome="01")
    assert patch(ingest, receipt, 3, pregnancy_outcome="01").status_code == 409
    assert post(ingest, receipt, 3, "waive", reason="not ours").status_code == 409


def test_a_row_of_an_organisation_that_was_open_after_all_lands_when_tried_again(ingest: Ingest) -> None:
    ingest.hear(an_organisation("RGN", closed=date(2020, 1, 1)))
    receipt = ingest.send(as_csv(some_counts(months=1, organisation="RGN"))).json()
    assert receipt["rows"]["rejected"] == 1
    ingest.hear(an_organisation("RGN"))
    told = post(ingest, receipt, 2, "replay").json()
    assert told["receipt"]["rows"]["accepted"] == 1


def test_a_waived_row_stays_rejected_with_its_reason_and_is_no_longer_open(ingest: Ingest) -> None:
    receipt = births(ingest)
    told = post(ingest, receipt, 3, "waive", reason="duplicate of a paper record").json()
    assert (told["status"], told["reason"], told["resolved_by"]) == (
        "waived",
        "duplicate of a paper record",
        "supplier",
    )
    assert listed(ingest) == [("births", 4)]
    assert ingest.get(receipt["links"]["self"]).json()["rows"]["rejected"] == 2


def test_a_reason_that_names_a_patient_is_refused(ingest: Ingest) -> None:
    answer = post(ingest, births(ingest), 3, "waive", reason="see 943 476 5919")
    assert answer.status_code == 422
    assert "943 476" not in answer.text


def test_rows_of_a_file_refused_as_a_whole_are_not_corrected_one_by_one(ingest: Ingest) -> None:
    assert patch(ingest, births(ingest, atomic="true"), 3, pregnancy_outcome="01").status_code == 409


def test_somebody_elses_rejected_rows_are_not_there(ingest: Ingest) -> None:
    receipt = births(ingest)
    theirs = ingest.as_("RGN", client="trust")
    assert ingest.get("/v1/quarantine", who=theirs).json()["items"] == []
    assert patch(ingest, receipt, 3, theirs, pregnancy_outcome="01").status_code == 404
    mine = ingest.as_("RGT", client="trust")
    assert len(ingest.get("/v1/quarantine", who=mine).json()["items"]) == 2


def test_the_rejected_rows_sent_back_mended_join_their_return_as_the_records_they_are(ingest: Ingest) -> None:
    receipt = births(ingest)
    rejected = ingest.get(receipt["links"]["rejected"]).text
    again = ingest.send(rejected.replace(",77,", ",01,").replace(",31,", ",223,").encode(), "births").json()
    assert (again["status"], again["effect"]) == ("accepted", {"added": 2, "changed": 0, "removed": 0})
    assert listed(ingest) == []
    whole = ingest.send(as_csv(some_births(4)), "births").json()
    assert whole["rows"]["unchanged"] == 4


def test_rejected_rows_that_are_sent_back_still_wrong_stay_open(ingest: Ingest) -> None:
    receipt = births(ingest)
    rejected = ingest.get(receipt["links"]["rejected"]).text
    again = ingest.send(rejected.replace(",77,", ",01,").encode(), "births").json()
    assert (again["rows"]["accepted"], again["rows"]["rejected"]) == (1, 1)
    assert [one["submission"] for one in ingest.get("/v1/quarantine").json()["items"]] == [again["id"], receipt["id"]]


@pytest.mark.parametrize("asked", [{}, {"mode": "replace"}, {"dry_run": "true"}])
@pytest.mark.parametrize("outcome", ["01", "still wrong"])
def test_rows_cannot_be_put_in_the_place_of_somebody_elses(ingest: Ingest, outcome: str, asked: dict[str, str]) -> None:
    receipt = births(ingest)
    rejected = ingest.get(receipt["links"]["rejected"]).text.replace("RGT", "RGN").replace(",77,", f",{outcome},")
    answer = ingest.send(rejected.encode(), "births", who=ingest.as_("RGN", client="trust"), **asked)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "psip_mends")
    assert listed(ingest, status="any") == [("births", 3), ("births", 4)]


def test_what_was_withheld_is_not_taken_for_a_value(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(some_births(1, baby_local_id="[withheld]")), "births").json()
    assert receipt["rows"]["rejected"] == 1
    assert "withheld-value" in {fault["code"] for fault in receipt["faults"]}


def completed(ingest: Ingest) -> list[list[dict[str, str]]]:
    """The returns that each submission told of as quarantined."""
    with ingest.database.session() as session:
        rows = session.execute(
            text(
                "select convert_from(body, 'utf8')::jsonb -> 'quarantined' from outbox "
                "where topic like 'ingest.submissions%' order by position"
            )
        )
        return list(rows.scalars())


def test_a_return_of_which_nothing_stands_is_told_as_quarantined(ingest: Ingest) -> None:
    wrong = some_counts(months=2, organisation="RGN")
    for row in wrong:
        row["numerator"] = row["denominator"] + 1
    right = some_counts(months=1, organisation="RGN")

    for rows in (wrong, right, wrong):
        ingest.send(as_csv(rows))

    first, second = ({"organisation": "RGN", "period": row["period"]} for row in wrong)
    assert completed(ingest) == [[first, second], [], [second]]


def settled(ingest: Ingest) -> list[tuple[str, str]]:
    """The returns of which somebody was told that no row waits."""
    with ingest.database.session() as session:
        bodies = session.execute(
            text(
                "select convert_from(body, 'utf8')::jsonb -> 'returns' from outbox "
                "where headers ->> 'ce_type' like '%quarantine-settled%' order by position"
            )
        ).scalars()
        return [(one["organisation"], one["period"]) for each in bodies for one in each]


def test_that_no_row_of_a_return_waits_is_told_once_the_last_was_corrected_or_waived(ingest: Ingest) -> None:
    receipt = births(ingest)
    post(ingest, receipt, 3, "waive", reason="not ours")
    assert settled(ingest) == []
    patch(ingest, receipt, 4, gestation_length_at_birth=280)
    assert settled(ingest) == [("RGT", "2026-05")]


def test_that_no_row_waits_is_told_when_the_submission_is_withdrawn(ingest: Ingest) -> None:
    receipt = births(ingest)
    ingest.client.delete(f"/v1/submissions/{receipt['id']}", headers=ingest.as_())
    assert settled(ingest) == [("RGT", "2026-05")]


def test_rejected_rows_sent_back_mended_are_settled_and_say_where_they_went(ingest: Ingest) -> None:
    receipt = births(ingest)
    rejected = ingest.get(receipt["links"]["rejected"]).text

    half = ingest.send(rejected.replace(",77,", ",01,").encode(), "births").json()
    assert settled(ingest) == []
    whole = ingest.send(rejected.replace(",77,", ",01,").replace(",31,", ",223,").encode(), "births").json()

    assert settled(ingest)[0] == ("RGT", "2026-05")
    corrected = ingest.get("/v1/quarantine", status="corrected").json()["items"]
    assert [(one["submission"], one["line"], one["reason"]) for one in corrected] == [
        (receipt["id"], 3, f"sent again in {half['id']}"),
        (receipt["id"], 4, f"sent again in {whole['id']}"),
    ]


def sent_back_in_vain(ingest: Ingest) -> tuple[dict[str, Any], dict[str, Any]]:
    """A file of which two rows were rejected, and those sent back: one of them mended, the other still wrong."""
    receipt = births(ingest)
    rejected = ingest.get(receipt["links"]["rejected"]).text
    again = ingest.send(rejected.replace(",77,", ",01,").replace(",31,", ",32,").encode(), "births").json()
    return receipt, again


def test_a_row_that_takes_two_attempts_to_mend_is_settled_wherever_it_was_rejected(ingest: Ingest) -> None:
    receipt, again = sent_back_in_vain(ingest)

    second = ingest.get(again["links"]["rejected"]).text.replace(",32,", ",223,")
    last = ingest.send(second.encode(), "births").json()

    assert (last["status"], listed(ingest)) == ("accepted", [])
    by = {one["submission"]: one["reason"] for one in ingest.get("/v1/quarantine", status="corrected").json()["items"]}
    assert by == dict.fromkeys((receipt["id"], again["id"]), f"sent again in {last['id']}")
    assert settled(ingest) == [("RGT", "2026-05"), ("RGT", "2026-05")]


@pytest.mark.parametrize("verb", ["corrected", "waived"])
def test_a_row_that_was_sent_back_in_vain_is_put_right_for_every_time_it_was_rejected(
    ingest: Ingest, verb: str
) -> None:
    receipt, again = sent_back_in_vain(ingest)
    line = ingest.get("/v1/quarantine").json()["items"][0]["line"]

    if verb == "corrected":
        patch(ingest, again, line, gestation_length_at_birth=223)
    else:
        post(ingest, again, line, "waive", reason="not ours")

    assert listed(ingest) == []
    assert patch(ingest, receipt, 4, gestation_length_at_birth=223).status_code == 409


def test_rows_beyond_the_first_twenty_of_a_fault_are_corrected_too(ingest: Ingest) -> None:
    rows = [row | {"pregnancy_outcome": "77"} for row in some_births(21)]
    receipt = ingest.send(as_csv([*rows, *some_births(1, baby_local_id="B99")]), "births").json()
    answers = [patch(ingest, receipt, line, pregnancy_outcome="01").status_code for line in range(2, 23)]
    assert answers == [200] * 21


@pytest.mark.parametrize(
    ("body", "pointer"), [(b'{"Y/N": "x"}', "/Y~1N"), (b'{"\\ud800": "x"}', "/?")], ids=["slash", "surrogate"]
)
def test_a_column_there_is_not_is_pointed_at_whatever_its_name(ingest: Ingest, body: bytes, pointer: str) -> None:
    receipt = births(ingest)
    headers = ingest.as_() | {"Content-Type": "application/json"}
    answer = ingest.client.patch(f"/v1/quarantine/{receipt['id']}/3", content=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def mended(ingest: Ingest, receipt: dict[str, Any]) -> bytes:
    rejected = ingest.get(receipt["links"]["rejected"]).text
    return rejected.replace(",77,", ",01,").replace(",31,", ",275,").encode()


@pytest.mark.parametrize("line", ["99999999999", "x", ""])
def test_a_line_that_no_file_has_mends_nothing_and_its_row_lands(ingest: Ingest, line: str) -> None:
    row = some_births(1, month="2026-06")[0] | {"psip_mends": births(ingest)["id"], "psip_line": line}
    assert ingest.send(as_csv([row]), "births").json()["rows"]["accepted"] == 1
    assert listed(ingest) == [("births", 3), ("births", 4)]


def test_of_rows_sent_again_those_are_open_still_of_whose_return_a_newer_extract_is_held(ingest: Ingest) -> None:
    bad = {"pregnancy_outcome": "77", "extract_datetime": "2026-06-01T10:00:00"}
    rows = some_births(1, month="2026-05", **bad) + some_births(1, month="2026-06", **bad)
    receipt = ingest.send(as_csv(rows), "births").json()
    ingest.send(as_csv(some_births(1, extract_datetime="2026-06-10T10:00:00")), "births")
    again = ingest.send(mended(ingest, receipt), "births").json()
    assert (again["rows"]["accepted"], again["rows"]["rejected"]) == (1, 1)
    assert {(one["submission"], one["line"]) for one in ingest.get("/v1/quarantine").json()["items"]} == {
        (again["id"], 2), (receipt["id"], 2)
    }  # fmt: skip


def test_a_row_is_open_again_when_what_had_mended_it_is_withdrawn(ingest: Ingest) -> None:
    again = ingest.send(mended(ingest, births(ingest)), "births").json()
    assert listed(ingest) == []
    ingest.client.delete(f"/v1/submissions/{again['id']}", headers=ingest.as_())
    assert listed(ingest) == [("births", 3), ("births", 4)]


def test_of_two_that_mend_the_last_rows_of_a_return_one_sees_what_the_other_did(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who mends rows holds their submission, so that the next looks at its rows after it."""
    receipt, resolve, held = births(ingest), accept.resolve_mended, []

    def resolve_beside(session: Session, submission: Submission, *more: Any, **asked: Any) -> None:
        try:
            with ingest.database.session() as other:
                other.get_one(Submission, receipt["id"], with_for_update={"nowait": True})
        except OperationalError:
            held.append(receipt["id"])
        resolve(session, submission, *more, **asked)

    monkeypatch.setattr(accept, "resolve_mended", resolve_beside)
    ingest.send(mended(ingest, receipt), "births")
    assert held == [receipt["id"]]

"""Sending rows: every row is accounted for, good ones land, bad ones are told, nothing counts twice."""

import gzip
import json
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from services.ingest.commands import accept
from tests.ingest.builders import a_measure, an_organisation, as_csv, some_births, some_counts
from tests.ingest.conftest import Ingest

NONE = {"received": 0, "accepted": 0, "unchanged": 0, "duplicate": 0, "waiting": 0, "rejected": 0}


def published(ingest: Ingest) -> list[dict]:
    with ingest.database.session() as session:
        rows = session.execute(text("select headers from outbox where topic = 'ingest.returns.v1' order by position"))
        return [row.headers for row in rows]


def test_an_unknown_caller_is_401(ingest: Ingest) -> None:
    answer = ingest.send(as_csv(some_counts()), who={})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_caller_without_the_scope_is_403(ingest: Ingest) -> None:
    assert ingest.send(as_csv(some_counts()), who=ingest.as_("RGT", scopes=frozenset())).status_code == 403


def test_writing_for_somebody_else_is_403_and_reading_of_them_is_404(ingest: Ingest) -> None:
    mine = ingest.as_("RGT", client="trust")
    theirs = as_csv(some_counts(organisation="RGN"))
    assert ingest.send(theirs, who=mine).status_code == 403
    assert ingest.send(theirs, who=mine, organisation="RGN").status_code == 403
    sent = ingest.send(theirs).json()
    assert ingest.get(f"/v1/submissions/{sent['id']}", who=mine).status_code == 404


def test_good_rows_land_and_the_receipt_says_so(ingest: Ingest) -> None:
    answer = ingest.send(as_csv(some_counts(months=3)))
    receipt = answer.json()
    assert answer.status_code == 201, receipt
    assert answer.headers["location"] == f"/v1/submissions/{receipt['id']}"
    assert receipt["status"] == "accepted"
    assert receipt["rows"] == NONE | {"received": 3, "accepted": 3}
    assert receipt["effect"] == {"added": 3, "changed": 0, "removed": 0}
    assert [(r["organisation"], r["period"], r["version"]) for r in receipt["returns"]] == [
        ("RGT", "2026-01", 1), ("RGT", "2026-02", 1), ("RGT", "2026-03", 1)
    ]  # fmt: skip
    assert ingest.get(answer.headers["location"]).json() == receipt
    assert [one["ce_period"] for one in published(ingest)] == ["2026-01", "2026-02", "2026-03"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(some_births(4)).encode(), "application/json"),
        (b"\n".join(json.dumps(row).encode() for row in some_births(4)), "application/x-ndjson"),
        (b"\xef\xbb\xbf" + as_csv(some_births(4)), "text/csv; charset=utf-8"),
    ],
)
def test_every_format_gives_the_same_receipt(ingest: Ingest, body: bytes, content_type: str) -> None:
    receipt = ingest.send(body, "births", content_type=content_type).json()
    assert receipt["rows"] == NONE | {"received": 4, "accepted": 4}
    assert receipt["returns"][0]["rows"] == 4


def test_a_compressed_file_is_read_and_its_digest_is_of_what_was_sent(ingest: Ingest) -> None:
    packed = gzip.compress(as_csv(some_counts()))
    receipt = ingest.send(packed, headers={"Content-Encoding": "gzip"}).json()
    assert (receipt["rows"]["accepted"], receipt["bytes"]) == (3, len(packed))


def test_bad_rows_fail_with_line_column_and_remedy_and_good_rows_land(ingest: Ingest) -> None:
    rows = some_births(3)
    rows[1]["pregnancy_outcome"] = "77"
    rows[2]["gestation_length_at_birth"] = 31
    receipt = ingest.send(as_csv(rows), "births").json()
    assert receipt["status"] == "partly_accepted"
    assert receipt["rows"] == NONE | {"received": 3, "accepted": 1, "rejected": 2}
    told = {fault["code"]: fault for fault in receipt["faults"] if fault["severity"] == "error"}
    assert told["not-in-code-list"]["rows"] == [3]
    assert told["not-in-code-list"]["column"] == "pregnancy_outcome"
    assert told["not-in-code-list"]["found"] == "77"
    assert told["out-of-range"]["rows"] == [4]
    rejected = ingest.get(f"/v1/submissions/{receipt['id']}/rejected").text.splitlines()
    assert len(rejected) == 3
    faults = ingest.get(f"/v1/submissions/{receipt['id']}/faults").json()["items"]
    assert {one["code"] for one in faults} >= {"not-in-code-list", "out-of-range"}
    assert "not-in-code-list" in ingest.get(f"/v1/submissions/{receipt['id']}/annotated").text


def test_the_same_content_twice_is_no_version_and_says_what_it_repeats(ingest: Ingest) -> None:
    first = ingest.send(as_csv(some_births(4)), "births").json()
    again = ingest.send(as_csv(some_births(4)), "births").json()
    assert again["repeat_of"] == first["id"]
    assert again["rows"] == NONE | {"received": 4, "unchanged": 4}
    assert again["returns"] == []
    assert len(published(ingest)) == 1


def test_the_same_key_gives_the_first_answer_and_with_other_content_is_refused(ingest: Ingest) -> None:
    key = {"Idempotency-Key": "k1"}
    first = ingest.send(as_csv(some_counts()), headers=key)
    again = ingest.send(as_csv(some_counts()), headers=key)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = ingest.send(as_csv(some_counts(months=2)), headers=key)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert other.json()["errors"][0]["parameter"] == "Idempotency-Key"


def test_a_replaced_return_loses_the_rows_that_are_not_sent_again(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(5)), "births")
    receipt = ingest.send(as_csv(some_births(3)), "births").json()
    assert receipt["effect"] == {"added": 0, "changed": 0, "removed": 2}
    assert (receipt["returns"][0]["version"], receipt["returns"][0]["rows"]) == (2, 3)


def test_merged_counts_keep_the_records_that_are_not_sent_again(ingest: Ingest) -> None:
    ingest.hear(a_measure("mn-other"))
    ingest.send(as_csv(some_counts(months=1)))
    more = [*some_counts(months=1, measure="mn-other"), some_counts(months=1)[0] | {"numerator": 5}]
    receipt = ingest.send(as_csv(more)).json()
    assert receipt["effect"] == {"added": 1, "changed": 1, "removed": 0}
    assert receipt["returns"][0]["rows"] == 2


def test_an_older_extract_never_overwrites_a_newer_one(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(3, extract_datetime="2026-06-10T10:00:00")), "births")
    receipt = ingest.send(as_csv(some_births(2, extract_datetime="2026-06-01T10:00:00")), "births").json()
    assert receipt["rows"] == NONE | {"received": 2, "rejected": 2}
    assert "older-extract" in {fault["code"] for fault in receipt["faults"]}


def test_withdrawing_makes_the_earlier_version_current_again(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(5)), "births")
    second = ingest.send(as_csv(some_births(3)), "births").json()
    answer = ingest.client.delete(f"/v1/submissions/{second['id']}", headers=ingest.as_())
    assert answer.json()["status"] == "withdrawn"
    current = [one for one in ingest.get("/v1/returns", feed="births").json()["items"] if one["current"]]
    assert [(one["version"], one["rows"]) for one in current] == [(1, 5)]
    assert [one["ce_sequence"] for one in published(ingest)] == ["1", "2", "3"]
    assert ingest.client.delete(f"/v1/submissions/{second['id']}", headers=ingest.as_()).status_code == 409


def test_all_or_nothing_stores_nothing_when_one_row_is_wrong(ingest: Ingest) -> None:
    rows = some_births(3)
    rows[1]["pregnancy_outcome"] = "77"
    receipt = ingest.send(as_csv(rows), "births", atomic="true").json()
    assert (receipt["status"], receipt["rows"]["rejected"], receipt["returns"]) == ("rejected", 3, [])


def test_all_or_nothing_lands_nothing_where_a_newer_extract_is_held_of_one_return(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(3, extract_datetime="2026-06-10T10:00:00")), "births")
    older = [row for month in ("2026-05", "2026-06") for row in some_births(2, month=month)]
    body = as_csv([row | {"extract_datetime": "2026-06-01T10:00:00"} for row in older])
    receipt = ingest.send(body, "births", atomic="true").json()
    assert (receipt["status"], receipt["rows"]["rejected"], receipt["returns"]) == ("rejected", 4, [])
    assert {"not-atomic", "older-extract"} <= {fault["code"] for fault in receipt["faults"]}
    assert receipt["faults_total"] == len(ingest.get(receipt["links"]["faults"]).json()["items"])
    assert len(ingest.get("/v1/quarantine").json()["items"]) == 4


@pytest.mark.parametrize("status", ["provisional", "final"])
def test_a_return_that_a_row_joins_is_as_new_as_its_newest_row_and_as_final_as_all(ingest: Ingest, status: str) -> None:
    rows = some_births(3, extract_datetime="2026-06-10T10:00:00", submission_status="provisional")
    rows[2] |= {"extract_datetime": "", "submission_status": status, "pregnancy_outcome": "77"}
    sent = ingest.send(as_csv(rows), "births").json()
    ingest.client.patch(f"/v1/quarantine/{sent['id']}/4", json={"pregnancy_outcome": "01"}, headers=ingest.as_())
    newest = ingest.get("/v1/returns").json()["items"][-1]
    assert (newest["version"], newest["rows"], newest["status"]) == (2, 3, "provisional")
    older = ingest.send(as_csv(some_births(2, extract_datetime="2026-06-01T10:00:00")), "births").json()
    assert older["rows"]["rejected"] == 2


def test_what_a_caller_may_not_see_is_not_named_as_what_it_repeats(ingest: Ingest) -> None:
    body = as_csv(some_counts(organisation="RGT") + some_counts(organisation="RGN"))
    ingest.send(body)
    mine = ingest.send(body, who=ingest.as_("RGT", client="trust")).json()
    assert (mine["rows"]["unchanged"], mine["rows"]["rejected"], mine["repeat_of"]) == (3, 3, None)


def test_a_month_begins_at_midnight_in_england(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half past eleven at night in Greenwich is half past midnight in summer."""
    row = some_counts(months=1)[0] | {"period": "2026-06"}
    for hour, rejected in ((22, 1), (23, 0)):
        monkeypatch.setattr(accept, "now", lambda hour=hour: datetime(2026, 5, 31, hour, 30, tzinfo=UTC))
        assert ingest.send(as_csv([row])).json()["rows"]["rejected"] == rejected


def test_a_nil_return_removes_the_records_there_were_and_a_second_changes_nothing(ingest: Ingest) -> None:
    place = {"organisation": "RGT", "period": "2026-05", "nil": "true"}
    ingest.send(as_csv(some_births(3)), "births")
    told = ingest.send(b"", "births", dry_run="true", **place).json()
    assert told["effect"] == {"added": 0, "changed": 0, "removed": 3}
    assert [(one["before"], one["after"]) for one in told["consequences"]["returns"]] == [(3, 0)]
    assert ingest.send(b"", "births", **place).json()["effect"]["removed"] == 3
    assert ingest.send(b"", "births", **place).json()["effect"]["removed"] == 0


def test_a_row_that_says_again_that_there_is_nothing_is_unchanged(ingest: Ingest) -> None:
    ingest.hear(an_organisation("VNX1", kind="care_home"))
    week = {
        "ods_care_home_code": "VNX1", "week_ending": "2026-05-03", "beds_registered": 40, "beds_occupied": 30,
        "resident_days": 210, "falls": 1, "falls_with_injury": 1, "med_errors": 0,
    }  # fmt: skip
    ingest.send(as_csv([week | {"nil_return": "false"}]), "care-home-weekly")
    nil = as_csv(
        [dict.fromkeys(week, "") | {"ods_care_home_code": "VNX1", "week_ending": "2026-05-03", "nil_return": "true"}]
    )
    first, second = (ingest.send(nil, "care-home-weekly").json() for _ in range(2))
    assert (first["rows"]["accepted"], first["effect"]["removed"], len(first["returns"])) == (1, 1, 1)
    assert (second["rows"]["unchanged"], second["returns"]) == (1, [])


def test_a_dry_run_tells_everything_and_stores_nothing(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(some_births(3)), "births", dry_run="true").json()
    assert (receipt["dry_run"], receipt["rows"]["accepted"], len(receipt["returns"])) == (True, 3, 1)
    assert ingest.get("/v1/returns").json()["items"] == []
    assert published(ingest) == []
    assert ingest.get(f"/v1/submissions/{receipt['id']}").status_code == 404


def test_a_nil_return_is_a_version_without_rows(ingest: Ingest) -> None:
    receipt = ingest.send(b"", "births", nil="true", organisation="RGT", period="2026-05").json()
    assert [(r["kind"], r["rows"]) for r in receipt["returns"]] == [("nil", 0)]
    assert published(ingest)[0]["ce_kind"] == "nil"


@pytest.mark.parametrize("body", [b"\r\n", b"organisation,period,measure,numerator,denominator\n"])
def test_a_nil_return_may_come_with_a_file_of_no_rows(ingest: Ingest, body: bytes) -> None:
    receipt = ingest.send(body, nil="true", organisation="RGT", period="2026-05").json()
    assert [(r["kind"], r["rows"]) for r in receipt["returns"]] == [("nil", 0)]


def test_a_nil_return_with_rows_is_refused_and_the_rows_are_not_passed_over(ingest: Ingest) -> None:
    answer = ingest.send(as_csv(some_counts(months=1)), nil="true", organisation="RGT", period="2026-05")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "nil")
    assert published(ingest) == []


@pytest.mark.parametrize(("content_type", "status"), [("application/json", 422), ("application/pdf", 415)])
def test_a_nil_return_with_something_that_cannot_be_read_is_refused_like_any_file(
    ingest: Ingest, content_type: str, status: int
) -> None:
    rows, asked = as_csv(some_counts(months=1)), {"nil": "true", "organisation": "RGT", "period": "2026-05"}
    answer = ingest.send(rows, content_type=content_type, **asked)
    assert answer.status_code == status, answer.text
    assert published(ingest) == []


@pytest.mark.parametrize(
    ("organisation", "period", "wrong", "message"),
    [
        ("RDZ", "2026-05", "organisation", "RDZ closed on 2020-09-30"),
        ("RGT", "2092-05", "period", "2092-05 has not begun"),
        ("RGT", "2026-W05", "period", "returns of births are of a month"),
        ("RGT", None, "period", "needs the organisation and the period"),
    ],
)
def test_a_nil_return_is_refused_where_a_row_would_be(
    ingest: Ingest, organisation: str, period: str | None, wrong: str, message: str
) -> None:
    ingest.hear(an_organisation("RDZ", closed=date(2020, 9, 30)))
    asked = {"organisation": organisation} | ({"period": period} if period else {})
    answer = ingest.send(b"", "births", nil="true", **asked)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, wrong)
    assert message in answer.json()["detail"]
    assert published(ingest) == []


def test_a_nil_return_of_a_caller_that_is_not_yet_known_itself_is_refused(ingest: Ingest) -> None:
    answer = ingest.send(b"", "births", nil="true", period="2026-05", who=ingest.as_("R9Z"))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-organisation")


def test_rows_of_an_organisation_not_yet_known_wait_and_land_by_themselves(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(some_counts(months=2, organisation="R9Z"))).json()
    assert receipt["rows"] == NONE | {"received": 2, "waiting": 2}
    ingest.hear(an_organisation("R9Z"))
    after = ingest.get(f"/v1/submissions/{receipt['id']}").json()
    assert after["rows"] == NONE | {"received": 2, "accepted": 2}
    assert [one["ce_organisation"] for one in published(ingest)] == ["R9Z", "R9Z"]


def test_an_nhs_number_in_free_text_rejects_the_row_and_is_kept_nowhere(ingest: Ingest) -> None:
    number = "943 476 5919"
    rows = some_births(2)
    rows[1]["comment"] = f"see {number}"
    rows[0]["comment"] = ""
    answer = ingest.send(as_csv(rows), "births")
    receipt = answer.json()
    assert receipt["rows"]["rejected"] == 1
    kept = [
        ingest.get(f"/v1/submissions/{receipt['id']}/{one}").text
        for one in ("original", "rejected", "annotated", "faults")
    ]
    for shown in (answer.text, *kept):
        assert number not in shown
        assert number.replace(" ", "") not in shown
    assert "[withheld]" in kept[0]


def test_the_original_comes_back_as_it_was_sent(ingest: Ingest) -> None:
    body = as_csv(some_counts())
    receipt = ingest.send(body).json()
    assert ingest.get(f"/v1/submissions/{receipt['id']}/original").content == body


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "text/csv", 422),
        (b"organisation,period,measure,numerator,denominator\n", "text/csv", 422),
        (bytes(range(256)) * 4000, "text/csv", 422),
        (b'[{"organisation": "RGT", "per', "application/json", 422),
        (b"x", "application/pdf", 415),
        (b"\x1f\x8b\x08\x00broken", "text/csv", 422),
    ],
)
def test_a_file_that_cannot_be_read_is_a_clear_problem_and_nothing_is_stored(
    ingest: Ingest, body: bytes, content_type: str, status: int
) -> None:
    answer = ingest.send(body, content_type=content_type)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert ingest.get("/v1/submissions").json()["items"] == []


def test_an_unknown_feed_parameter_or_organisation_names_what_there_is(ingest: Ingest) -> None:
    feed = ingest.send(b"x", "nonsense")
    assert feed.status_code == 422
    assert "births" in feed.json()["detail"]
    assert ingest.send(b"x", atmic="true").json()["errors"][0]["parameter"] == "atmic"
    assert ingest.send(b"x", organisation="ZZZ").json()["type"] == "/problems/unknown-organisation"


def test_receipts_are_chained_and_listed_newest_first(ingest: Ingest) -> None:
    first = ingest.send(as_csv(some_counts(months=1))).json()
    second = ingest.send(as_csv(some_counts(months=2))).json()
    assert second["previous_receipt_sha256"] == first["receipt_sha256"]
    page = ingest.get("/v1/submissions", limit=1)
    assert [one["id"] for one in page.json()["items"]] == [second["id"]]
    assert 'rel="next"' in page.headers["link"]
    rest = ingest.get("/v1/submissions", limit=1, cursor=page.json()["next_cursor"]).json()
    assert [one["id"] for one in rest["items"]] == [first["id"]]


def test_a_list_holds_what_the_caller_sent_and_what_is_all_about_its_own_organisations(ingest: Ingest) -> None:
    for code in ("RGT", "RGN"):
        ingest.send(as_csv(some_counts(organisation=code)), organisation=code)
    both = some_counts(organisation="RGT", months=4) + some_counts(organisation="RGN", months=4)
    ingest.send(as_csv(both))

    listed = ingest.get("/v1/submissions", who=ingest.as_("RGT", client="trust")).json()["items"]

    assert [one["organisation"] for one in listed] == ["RGT"]


def test_a_caller_for_an_icb_may_write_for_what_lies_within_it(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(some_counts()), who=ingest.as_("QUE", client="icb")).json()
    assert receipt["rows"]["accepted"] == 3


def test_five_thousand_small_returns_land_in_one_submission(ingest: Ingest) -> None:
    codes = [f"V{n:04}" for n in range(1000)]
    for code in codes:
        ingest.hear(an_organisation(code, kind="care_home"))
    rows = [row for code in codes for row in some_counts(months=5, organisation=code, measure="ch-falls")]
    receipt = ingest.send(as_csv(rows)).json()
    assert receipt["rows"] == NONE | {"received": 5000, "accepted": 5000}
    assert receipt["returns_total"] == 5000
    again = ingest.send(as_csv([row | {"numerator": 1} for row in rows[:100]] + rows[100:])).json()
    assert again["effect"] == {"added": 0, "changed": 100, "removed": 0}
    assert again["returns_total"] == 100


def test_a_footprint_reaches_a_trust_through_its_icb_unless_it_is_in_another_collaborative(ingest: Ingest) -> None:
    ingest.hear(an_organisation("EAST", kind="hin"), an_organisation("WEST", kind="hin"))
    ingest.hear(an_organisation("QUE", kind="icb", within=("EAST",), hierarchy="psc"))
    footprint = ingest.as_("EAST", client="psc")

    assert ingest.send(as_csv(some_counts()), who=footprint).status_code == 201
    ingest.hear(an_organisation("RGT", edges=(("QUE", "icb"), ("WEST", "psc"))))
    assert ingest.send(as_csv(some_counts(months=2)), who=footprint).status_code == 403


def test_those_who_listen_are_told_of_every_organisation_a_submission_is_about(ingest: Ingest) -> None:
    """Rejected rows are about somebody too; a submission of which nothing landed names nobody, as its receipt."""
    both = some_counts(organisation="RGT") + [row | {"numerator": -1} for row in some_counts(organisation="RGN")]
    mixed = ingest.send(as_csv(both)).json()
    nothing = ingest.send(as_csv([row | {"numerator": -1} for row in some_counts(organisation="RGN")])).json()
    with ingest.database.session() as session:
        rows = session.execute(
            text("select convert_from(body, 'utf8')::jsonb as one from outbox where topic = 'ingest.submissions.v1'")
        )
        told = {row.one["id"]: row.one["organisations"] for row in rows}
    assert (mixed["status"], told[mixed["id"]]) == ("partly_accepted", ["RGN", "RGT"])
    assert (nothing["status"], told[nothing["id"]]) == ("rejected", [])


def test_a_value_that_is_not_sent_again_is_blank_in_the_next_version_and_the_row_has_changed(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(3)), "births")
    blank = as_csv(some_births(3, imd_decile=""))
    receipt = ingest.send(blank, "births").json()

    assert receipt["effect"] == {"added": 0, "changed": 3, "removed": 0}
    assert ingest.send(blank, "births").json()["rows"]["unchanged"] == 3


@pytest.mark.parametrize(
    ("headers", "body", "status", "place"),
    [
        ({"Content-Type": "application/pdf"}, b"x", 415, {"parameter": "Content-Type"}),
        ({"Content-Encoding": "br"}, b"x", 415, {"parameter": "Content-Encoding"}),
        ({}, b"", 422, {"pointer": ""}),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(
    ingest: Ingest, headers: dict[str, str], body: bytes, status: int, place: dict[str, str]
) -> None:
    answer = ingest.send(body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["errors"][0].items() >= place.items()

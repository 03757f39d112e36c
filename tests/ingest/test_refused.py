"""Rows that are refused for what lies outside of them - the file, an extract - are kept like any other rejected row."""

import csv
import io
from typing import Any

import pytest

from tests.ingest.builders import a_feed, as_csv, some_births
from tests.ingest.conftest import Ingest


def rejected(ingest: Ingest, receipt: dict[str, Any]) -> list[dict[str, str]]:
    text = ingest.get(f"/v1/submissions/{receipt['id']}/rejected").text
    return list(csv.DictReader(io.StringIO(text)))


def quarantined(ingest: Ingest, **wanted: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = ingest.get("/v1/quarantine", **wanted).json()["items"]
    return items


def wrong(count: int = 3) -> list[dict[str, Any]]:
    rows = some_births(count)
    rows[1]["pregnancy_outcome"] = "77"
    return rows


def stubborn(ingest: Ingest, share: float) -> None:
    """Let births refuse files in which more than this share of the rows is rejected."""
    feed = a_feed("births")
    ingest.hear(type(feed)(feed=feed.feed, version=feed.version, spec=feed.spec | {"refuse_above": share},
                           published_at=feed.published_at))  # fmt: skip


def test_every_row_of_a_file_that_was_to_land_whole_is_kept_with_the_reason(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(wrong()), "births", atomic="true").json()

    assert receipt["rows"]["rejected"] == 3
    assert [row["psip_line"] for row in rejected(ingest, receipt)] == ["2", "3", "4"]
    assert [one["codes"] for one in quarantined(ingest, code="not-atomic")] == [
        ["not-atomic"], ["not-atomic", "not-in-code-list"], ["not-atomic"]
    ]  # fmt: skip


def test_every_row_of_a_file_with_too_many_wrong_rows_is_kept_with_the_reason(ingest: Ingest) -> None:
    stubborn(ingest, 0.2)
    receipt = ingest.send(as_csv(wrong()), "births").json()

    assert (receipt["status"], receipt["rows"]["rejected"]) == ("rejected", 3)
    assert len(rejected(ingest, receipt)) == len(quarantined(ingest, code="too-many-rejected")) == 3


def test_a_file_that_was_refused_as_a_whole_comes_back_as_a_whole(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(6)), "births")
    receipt = ingest.send(as_csv(wrong()), "births", atomic="true").json()
    mended = [row | {"pregnancy_outcome": "01"} for row in rejected(ingest, receipt)]

    answer = ingest.send(as_csv(mended), "births", atomic="true").json()

    assert answer["status"] == "accepted", answer
    assert (answer["effect"]["removed"], answer["returns"][0]["rows"]) == (3, 3)
    assert quarantined(ingest) == []


def test_rows_of_an_older_extract_are_kept_and_do_not_creep_in_by_the_quarantine(ingest: Ingest) -> None:
    ingest.send(as_csv(some_births(3, extract_datetime="2026-06-10T10:00:00")), "births")
    old = [
        *some_births(5, extract_datetime="2026-06-01T10:00:00"),
        *some_births(2, month="2026-04", extract_datetime="2026-06-01T10:00:00"),
    ]
    receipt = ingest.send(as_csv(old), "births").json()

    assert (receipt["rows"]["accepted"], receipt["rows"]["rejected"]) == (2, 5)
    assert [row["psip_line"] for row in rejected(ingest, receipt)] == ["2", "3", "4", "5", "6"]
    assert [one["codes"] for one in quarantined(ingest, organisation="RGT")] == [["older-extract"]] * 5
    place = f"/v1/quarantine/{receipt['id']}/6"
    replayed = ingest.client.post(f"{place}/replay", headers=ingest.as_())
    assert (replayed.status_code, replayed.json()["type"]) == (422, "/problems/still-wrong")
    newer = ingest.client.patch(place, json={"extract_datetime": "2026-06-11T10:00:00"}, headers=ingest.as_())
    assert newer.status_code == 200, newer.text
    assert newer.json()["receipt"]["rows"]["rejected"] == 4


def test_the_identifiers_of_refused_rows_are_kept_as_pseudonyms_only(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(wrong()), "births", atomic="true").json()

    for row in rejected(ingest, receipt):
        assert row["baby_local_id"].startswith("[pseudonym 1:")


@pytest.mark.parametrize("route", ["replay", "waive"])
def test_a_row_of_a_refused_file_cannot_land_by_itself_but_can_be_waived(ingest: Ingest, route: str) -> None:
    receipt = ingest.send(as_csv(wrong()), "births", atomic="true").json()
    reason = {"reason": "the month is sent by our partner"} if route == "waive" else None
    answer = ingest.client.post(f"/v1/quarantine/{receipt['id']}/2/{route}", json=reason, headers=ingest.as_())

    assert answer.status_code == (200 if route == "waive" else 409)


def test_rows_without_a_column_that_every_row_needs_are_found_by_that(ingest: Ingest) -> None:
    rows = [{name: value for name, value in row.items() if name != "pregnancy_outcome"} for row in some_births(2)]
    ingest.send(as_csv(rows), "births")

    assert [one["codes"] for one in quarantined(ingest, code="missing-column")] == [["missing-column"]] * 2

"""Receipts: chained so that tampering shows, printable, and in a dry run telling what would have come of it."""

from html.parser import HTMLParser

import pytest
from sqlalchemy import text

from services.ingest.queries.rehearsals import NOT_NOW
from shared.contracts.programmes import MeasurePublished
from tests.ingest.builders import NOW, an_organisation, as_csv, some_births, some_counts
from tests.ingest.conftest import Ingest


def test_a_receipt_and_its_chain_are_verified_through_all_that_happens_to_it(ingest: Ingest) -> None:
    waiting = ingest.send(as_csv(some_counts(organisation="R9Z"))).json()
    withdrawn = ingest.send(as_csv(some_counts(months=2))).json()
    ingest.hear(an_organisation("R9Z"))
    ingest.client.delete(withdrawn["links"]["self"], headers=ingest.as_())
    for receipt, events in ((waiting, ["received", "landed"]), (withdrawn, ["received", "withdrawn"])):
        told = ingest.get(f"/v1/submissions/{receipt['id']}/verify").json()
        assert (told["intact"], [one["event"] for one in told["links"]]) == (True, events)
        assert told["chain"] == {"client": "supplier", "links": 4, "intact": True, "broken_at": None}


@pytest.mark.parametrize(
    "tampering",
    [
        "update submission set accepted = accepted - 1, rejected = rejected + 1 where id = :id",
        "update submission set received_at = received_at - interval '1 day' where id = :id",
        "update submission set faults_total = 7 where id = :id",
        "update receipt_entry set sha256 = repeat('0', 64) where submission_id = :id",
        "update receipt_entry set said = 'x' where submission_id = :id",
        "delete from receipt_entry where submission_id = :id",
        "delete from receipt_entry where number = 1",
        "update receipt_entry set number = 9 where number = 1",
    ],
)
def test_tampering_is_detected(ingest: Ingest, tampering: str) -> None:
    ingest.send(as_csv(some_counts(months=1)))
    receipt = ingest.send(as_csv(some_counts(months=2))).json()
    ingest.send(as_csv(some_counts(months=3)))
    with ingest.database.session() as session:
        session.execute(text(tampering), {"id": receipt["id"]})
    assert ingest.get(f"/v1/submissions/{receipt['id']}/verify").json()["intact"] is False


def test_a_receipt_says_what_it_stands_on_and_so_does_a_list_of_them(ingest: Ingest) -> None:
    receipt = ingest.send(as_csv(some_counts(months=1))).json()
    listed = ingest.get("/v1/submissions").json()
    ingest.client.delete(receipt["links"]["self"], headers=ingest.as_())
    after, listed_after = ingest.get(receipt["links"]["self"]).json(), ingest.get("/v1/submissions").json()
    assert after["data_version"] > receipt["data_version"] > 0
    assert listed_after["data_version"] > listed["data_version"]
    assert receipt["completed_at"] <= receipt["as_of"] == listed["as_of"]
    assert after["withdrawn_at"] <= after["as_of"] == listed_after["as_of"]


def test_who_waits_for_the_result_is_told_that_it_was_waited_for(ingest: Ingest) -> None:
    waited = ingest.send(as_csv(some_counts()), headers={"Prefer": "respond-async, wait=10"})
    assert (waited.status_code, waited.headers["Preference-Applied"]) == (201, "wait=10")
    quoted = ingest.send(as_csv(some_counts()), headers={"Prefer": 'Wait = "10"'})
    assert (quoted.status_code, quoted.headers["Preference-Applied"]) == (201, "wait=10")
    assert (
        "Preference-Applied" not in ingest.send(as_csv(some_counts()), headers={"Prefer": "handling=lenient"}).headers
    )


class Outline(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_receipt_is_a_page_for_people_that_says_the_same(ingest: Ingest) -> None:
    rows = some_births(3)
    rows[1]["pregnancy_outcome"] = "<b>x"
    receipt = ingest.send(as_csv(rows), "births").json()
    answer = ingest.client.get(receipt["links"]["self"], headers={**ingest.as_(), "Accept": "text/html,*/*;q=0.8"})
    page = Outline(answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    assert 'lang="en-GB"' in answer.text
    assert page.tags.count("h1") == 1
    assert "b" not in page.tags
    assert "script" not in page.tags
    for said in (receipt["id"], receipt["sha256"], receipt["receipt_sha256"], "not-in-code-list", "<b>x", "2026-05"):
        assert said in page.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html;q=0.5", "text/html;q=0"])
def test_a_program_gets_json(ingest: Ingest, accept: str) -> None:
    receipt = ingest.send(as_csv(some_counts())).json()
    answer = ingest.client.get(receipt["links"]["self"], headers={**ingest.as_(), "Accept": accept})
    assert answer.json() == receipt


def test_a_dry_run_tells_which_returns_and_figures_would_change_and_changes_none(ingest: Ingest) -> None:
    definition = {"id": "mn-x", "numerator": {"feed": "births"}, "denominator": {"feed": "births"}}
    ingest.hear(MeasurePublished(measure="mn-x", version="1.0.0", definition=definition, published_at=NOW))
    ingest.send(as_csv(some_births(5)), "births")
    rows = [row | {"imd_decile": 9} for row in some_births(1)] + some_births(3)[1:]
    told = ingest.send(as_csv(rows), "births", dry_run="true").json()["consequences"]
    assert told["returns"] == [
        {"organisation": "RGT", "period": "2026-05", "before": 5, "after": 3, "added": 0, "changed": 1, "removed": 2}
    ]
    assert told["measures"] == ["mn-x"]
    cell = {"measure": "mn-x", "organisation": "RGT", "period": "2026-05"}
    assert (told["cells"], told["notices"]) == ([cell], [NOT_NOW]), "there is no measures service here to ask"
    assert ingest.get("/v1/returns").json()["items"][0]["rows"] == 5


def test_a_dry_run_of_what_is_held_already_has_no_consequences(ingest: Ingest) -> None:
    ingest.send(as_csv(some_counts()))
    told = ingest.send(as_csv(some_counts()), dry_run="true").json()["consequences"]
    nothing = {"returns": [], "measures": [], "cells": [], "signals": [], "targets": [], "notices": []}
    assert told == nothing | {"returns_total": 0, "cells_total": 0}


def test_a_dry_run_of_counts_names_the_measures_in_it(ingest: Ingest) -> None:
    told = ingest.send(as_csv(some_counts(months=1)), dry_run="true").json()["consequences"]
    assert told["measures"] == ["mn-cqimpreterm"]
    assert told["cells_total"] == 1

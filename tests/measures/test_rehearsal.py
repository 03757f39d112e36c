"""Rehearsing returns: told to those who may send, of organisations they see exactly, and undone."""

import msgspec
import pytest
from sqlalchemy import text

from tests.measures.builders import a_return, an_organisation, monthly, some_births
from tests.measures.conftest import Served

SENDS = frozenset({"submissions:write"})


def rehearsed(served: Served, *events, who=None):
    return served.client.post(
        "/internal/rehearsals",
        content=msgspec.msgpack.encode(events),
        headers=served.as_("member", "RGT", scopes=SENDS) if who is None else who,
    )


@pytest.fixture
def sending(served: Served) -> Served:
    served.hear(an_organisation("RGT"), an_organisation("RXK"), a_return(some_births(preterm=2, term=8)))
    return served


def test_figures_are_told_before_and_after_and_stay_as_they_were(sending: Served) -> None:
    told = rehearsed(sending, a_return(some_births(preterm=3, term=9))).json()
    assert told["cells"] == [
        {"measure": "preterm", "organisation": "RGT", "period": "2026-01",
         "before": {"numerator": 2, "denominator": 10, "value": 20},
         "after": {"numerator": 3, "denominator": 12, "value": 25}},
    ]  # fmt: skip
    with sending.database.session() as session:
        left = {table: session.scalar(text(f"select count(*) from {table}")) for table in ("return_version", "change")}
        assert left == {"return_version": 1, "change": 1}


def test_an_older_return_would_change_nothing(sending: Served) -> None:
    newer, older = a_return([], sequence=9_001), a_return(some_births(preterm=1, term=1), sequence=9_000)
    sending.hear(newer)
    assert rehearsed(sending, older).json() == {"cells": [], "cells_total": 0, "signals": [], "targets": []}


def test_nothing_is_shown_of_organisations_that_the_caller_does_not_see_exactly(sending: Served) -> None:
    told = rehearsed(sending, a_return(some_births(preterm=3, term=9), organisation="RXK")).json()
    assert (told["cells"], told["cells_total"], told["signals"], told["targets"]) == ([], 1, [], [])


def test_a_signal_that_would_begin_is_told(sending: Served) -> None:
    stood, coming = monthly([30 + n % 3 for n in range(18)]), monthly([9] * 8)
    sending.hear(*stood)
    (signal,) = rehearsed(sending, *coming).json()["signals"]
    assert (signal["organisation"], signal["measure"], signal["state"]) == ("RGT", "preterm", "detected")


def test_only_those_who_may_send_are_told(sending: Served) -> None:
    event = a_return(some_births(preterm=3, term=9))
    assert rehearsed(sending, event, who={}).status_code == 401
    assert rehearsed(sending, event, who=sending.as_("member", "RGT")).status_code == 403


def test_a_body_that_is_no_list_of_returns_is_refused(sending: Served) -> None:
    answer = sending.client.post("/internal/rehearsals", content=b"no", headers=sending.as_("member", scopes=SENDS))
    assert answer.status_code == 422

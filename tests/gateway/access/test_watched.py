"""What is kept in the audit of a request that went through."""

import pytest

from gateway.access.watched import EXPORTS, event_of, subjects
from gateway.routes import FIGURES, GATEWAY, INGEST, MEASURES, READ, TABLE, Row
from shared.principal import Principal

SERIES = Row("/v1/series", MEASURES, GET=FIGURES)
EXPORT = Row("/v1/exports/{measure}", MEASURES, GET=FIGURES)
SEND = Row("/v1/submissions", INGEST, POST="submissions:write")
PAGE = Row("/v1/pages/organisations/{code}", GATEWAY, GET=READ)
REGISTER = Row("/v1/clients", GATEWAY, POST="clients:write")
SPC = Row("/v1/statistics/spc", MEASURES, POST=FIGURES)


def who(audience, *scopes):
    return Principal("c", frozenset(scopes or {FIGURES}), audience=audience)


@pytest.mark.parametrize(
    ("row", "method", "status", "caller", "event"),
    [
        (SERIES, "GET", 200, who("national"), "read.exact"),
        (SERIES, "GET", 200, who("member"), "read.exact"),
        (SERIES, "GET", 304, who("member"), "read.exact"),
        (SERIES, "GET", 200, who("public"), None),
        (SERIES, "GET", 404, who("national"), None),
        (SERIES, "GET", 504, who("national"), None),
        (EXPORT, "GET", 200, who("public"), "export"),
        (EXPORT, "GET", 404, who("public"), None),
        (SEND, "POST", 202, who("public"), "write"),
        (SEND, "POST", 503, who("public"), "write"),
        (PAGE, "GET", 200, who("member", READ, FIGURES), "read.exact"),
        (PAGE, "GET", 200, who("member", READ), None),
        (PAGE, "GET", 200, who("public", READ, FIGURES), None),
        (REGISTER, "POST", 201, who("national"), None),
        (SPC, "POST", 200, who("national"), None),
    ],
)
def test_what_an_answer_leaves_in_the_audit(row, method, status, caller, event):
    assert event_of(row, row.needs[method], method, status, caller) == event


def test_every_export_is_an_address_of_the_table():
    assert {row.path for row in TABLE} >= EXPORTS


@pytest.mark.parametrize(
    ("row", "path", "query", "told"),
    [
        (SERIES, "/v1/series", "measure=mn-preterm&organisation=RGT&from=2026-01", ["measure", "organisation"]),
        (EXPORT, "/v1/exports/mn-preterm", "", ["measure"]),
        (EXPORT, "/v1/exports/mn-preterm", "stratum=imd_quintile%3D1", ["measure", "stratum"]),
        (SERIES, "/v1/series", "organisation=9434765919", []),
        (SERIES, "/v1/series", "organisation=943+476+5919", []),
        (SERIES, "/v1/series", "measure=%00%ff&organisation=<x>", []),
        (SERIES, "/v1/series", "q=mn-preterm", []),
        (SERIES, "/v1/series", "period=2026-09", ["period"]),
        (SERIES, "/v1/series", "measure=" + "x" * 65, []),
    ],
)
def test_only_names_of_what_was_read_are_told(row, path, query, told):
    assert list(subjects(row, path, query)) == told

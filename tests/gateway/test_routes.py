"""The table: where each address leads, and what is refused because it could be read in two ways."""

import re

import pytest

from gateway.problems import AmbiguousAddress, MethodNotAllowed
from gateway.routes import MEASURES, NOT_SCOPES, PROGRAMMES, SCOPES, TABLE, Routes, Row
from shared.problems import NotFound

ROUTES = Routes()


def test_progress_of_a_target_is_measured_and_the_target_itself_is_registered():
    assert ROUTES.find("GET", b"/v1/targets/t1/progress").row.service == MEASURES
    assert ROUTES.find("GET", b"/v1/targets/t1").row.service == PROGRAMMES


def test_a_literal_step_is_preferred_to_a_placeholder():
    assert ROUTES.find("GET", b"/v1/clients/me").row.path == "/v1/clients/me"
    assert ROUTES.find("GET", b"/v1/clients/you").row.path == "/v1/clients/{client_id}"


def test_a_literal_step_that_leads_nowhere_does_not_hide_a_placeholder():
    routes = Routes([Row("/a/me/x", "s", GET="public"), Row("/a/{id}/y", "s", GET="public")])
    assert routes.find("GET", b"/a/me/y").row.path == "/a/{id}/y"


@pytest.mark.parametrize(
    "path", [b"/nope", b"/v1", b"/v1/", b"/v1/clients/", b"/v1/charts/a", b"/internal/openapi.json"]
)
def test_what_is_not_in_the_table_is_not_there(path):
    with pytest.raises(NotFound):
        ROUTES.find("GET", path)


def test_a_method_that_the_row_does_not_take_is_told_which_it_takes():
    with pytest.raises(MethodNotAllowed) as refused:
        ROUTES.find("PATCH", b"/v1/submissions")
    assert refused.value.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/charts/a%2Fb/c",
        b"/v1/charts/a%5cb/c",
        b"/v1/charts/a\\b/c",
        b"/v1/../v1/series",
        b"/v1/%2e%2e/series",
        b"/v1/./series",
        b"/v1//series",
        b"//v1/series",
        b"/v1/charts/%00/c",
        b"/v1/charts/a%0d%0ax/c",
        b"/v1/charts/%ff/c",
        b"v1/series",
    ],
)
def test_a_path_that_a_service_could_read_in_another_way_is_refused(path):
    with pytest.raises(AmbiguousAddress):
        ROUTES.find("GET", path)


def test_an_encoded_step_is_found_by_what_it_means():
    assert ROUTES.find("GET", b"/v1/%73eries").row.path == "/v1/series"
    assert ROUTES.find("GET", b"/v1/charts/a%20b/%C3%A9").row.path == "/v1/charts/{measure}/{organisation}"


def test_two_rows_for_one_address_cannot_be():
    with pytest.raises(ValueError, match="two rows"):
        Routes([Row("/a/{id}", "s", GET="public"), Row("/a/{code}", "s", POST="public")])


def test_every_scope_is_a_plural_and_what_may_be_done():
    assert all(re.fullmatch(r"[a-z]+:(read|write)", scope) for scope in SCOPES)
    assert all(need in SCOPES | NOT_SCOPES for row in TABLE for need in row.needs.values())


def test_reading_never_needs_a_scope_to_write_and_changing_never_only_one_to_read():
    calculations = "/v1/statistics/"  # POST because the question is long; nothing is kept
    for row in TABLE:
        for method, need in row.needs.items():
            if ":" in need and not row.path.startswith(calculations):
                assert need.endswith(":read" if method == "GET" else ":write"), (row, method)

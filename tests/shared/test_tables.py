"""The form a table comes in is the one its reader likes best."""

import pytest
from fastapi import Request

from shared.tables import MEDIA_TYPES, accepted

PARQUET = MEDIA_TYPES["parquet"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv", "csv"),
        (f"TEXT/CSV, {PARQUET}", "csv"),
        (f"text/csv;q=0.5, {PARQUET}", "parquet"),
        (f"text/csv; q=0.5 , {PARQUET}; q=0.25", "csv"),
        ("text/csv;header=present", "csv"),
        ("text/csv;q=0", "json"),
        ("application/json;q=0.1, text/csv;q=0", "json"),
        ("text/html, */*", "json"),
        ("", "json"),
    ],
)
def test_of_the_forms_an_accept_header_names_the_best_liked_comes(accept: str, form: str) -> None:
    request = Request({"type": "http", "headers": [(b"accept", accept.encode())]})
    assert accepted(request, MEDIA_TYPES) == form


@pytest.mark.parametrize(("accept", "form"), [("", "csv"), ("*/*", "csv"), (f"{PARQUET};q=0.1, text/csv", "csv")])
def test_where_it_names_none_of_them_what_is_usual_comes(accept: str, form: str) -> None:
    forms = {name: MEDIA_TYPES[name] for name in ("csv", "parquet")}
    request = Request({"type": "http", "headers": [(b"accept", accept.encode())]})
    assert accepted(request, forms, otherwise="csv") == form

"""Who may change the registry."""

import pytest
from sqlalchemy import text

from tests.programmes.writing.conftest import Caller
from tests.programmes.writing.samples import (
    A_HOME,
    A_MEASURE,
    A_PROGRAMME,
    A_TARGET,
    AN_ANNOTATION,
    AN_ENROLMENT,
    refused,
)

WRITES = [
    ("POST", "/organisations", A_HOME),
    ("PUT", "/organisations/RGT", A_HOME | {"code": "RGT"}),
    ("POST", "/programmes", A_PROGRAMME),
    ("PUT", "/programmes/matneosip", A_PROGRAMME | {"id": "matneosip"}),
    ("POST", "/targets", A_TARGET),
    ("PUT", "/targets/stillbirths-2025", A_TARGET | {"id": "stillbirths-2025"}),
    ("POST", "/measures", A_MEASURE | {"programme": "matneosip"}),
    ("PUT", "/measures/ch-falls/draft", A_MEASURE | {"id": "ch-falls", "programme": "care-homes"}),
    ("POST", "/measures/ch-falls/retire", None),
    ("POST", "/enrolments", AN_ENROLMENT),
    ("POST", "/annotations", AN_ANNOTATION),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_somebody_unknown_changes_nothing(untouched, method, path, body):
    assert untouched.send(method, f"/v1{path}", json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_reading_is_not_writing(untouched, method, path, body):
    reader = Caller(untouched, "reader", "*", scopes="programmes:read")
    refused(reader(method, path, body), 403, "forbidden")


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_writing_for_an_organisation_that_is_not_yours_is_refused(untouched, method, path, body):
    elsewhere = Caller(untouched, "elsewhere", "NENC")
    if path == "/programmes":
        body = body | {"organisation": "EAST"}
    refused(elsewhere(method, path, body), 403, "not-your-organisation")
    with untouched.database.session() as session:
        assert session.execute(text("select count(*) from change where who = 'elsewhere'")).scalar_one() == 0

"""The whole reference: every operation is named, every parameter explained, everything sent and answered shown."""

import re

import jsonschema_rs
import pytest

from deploy.openapi import openapi
from gateway.examples import FOLDER
from gateway.openapi import operations

DOCUMENT = openapi()
OPERATIONS = {one["operationId"]: one for _, _, one in operations(DOCUMENT)}
NOT_TEXT = {
    "application/octet-stream",
    "application/vnd.apache.parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "image/png",
}
JSON = re.compile(r"application/([a-z.0-9]+\+)?json")


def contents(operation):
    """Where, media type and content of everything that an operation takes or answers."""
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", media_type, media
    for status, answer in operation["responses"].items():
        for media_type, media in answer.get("content", {}).items():
            yield status, media_type, media


def shown(media):
    """Every example of a content."""
    return [one["value"] for one in media.get("examples", {}).values()] + [media[e] for e in ("example",) if e in media]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_explained_down_to_its_parameters(name):
    operation = OPERATIONS[name]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert operation["description"].strip()
    assert len(operation["tags"]) == 1
    assert [one["name"] for one in operation.get("parameters", []) if not one.get("description", "").strip()] == []
    assert [status for status, answer in operation["responses"].items() if not answer.get("description")] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_everything_that_is_sent_or_answered_is_shown(name):
    missing = [
        (where, media_type)
        for where, media_type, media in contents(OPERATIONS[name])
        if media_type not in NOT_TEXT and not shown(media)
    ]
    assert missing == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_shown_fits_its_schema(name):
    for where, media_type, media in contents(OPERATIONS[name]):
        if not JSON.fullmatch(media_type) or "schema" not in media:
            continue
        schema = {**media["schema"], "components": DOCUMENT["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        for example in shown(media):
            errors = [
                f"{where} {error.instance_path}: {error.message}"[:300] for error in validator.iter_errors(example)
            ]
            assert errors == []


def test_every_kept_example_is_of_an_operation():
    assert {path.stem for path in FOLDER.iterdir()} <= OPERATIONS.keys()

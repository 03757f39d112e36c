"""ETags: the same content has the same name, and an answer is not sent to who has it."""

import pytest
from starlette.requests import Request

from shared.caching import PreconditionFailed, answer_with_etag, demand_match

BODY = {"name": "falls"}


def a_request(method="GET", **headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "headers": pairs})


TAG = answer_with_etag(a_request(), BODY).headers["ETag"]


def test_the_same_content_has_the_same_etag_and_other_content_another():
    assert answer_with_etag(a_request(), dict(BODY)).headers["ETag"] == TAG
    assert answer_with_etag(a_request(), {"name": "huddles"}).headers["ETag"] != TAG


@pytest.mark.parametrize("sent", [TAG, f"W/{TAG}", f'"other", {TAG}', "*"])
def test_who_has_it_already_gets_a_304_without_a_body(sent):
    answer = answer_with_etag(a_request(if_none_match=sent), BODY)
    assert (answer.status_code, answer.body, answer.headers["ETag"]) == (304, b"", TAG)


def test_who_has_another_gets_it():
    assert answer_with_etag(a_request(if_none_match='"other"'), BODY).status_code == 200


def test_only_reading_is_answered_with_a_304():
    assert answer_with_etag(a_request("PUT", if_none_match=TAG), BODY).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"if_match": TAG}, {"if_match": "*"}, {"if_match": f'"other", {TAG}'}])
def test_a_change_to_what_is_there_passes(headers):
    demand_match(a_request("PUT", **headers), BODY)


@pytest.mark.parametrize("sent", ['"other"', f"W/{TAG}"])
def test_a_change_to_what_is_no_longer_there_is_refused_and_told_what_is(sent):
    with pytest.raises(PreconditionFailed) as refusal:
        demand_match(a_request("PUT", if_match=sent), BODY)
    assert refusal.value.headers["ETag"] == TAG

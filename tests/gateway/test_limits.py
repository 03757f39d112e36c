"""How much a caller may ask, and what it is told about it."""

import re

import pytest

from gateway.limits import neighbourhood

LEFT = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')


def left(answer):
    name, remaining, seconds = LEFT.fullmatch(answer.headers["RateLimit"]).groups()
    assert 1 <= int(seconds) <= 60
    return name, int(remaining)


def test_every_request_of_a_client_is_counted_and_the_last_is_refused_with_the_wait(listen):
    with listen(requests_per_minute=3) as gateway:
        bearer = gateway.client().bearer
        answers = [gateway.http.get("/v1/series", headers=bearer) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert [left(one) for one in answers] == [("client", 2), ("client", 1), ("client", 0), ("client", 0)]
    assert answers[0].headers["RateLimit-Policy"] == '"client";q=3;w=60'
    wait = int(answers[3].headers["Retry-After"])
    assert 1 <= wait <= 60
    assert answers[3].json()["detail"] == f"try again in {wait} seconds"


def test_one_client_does_not_use_up_what_another_may(listen):
    with listen(requests_per_minute=1) as gateway:
        first, second = gateway.client().bearer, gateway.client().bearer
        gateway.http.get("/v1/series", headers=first)
        assert gateway.http.get("/v1/series", headers=first).status_code == 429
        assert gateway.http.get("/v1/series", headers=second).status_code == 200


def test_two_tokens_of_a_client_are_one_client(listen):
    with listen(requests_per_minute=1) as gateway:
        known = gateway.client()
        first, second = known.bearer, known.bearer
        gateway.http.get("/v1/series", headers=first)
        assert gateway.http.get("/v1/series", headers=second).status_code == 429


def test_those_without_a_token_are_counted_by_address_whatever_they_ask(listen):
    with listen(anonymous_per_minute=4) as gateway:
        paths = ["/", "/nope", "/v1/series", "/problems/unauthenticated", "/", "/v1/series"]
        answers = [gateway.http.get(path) for path in paths]
    assert [one.status_code for one in answers] == [200, 404, 401, 200, 429, 429]
    assert [left(one) for one in answers][:4] == [("anonymous", n) for n in (3, 2, 1, 0)]


def test_a_refused_scope_is_counted_too(listen):
    with listen(requests_per_minute=2) as gateway:
        bearer = gateway.client(scopes=["audit:read"]).bearer
        statuses = [gateway.http.get("/v1/series", headers=bearer).status_code for _ in range(3)]
    assert statuses == [403, 403, 429]


@pytest.mark.parametrize("path", ["/health/ready", "/metrics"])
def test_operations_are_not_counted(listen, path):
    with listen(anonymous_per_minute=1) as gateway:
        answers = [gateway.http.get(path) for _ in range(3)]
    assert {one.status_code for one in answers} == {200}
    assert "RateLimit" not in answers[0].headers


def test_the_figures_a_client_reads_are_counted_and_told(listen):
    with listen(cells_per_minute=1000) as gateway:
        bearer = gateway.client().bearer
        first = gateway.http.get("/v1/exports/cells?600", headers=bearer)
        second = gateway.http.get("/v1/exports/cells?600", headers=bearer)
        third = gateway.http.get("/v1/exports/cells?1", headers=bearer)
        other = gateway.http.get("/v1/programmes", headers=bearer)
    assert [one.status_code for one in (first, second, third, other)] == [200, 200, 429, 200]
    assert re.search(r'"cells";q=1000;w=60', first.headers["RateLimit-Policy"])
    assert [re.search(r'"cells";r=(\d+)', one.headers["RateLimit"])[1] for one in (first, second, third)] == [
        "400",
        "0",
        "0",
    ]
    assert third.json()["type"] == "/problems/too-many-cells"
    assert 1 <= int(third.headers["Retry-After"]) <= 60
    assert "X-PSIP-Cells" not in first.headers


def test_one_client_does_not_use_up_the_figures_of_another(listen):
    with listen(cells_per_minute=10) as gateway:
        one, other = gateway.client().bearer, gateway.client().bearer
        gateway.http.get("/v1/exports/cells?10", headers=one)
        answers = [gateway.http.get("/v1/series", headers=who) for who in (one, other)]
    assert [answer.status_code for answer in answers] == [429, 200]


@pytest.mark.parametrize("told", ["", "many", "-5", "1e9", "²"])
def test_what_is_no_number_of_figures_counts_as_none(gateway, told):
    answer = gateway.http.get(f"/v1/exports/cells?{told}", headers=gateway.client().bearer)
    assert (answer.status_code, "cells" in answer.headers["RateLimit"]) == (200, False)


def test_a_network_of_one_machine_is_one_caller():
    assert neighbourhood("2001:db8:1:2:aaaa::1") == neighbourhood("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert neighbourhood("2001:db8:1:3::1") != neighbourhood("2001:db8:1:2::1")
    assert [neighbourhood(one) for one in ("192.0.2.7", "", "a socket")] == ["192.0.2.7", "", "a socket"]

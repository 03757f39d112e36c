"""The checklist over HTTP: what passes the door is watched in the sandbox, and only there."""

import gzip
import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

ADDRESS = "/v1/conformance"


@pytest.fixture(scope="module")
def playground(listen: Any) -> Iterator[Any]:
    with listen(sandbox=True) as gateway:
        yield gateway


def done(gateway: Any, bearer: dict[str, str]) -> set[str]:
    answer = gateway.http.get(ADDRESS, headers=bearer)
    assert answer.status_code == 200, answer.text
    assert answer.json()["ready"] is False
    return {one["check"] for one in answer.json()["checks"] if one["met_at"] is not None}


def test_what_a_client_really_did_is_on_its_list_and_on_no_other(playground: Any) -> None:
    mine, other = playground.client().bearer, playground.client().bearer

    playground.http.post(
        "/v1/submissions",
        params={"feed": "births", "dry_run": "true"},
        content=gzip.compress(b"a\n"),
        headers=mine | {"Content-Encoding": "gzip"},
    )
    playground.http.get("/v1/submissions/s1", headers=mine)

    assert done(playground, mine) == {"dry-run", "compressed", "receipt-read"}
    assert done(playground, other) == set()


def test_a_token_bought_with_a_signed_jwt_is_on_the_list(playground: Any) -> None:
    key = ECKey.generate_key("P-256", auto_kid=True)
    me = {
        "client_id": "signs",
        "name": "Signs",
        "scopes": ["measures:read"],
        "jwks": {"keys": [key.as_dict(private=False)]},
    }
    registered = playground.http.post("/v1/clients", json=me, headers=playground.client().bearer)
    assert registered.status_code == 201, registered.text
    now = int(time.time())
    claims = {"iss": "signs", "sub": "signs", "aud": playground.settings.token_url, "jti": "1", "exp": now + 60}
    assertion = jwt.encode({"alg": "ES256", "kid": key.kid}, claims | {"iat": now}, key)

    token = playground.http.post(
        "/oauth2/token",
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        },
    ).json()["access_token"]

    assert done(playground, {"Authorization": f"Bearer {token}"}) == {"signed-token"}


def test_a_client_that_comes_again_too_soon_has_not_waited(playground: Any) -> None:
    bearer = playground.client().bearer

    refused = playground.http.get("/v1/series", headers=bearer | {"X-Scenario": "busy"})

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert done(playground, bearer) == set()


def test_elsewhere_nobody_is_watched(gateway: Any) -> None:
    answer = gateway.http.get(ADDRESS, headers=gateway.client().bearer)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/only-in-the-sandbox")


def test_the_list_is_for_clients_only(playground: Any) -> None:
    assert playground.http.get(ADDRESS).status_code == 401

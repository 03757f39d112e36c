"""Tokens of outside issuers: found by discovery, believed for what was described and no more."""

import hmac
import time
import uuid
from hashlib import sha256

import pytest
from joserfc import jwt
from joserfc.util import urlsafe_b64encode as base64url_encode
from pydantic import ValidationError

from deploy.serving import Server
from gateway.access import remote
from gateway.access.issuers import OutsideIssuer
from gateway.access.jose import NotVerified
from shared.principal import HEADER, Verifier
from tests.gateway.access.publishing import LATER, RSA, Publisher
from tests.gateway.conftest import new_settings

DESCRIBED = {
    "name": "nhs-id",
    "issuer": "https://id.example/realm",
    "audience": "api://psip",
    "scopes": {"claim": "roles", "gives": {"analyst": ["measures:read"], "editor": ["programmes:read"]}},
    "organisations": {"claim": "ods", "gives": {"east": ["QH8", "QJG"]}, "as_written": True},
    "figures": {"claim": "roles", "gives": {"analyst": "member", "editor": "national"}},
}


def principal(**claims):
    return OutsideIssuer(**DESCRIBED).principal({"sub": "ann", "roles": ["analyst"]} | claims)


def test_claims_give_what_the_description_says():
    one = principal(ods=["east", "RGT"])
    assert (one.client_id, one.scopes, one.audience) == ("nhs-id:ann", {"measures:read"}, "member")
    assert one.organisations == {"QH8", "QJG", "RGT"}


def test_a_claim_may_be_words_in_one_string_and_the_widest_audience_counts():
    one = principal(roles="analyst editor")
    assert (one.scopes, one.audience) == ({"measures:read", "programmes:read"}, "national")


def test_a_value_that_was_not_described_gives_nothing():
    one = principal(roles=["analyst", "national", "clients:write"], ods=["*", "rgt", "' or 1=1"], audience="national")
    assert (one.scopes, one.organisations, one.audience) == ({"measures:read"}, frozenset(), "member")


@pytest.mark.parametrize(
    "claims",
    [{"roles": []}, {"roles": None}, {"roles": 7}, {"roles": ["other"]}, {"sub": None}, {"sub": ""}, {"sub": "a\nb"}],
)
def test_who_is_given_nothing_is_not_let_in(claims):
    with pytest.raises(NotVerified):
        principal(**claims)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": {"claim": "roles", "gives": {"x": ["clients:write"]}}},
        {"scopes": {"claim": "roles", "gives": {"x": ["webhooks:write"]}}},
        {"scopes": {"claim": "roles", "gives": {"x": ["nothing:read"]}}},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"name": "Two Words"},
    ],
)
def test_a_description_that_gives_too_much_is_refused(wrong):
    with pytest.raises(ValidationError):
        OutsideIssuer(**DESCRIBED | wrong)


@pytest.mark.parametrize(
    ("issuer", "says"),
    [
        ("http://id.example", "only https"),
        ("https://someone@id.example", "user or password"),
        ("https://door.example/", "this gateway itself"),
    ],
)
def test_an_issuer_that_cannot_be_asked_is_noticed_at_the_start(issuer, says):
    with pytest.raises(ValidationError, match=says):
        new_settings(
            "postgresql://x/gateway", issuers=[DESCRIBED | {"issuer": issuer}], public_url="https://door.example"
        )


@pytest.mark.parametrize("subject", ["_AbC-9", "-x", "auth0|5f7c", "repo:org/name", "ann@id.example"])
def test_subjects_are_taken_as_issuers_write_them(subject):
    assert principal(sub=subject).client_id == f"nhs-id:{subject}"


def test_two_issuers_of_one_address_are_refused():
    with pytest.raises(ValidationError, match="same name or address"):
        new_settings("postgresql://x/gateway", issuers=[DESCRIBED, DESCRIBED | {"name": "other"}])


# Through the door


@pytest.fixture
def outside():
    publisher = Publisher()
    with Server(publisher) as server:
        publisher.url = server.url
        yield publisher


@pytest.fixture
def door(listen, outside):
    with listen(sandbox=True, issuers=[DESCRIBED | {"issuer": outside.url}]) as gateway:
        yield gateway


def ask(door, token, path="/v1/series"):
    return door.http.get(path, headers={"Authorization": f"Bearer {token}"})


def test_a_token_of_an_outside_issuer_opens_the_door(door, outside):
    tokens = [outside.token(ods=["RGT"]) for _ in range(3)]

    answers = [ask(door, token) for token in tokens]

    assert [one.status_code for one in answers] == [200, 200, 200]
    assert outside.asked == ["/.well-known/openid-configuration", "/keys"]
    told = Verifier(door.settings.principal_key).verify(door.upstream.last[HEADER.lower()])
    assert (told.client_id, told.organisations, told.audience) == ("nhs-id:ann.example", {"RGT"}, "member")
    assert ask(door, tokens[0], "/v1/programmes").status_code == 403
    assert ask(door, tokens[0], "/v1/clients").status_code == 403
    assert ask(door, tokens[0], "/v1/clients/me").status_code == 404


def confused(token):
    """The same claims, signed with the public key as if it were a shared secret."""
    head = base64url_encode(b'{"alg":"HS256","kid":"%b"}' % RSA.kid.encode())
    signed = b".".join([head, token.split(".")[1].encode()])
    return b".".join([signed, base64url_encode(hmac.digest(RSA.as_pem(private=False), signed, sha256))]).decode()


def unsigned(token):
    head = base64url_encode(b'{"alg":"none"}').decode()
    return f"{head}.{token.split('.')[1]}."


def test_what_is_wrong_with_a_token_of_an_outside_issuer_is_refused(door, outside):
    assert ask(door, outside.token()).status_code == 200
    now = int(time.time())
    wrong = {
        "algorithm confusion": confused(outside.token()),
        "none": unsigned(outside.token()),
        "expired": outside.token(exp=now - 1),
        "without an end": outside.token(exp=None),
        "too long a life": outside.token(exp=now + 7200),
        "from the future": outside.token(iat=now + 600),
        "not good yet": outside.token(nbf=now + 600),
        "for somebody else": outside.token(aud="another"),
        "for nobody": outside.token(aud=None),
        "of another issuer": outside.token(iss="https://id.example"),
        "signed by a stranger": outside.token(key=LATER, header={"kid": RSA.kid}),
        "by a key nobody has": outside.token(key=LATER),
        "given nothing": outside.token(roles=["other"]),
    }
    assert {what: ask(door, token).status_code for what, token in wrong.items()} == dict.fromkeys(wrong, 401)


def test_an_issuer_whose_keys_cannot_be_had_is_a_503_that_says_when_to_come_back(door, outside):
    outside.moved = True
    answer = ask(door, outside.token())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert outside.asked == ["/.well-known/openid-configuration"]


def test_outside_the_sandbox_no_private_address_is_asked_for_keys(listen, outside):
    secure = outside.url.replace("http:", "https:")
    with listen(issuers=[DESCRIBED | {"issuer": secure}]) as gateway:
        assert ask(gateway, outside.token(iss=secure)).status_code == 503
    assert outside.asked == []


def test_an_issuer_that_speaks_for_another_is_not_believed(listen, outside):
    with listen(sandbox=True, issuers=[DESCRIBED | {"issuer": f"{outside.url}/"}]) as gateway:
        assert ask(gateway, outside.token(iss=f"{outside.url}/")).status_code == 503
    assert "/keys" not in outside.asked


def test_when_the_issuer_changes_its_key_tokens_of_the_new_are_good_and_those_of_the_old_end(
    door, outside, monkeypatch
):
    monkeypatch.setattr(remote, "FRESH_SECONDS", 0)  # as if ten minutes lay between any two requests
    monkeypatch.setattr(remote, "PAUSE_SECONDS", 0)
    old, new = outside.token(), outside.token(key=LATER)
    assert (ask(door, old).status_code, ask(door, new).status_code) == (200, 401)

    outside.keys = [LATER]

    assert (ask(door, old).status_code, ask(door, new).status_code) == (401, 200)


def test_what_somebody_from_outside_did_is_found_in_the_audit(door, outside):
    bearer = door.client().bearer
    ask(door, outside.token(), "/v1/clients")

    items, ends = [], time.monotonic() + 60
    while not items and time.monotonic() < ends:  # it is written a moment later
        items = door.http.get("/v1/audit?client_id=nhs-id:ann.example", headers=bearer).json()["items"]

    assert [(one["event"], one["route"]) for one in items] == [("request.refused", "/v1/clients")]


# A client that publishes its keys


def register(door, **more):
    client_id = f"publishes-{uuid.uuid4().hex[:8]}"
    wanted = {"client_id": client_id, "name": "Publishes", "scopes": ["measures:read"]} | more
    return door.http.post("/v1/clients", json=wanted, headers=door.client().bearer)


def buy(door, outside, client_id, key):
    claims = {"iss": client_id, "sub": client_id, "aud": door.settings.token_url, "exp": int(time.time()) + 200}
    claims["jti"] = uuid.uuid4().hex
    assertion = jwt.encode({"alg": "RS512", "kid": key.kid}, claims, key, algorithms=["RS512"])
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion}
    return door.http.post("/oauth2/token", data=form).status_code


def test_a_client_may_publish_its_keys_at_an_address(door, outside):
    answer = register(door, jwks_uri=f"{outside.url}/keys")
    told = answer.json()
    assert (answer.status_code, told["authentication"], told["client_secret"]) == (201, "private_key_jwt", None)
    assert buy(door, outside, told["client_id"], RSA) == 200
    assert buy(door, outside, told["client_id"], LATER) == 401
    assert buy(door, outside, told["client_id"], RSA) == 200
    assert outside.asked == ["/keys"]


def test_a_client_may_move_its_keys_to_an_address(door, outside):
    one = register(door, jwks={"keys": [LATER.as_dict(private=False)]}).json()["client_id"]
    rotation = {"jwks_uri": f"{outside.url}/keys"}
    assert door.http.post(f"/v1/clients/{one}/rotate", json=rotation, headers=door.client().bearer).status_code == 200
    assert (buy(door, outside, one, RSA), buy(door, outside, one, LATER)) == (200, 401)


def test_keys_are_by_value_or_at_an_address(door, outside):
    answer = register(door, jwks_uri=f"{outside.url}/keys", jwks={"keys": [RSA.as_dict(private=False)]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/jwks_uri")


def test_outside_the_sandbox_keys_are_published_over_https(gateway):
    answer = register(gateway, jwks_uri="http://keys.example/jwks")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/jwks_uri")

"""Access tokens: believed only when we made them, for us, and in time."""

import base64
import time

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.access.jose import NotVerified
from gateway.access.tokens import Tokens
from shared.principal import Principal

NOW = 1_800_000_000.0
KEY = ECKey.generate_key("P-256", auto_kid=True)
OTHER = ECKey.generate_key("P-256", auto_kid=True)
PRINCIPAL = Principal("a-client", frozenset({"measures:read"}), frozenset({"RGT"}), "member")


def private(key):
    return orjson.dumps(key.as_dict(private=True)).decode()


def public(key):
    return orjson.dumps(key.as_dict(private=False)).decode()


def tokens(key=KEY, **others):
    given = {"issuer": "https://door.example", "audience": "psip", "seconds": 600} | others
    return Tokens(private(key), **given)


def forged(key=KEY, header=None, **claims):
    whole = PRINCIPAL.claims() | {"iss": "https://door.example", "aud": "psip", "iat": NOW, "exp": NOW + 600, "gen": 1}
    whole = {name: value for name, value in (whole | claims).items() if value is not None}
    header = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid} | (header or {})
    return jwt.encode(header, whole, key, algorithms=["ES256"])


def test_a_token_says_what_was_put_into_it():
    token = tokens().issue(PRINCIPAL, generation=3, now=NOW)
    read = tokens().read(token, now=NOW + 599)
    assert (read.principal, read.generation, read.expires) == (PRINCIPAL, 3, NOW + 600)


def test_two_tokens_are_never_the_same():
    assert tokens().issue(PRINCIPAL, generation=1, now=NOW) != tokens().issue(PRINCIPAL, generation=1, now=NOW)


def test_a_token_ends_when_it_says():
    token = tokens().issue(PRINCIPAL, generation=1, now=NOW)
    with pytest.raises(NotVerified, match="expired"):
        tokens().read(token, now=NOW + 600)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": "soon"},
        {"exp": NOW + 86_400},
        {"iat": NOW + 3600},
        {"nbf": NOW + 3600},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "elsewhere"},
        {"aud": None},
        {"aud": ["elsewhere"]},
        {"sub": None},
        {"scope": None},
        {"organisations": None},
        {"gen": None},
        {"gen": "x"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused_though_our_key_signed_it(claims):
    with pytest.raises(NotVerified):
        tokens().read(forged(**claims), now=NOW)


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"kid": "another"}], ids=str)
def test_a_token_with_a_wrong_header_is_refused(header):
    with pytest.raises(NotVerified):
        tokens().read(forged(header=header), now=NOW)


def test_a_token_signed_by_another_key_is_refused():
    with pytest.raises(NotVerified):
        tokens().read(forged(key=OTHER), now=NOW)


def test_a_token_whose_claims_were_changed_is_refused():
    head, body, signature = tokens().issue(PRINCIPAL, generation=1, now=NOW).split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(body + "==")) | {"audience": "national"}
    changed = base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=")
    with pytest.raises(NotVerified):
        tokens().read(f"{head}.{changed}.{signature}", now=NOW)


def test_tokens_of_the_key_before_are_good_while_it_is_named():
    token = tokens(OTHER).issue(PRINCIPAL, generation=1, now=NOW)
    assert tokens(more_keys=[public(OTHER)]).read(token, now=NOW).principal == PRINCIPAL
    with pytest.raises(NotVerified):
        tokens().read(token, now=NOW)


def test_only_public_halves_are_published():
    published = tokens(more_keys=[private(OTHER)]).jwks()["keys"]
    assert len(published) == 2
    assert all("d" not in key and key["use"] == "sig" and key["alg"] == "ES256" for key in published)


# At the door


@pytest.fixture(scope="module")
def known(gateway):
    return gateway.client()


def at_the_door(gateway, token):
    return gateway.http.get("/v1/series", headers={"Authorization": f"Bearer {token}"}).status_code


def ours(gateway):
    settings = gateway.settings
    return Tokens(
        settings.token_key.get_secret_value(), issuer=settings.issuer, audience=settings.token_audience, seconds=600
    )


def test_a_good_token_is_good_until_it_ends(gateway, known):
    principal = Principal(known.client_id, frozenset({"measures:read"}))
    good = ours(gateway).issue(principal, generation=1, now=time.time())
    ended = ours(gateway).issue(principal, generation=1, now=time.time() - 601)
    assert (at_the_door(gateway, good), at_the_door(gateway, ended)) == (200, 401)


def test_a_token_for_a_client_there_is_not_is_refused(gateway):
    principal = Principal("nobody", frozenset({"measures:read"}))
    assert at_the_door(gateway, ours(gateway).issue(principal, generation=1, now=time.time())) == 401


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Basic abc", "Bearer é", "Bearer a b", "bearer", "", "Bearer " + "x" * 20_000],
)
def test_an_authorization_header_that_holds_no_token_is_refused(gateway, authorization):
    answer = gateway.http.get("/v1/series", headers={"Authorization": authorization.encode()})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_published_keys_verify_a_token(gateway, known):
    keys = gateway.http.get("/.well-known/jwks.json").json()["keys"]
    token = known.token()
    claims = jwt.decode(token, ECKey.import_key(keys[0]), algorithms=["ES256"]).claims
    assert claims["sub"] == known.client_id
    assert claims["exp"] - claims["iat"] == 600


def test_a_library_finds_where_tokens_are_given(gateway):
    told = gateway.http.get("/.well-known/oauth-authorization-server").json()
    assert told["token_endpoint"].endswith("/oauth2/token")
    assert told["issuer"] == gateway.settings.issuer
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]

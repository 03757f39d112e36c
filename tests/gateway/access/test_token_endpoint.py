"""POST /oauth2/token, as RFC 6749 and RFC 7523 have it."""

import base64
import hmac
import time
import uuid
from datetime import UTC, datetime

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy import func, select

from gateway.access.models import AuditEntry, UsedAssertion

GRANT = {"grant_type": "client_credentials"}
BEARER = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}


@pytest.fixture(scope="module")
def known(gateway):
    return gateway.client(scopes=["measures:read", "programmes:read"])


def refused(answer, status, error):
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


def test_basic_authentication_buys_a_token(gateway, known):
    answer = gateway.http.post("/oauth2/token", data=GRANT, auth=(known.client_id, known.secret))
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 600
    assert answer.json()["scope"] == "measures:read programmes:read"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_secret_in_the_form_buys_a_token(gateway, known):
    form = GRANT | {"client_id": known.client_id, "client_secret": known.secret}
    assert gateway.http.post("/oauth2/token", data=form).status_code == 200


def test_a_token_can_carry_less_than_its_client_may(gateway, known):
    form = GRANT | {"scope": "measures:read"}
    token = gateway.http.post("/oauth2/token", data=form, auth=(known.client_id, known.secret)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert gateway.http.get("/v1/series", headers=headers).status_code == 200
    assert gateway.http.get("/v1/programmes", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        (GRANT | {"client_secret": "both"}, "invalid_request"),
        (GRANT | {"client_id": "another"}, "invalid_request"),
        (GRANT | {"scope": "measures:read audit:read"}, "invalid_scope"),
        (GRANT | {"scope": "\x00"}, "invalid_request"),
    ],
)
def test_an_improper_request_is_told_why(gateway, known, form, error):
    refused(gateway.http.post("/oauth2/token", data=form, auth=(known.client_id, known.secret)), 400, error)


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"grant_type=client_credentials&grant_type=client_credentials", b"{}", b"x" * 100_000]
)
def test_a_body_that_is_no_form_is_told_so(gateway, body):
    answer = gateway.http.post(
        "/oauth2/token", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    refused(answer, 400, "invalid_request")


@pytest.mark.parametrize(
    "authorization", ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Basic YSUwMDpi", "Bearer abc", "Basic /w=="]
)
def test_an_authorization_header_that_cannot_be_read_is_no_proof(gateway, authorization):
    answer = gateway.http.post("/oauth2/token", data=GRANT, headers={"Authorization": authorization})
    assert refused(answer, 401, "invalid_client").headers["WWW-Authenticate"].startswith("Basic")


def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(gateway, known):
    wrong = gateway.http.post("/oauth2/token", data=GRANT, auth=(known.client_id, "psip_wrong"))
    unknown = gateway.http.post("/oauth2/token", data=GRANT, auth=("nobody-of-that-name", "psip_wrong"))
    assert refused(wrong, 401, "invalid_client").json() == refused(unknown, 401, "invalid_client").json()


def test_nothing_but_a_client_id_proves_nothing(gateway, known):
    form = GRANT | {"client_id": known.client_id}
    refused(gateway.http.post("/oauth2/token", data=form), 401, "invalid_client")


def test_guessing_is_slowed_for_who_guesses_and_not_for_others(listen):
    with listen(failures_per_minute=3) as gateway:
        known, other = gateway.client(), gateway.client()
        for _ in range(3):
            refused(gateway.http.post("/oauth2/token", data=GRANT, auth=(known.client_id, "no")), 401, "invalid_client")
        slowed = gateway.http.post("/oauth2/token", data=GRANT, auth=(known.client_id, known.secret))
        assert slowed.status_code == 429
        assert 0 < int(slowed.headers["Retry-After"]) <= 60
        assert other.token()


def test_tokens_and_refusals_are_in_the_audit(gateway):
    known = gateway.client()
    known.token()
    gateway.http.post("/oauth2/token", data=GRANT, auth=(known.client_id, "no"))
    with gateway.database.session() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.client_id == known.client_id)).all()
    assert [one.event for one in entries] == ["token.issued", "token.refused"]
    assert entries[1].detail == {"why": "invalid_client"}
    assert all(one.address == "127.0.0.1" and one.request_id for one in entries)


def test_a_client_id_that_nobody_has_is_not_written_down(gateway):
    """It could be anything that somebody typed."""
    gateway.http.post("/oauth2/token", data=GRANT, auth=("943 476 5919", "no"))
    with gateway.database.session() as session:
        query = select(func.count()).where(AuditEntry.client_id == "943 476 5919")
        assert session.scalar(query) == 0


# A client that signs with its own key

KEYS = {
    "RS512": RSAKey.generate_key(2048, auto_kid=True),
    "ES256": ECKey.generate_key("P-256", auto_kid=True),
    "EdDSA": OKPKey.generate_key("Ed25519", auto_kid=True),
}
STRANGER = ECKey.generate_key("P-256", auto_kid=True)


@pytest.fixture(scope="module")
def signer(gateway):
    """The id of a client with all three kinds of key."""
    client_id = f"signs-{uuid.uuid4().hex[:8]}"
    wanted = {
        "client_id": client_id,
        "name": "Signs",
        "scopes": ["measures:read"],
        "jwks": {"keys": [key.as_dict(private=False) for key in KEYS.values()]},
    }
    answer = gateway.http.post("/v1/clients", json=wanted, headers=gateway.client().bearer)
    assert answer.status_code == 201, answer.text
    assert answer.json()["client_secret"] is None
    return client_id


def assertion(gateway, client_id, *, alg="ES256", key=None, header=None, **claims):
    key = key or KEYS[alg]
    now = int(time.time())
    whole = {
        "iss": client_id,
        "sub": client_id,
        "aud": gateway.settings.token_url,
        "iat": now,
        "exp": now + 300,
        "jti": uuid.uuid4().hex,
    } | claims
    whole = {name: value for name, value in whole.items() if value is not None}
    header = {"alg": alg, "kid": key.kid} | (header or {})
    return jwt.encode(header, whole, key, algorithms=[alg])


def exchange(gateway, token, **more):
    return gateway.http.post("/oauth2/token", data=GRANT | BEARER | {"client_assertion": token} | more)


@pytest.mark.filterwarnings("ignore:EdDSA")  # joserfc warns of the old name, which clients use
@pytest.mark.parametrize("alg", KEYS)
def test_a_signed_jwt_buys_a_token(gateway, signer, alg):
    answer = exchange(gateway, assertion(gateway, signer, alg=alg))
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert gateway.http.get("/v1/series", headers=headers).status_code == 200


def test_a_signed_jwt_may_name_the_issuer_and_others_as_its_audience(gateway, signer):
    token = assertion(gateway, signer, aud=["https://elsewhere.example", gateway.settings.issuer])
    assert exchange(gateway, token).status_code == 200


def test_a_signed_jwt_buys_one_token(gateway, signer):
    token = assertion(gateway, signer)
    assert exchange(gateway, token).status_code == 200
    refused(exchange(gateway, token), 401, "invalid_client")


def test_a_jti_is_used_up_even_if_another_jwt_carries_it(gateway, signer):
    assert exchange(gateway, assertion(gateway, signer, jti="one")).status_code == 200
    refused(exchange(gateway, assertion(gateway, signer, jti="one", alg="RS512")), 401, "invalid_client")


def test_a_jti_is_used_up_by_a_request_refused_for_its_scope(gateway, signer):
    token = assertion(gateway, signer)
    refused(exchange(gateway, token, scope="audit:read"), 400, "invalid_scope")
    refused(exchange(gateway, token), 401, "invalid_client")


NOW = time.time()


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 3600},
        {"exp": NOW + 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": NOW + 3600},
        {"nbf": NOW + 3600},
        {"aud": "https://elsewhere.example/oauth2/token"},
        {"aud": None},
        {"aud": 7},
        {"iss": "somebody-else"},
        {"iss": None},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 300},
        {"jti": "nul\x00"},
        {"jti": 5},
    ],
    ids=lambda claims: next(iter(claims)),  # the same in every process, whatever the time
)
def test_a_signed_jwt_with_a_wrong_claim_is_refused(gateway, signer, claims):
    refused(exchange(gateway, assertion(gateway, signer, **claims)), 401, "invalid_client")


def test_a_signed_jwt_for_another_subject_is_refused(gateway, signer):
    refused(exchange(gateway, assertion(gateway, signer, sub="somebody"), client_id=signer), 401, "invalid_client")


def test_a_signed_jwt_of_a_stranger_is_refused(gateway, signer):
    refused(exchange(gateway, assertion(gateway, signer, key=STRANGER)), 401, "invalid_client")
    posing = assertion(gateway, signer, key=STRANGER, header={"kid": KEYS["ES256"].kid})
    refused(exchange(gateway, posing), 401, "invalid_client")


def test_a_signed_jwt_that_does_not_say_which_key_of_several_is_refused(gateway, signer):
    key = KEYS["ES256"]
    token = jwt.encode({"alg": "ES256"}, {"iss": signer, "sub": signer}, key, algorithms=["ES256"])
    refused(exchange(gateway, token), 401, "invalid_client")


def test_a_public_key_is_no_hmac_secret(gateway, signer):
    """The old trick: an HMAC made with what everybody may know."""
    key = KEYS["RS512"]
    signed = with_header(assertion(gateway, signer, alg="RS512"), alg="HS256").rpartition(".")[0]
    mac = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    refused(exchange(gateway, token), 401, "invalid_client")


@pytest.mark.parametrize("alg", ["none", "RS256", "HS512", "", None, 5, ["ES256"]])
def test_an_algorithm_that_is_not_taken_is_refused(gateway, signer, alg):
    good = assertion(gateway, signer)
    refused(exchange(gateway, with_header(good, alg=alg)), 401, "invalid_client")
    unsigned = with_header(good, alg=alg).rpartition(".")[0] + "."
    refused(exchange(gateway, unsigned, client_id=signer), 401, "invalid_client")


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"b64": False}, {"crit": ["b64"], "b64": False}])
def test_a_header_that_must_be_understood_and_is_not_is_refused(gateway, signer, header):
    refused(exchange(gateway, with_header(assertion(gateway, signer), **header)), 401, "invalid_client")


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "....", "e30.e30.e30", "é.é.é", "x" * 20_000])
def test_what_is_no_jwt_is_refused(gateway, signer, token):
    answer = exchange(gateway, token, client_id=signer)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


def test_a_client_with_keys_has_no_secret_to_guess(gateway, signer):
    refused(gateway.http.post("/oauth2/token", data=GRANT, auth=(signer, "")), 401, "invalid_client")


def test_a_client_with_a_secret_has_no_keys(gateway, known):
    refused(exchange(gateway, assertion(gateway, known.client_id)), 401, "invalid_client")


def test_used_jtis_are_forgotten_once_they_could_not_be_used_anyway(gateway, signer):
    with gateway.database.session() as session:
        session.add(UsedAssertion(client_id=signer, jti="old", expires_at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert exchange(gateway, assertion(gateway, signer)).status_code == 200
    with gateway.database.session() as session:
        assert session.get(UsedAssertion, (signer, "old")) is None


def with_header(token, **changed):
    head, _, rest = token.partition(".")
    header = orjson.loads(base64.urlsafe_b64decode(head + "=="))
    changed_header = orjson.dumps(header | changed)
    return base64.urlsafe_b64encode(changed_header).decode().rstrip("=") + "." + rest

"""Clients over the API: registered, shown, rotated, revoked."""

import uuid

import pytest
from joserfc.jwk import ECKey, OKPKey
from sqlalchemy import select

from gateway.access.commands import register_client
from gateway.access.models import AuditEntry, ClientSecret
from gateway.access.problems import ClientExists, InvalidClient
from gateway.access.secrets import hashed, matches, new_secret
from gateway.app import ROSTER_SECONDS
from shared import paging
from tests.gateway.conftest import listening, new_settings

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def admin(gateway):
    return gateway.client()


@pytest.fixture(scope="module")
def bearer(admin):
    return admin.bearer


def wanted(**others):
    return {
        "client_id": f"trust-{uuid.uuid4().hex[:8]}",
        "name": "A trust",
        "scopes": ["submissions:read", "submissions:write"],
        "organisations": ["RGT"],
        "audience": "member",
    } | others


def buys(gateway, client_id, secret):
    return gateway.http.post("/oauth2/token", data=GRANT, auth=(client_id, secret)).status_code


def test_a_registered_client_can_use_its_secret_at_once(gateway, bearer):
    answer = gateway.http.post("/v1/clients", json=wanted(), headers=bearer)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    client = answer.json()
    assert answer.headers["Location"] == f"/v1/clients/{client['client_id']}"
    token = gateway.http.post("/oauth2/token", data=GRANT, auth=(client["client_id"], client["client_secret"])).json()
    me = gateway.http.get("/v1/clients/me", headers={"Authorization": f"Bearer {token['access_token']}"}).json()
    assert (me["client_id"], me["organisations"], me["audience"]) == (client["client_id"], ["RGT"], "member")


def test_a_secret_is_shown_once_and_stored_hashed(gateway, bearer):
    client = gateway.http.post("/v1/clients", json=wanted(), headers=bearer).json()
    shown = gateway.http.get(f"/v1/clients/{client['client_id']}", headers=bearer)
    assert client["client_secret"] not in shown.text
    with gateway.database.session() as session:
        stored = session.scalars(select(ClientSecret.hash).where(ClientSecret.client_id == client["client_id"])).one()
    assert stored.startswith("$argon2id$")
    assert client["client_secret"] not in stored


def test_a_client_id_is_given_once(gateway, bearer):
    same = wanted()
    assert gateway.http.post("/v1/clients", json=same, headers=bearer).status_code == 201
    again = gateway.http.post("/v1/clients", json=same, headers=bearer)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/client-exists")


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "UPPER"},
        {"client_id": "x"},
        {"client_id": "a" * 70},
        {"name": ""},
        {"scopes": []},
        {"scopes": ["nonsense"]},
        {"organisations": ["lower"]},
        {"audience": "everyone"},
        {"unknown": 1},
        {"jwks": {"keys": []}},
    ],
    ids=str,
)
def test_a_client_that_cannot_be_is_refused(gateway, bearer, wrong):
    answer = gateway.http.post("/v1/clients", json=wanted(**wrong), headers=bearer)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"]


def test_a_scope_there_is_not_cannot_be_given(gateway):
    with pytest.raises(InvalidClient), gateway.database.session() as session:
        register_client(session, client_id="a-client", name="x", scopes=["martians:read"])


def test_keys_that_cannot_be_relied_upon_are_refused_with_the_reason(gateway, bearer):
    private = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)
    answer = gateway.http.post("/v1/clients", json=wanted(jwks={"keys": [private]}), headers=bearer)
    assert answer.status_code == 422
    assert "private" in answer.json()["detail"]
    assert private["d"] not in answer.text


@pytest.mark.parametrize(
    "more",
    [
        {"scopes": ["clients:write", "audit:read"]},
        {"organisations": ["RGT", "RCX"]},
        {"organisations": ["*"]},
        {"audience": "national"},
    ],
    ids=str,
)
def test_nobody_gives_more_than_they_have(gateway, more):
    local = gateway.client(
        scopes=["clients:write", "submissions:read", "submissions:write"], organisations=["RGT"], audience="member"
    )
    assert gateway.http.post("/v1/clients", json=wanted(), headers=local.bearer).status_code == 201
    answer = gateway.http.post("/v1/clients", json=wanted(**more), headers=local.bearer)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/beyond-authority")


def test_a_client_with_more_than_you_have_is_not_there_for_you(gateway, admin):
    local = gateway.client(scopes=["clients:read", "clients:write"], organisations=["RGT"], audience="member").bearer
    assert gateway.http.get(f"/v1/clients/{admin.client_id}", headers=local).status_code == 404
    for change in ("rotate", "revoke"):
        assert gateway.http.post(f"/v1/clients/{admin.client_id}/{change}", headers=local).status_code == 404
    listed = gateway.http.get("/v1/clients", headers=local).json()["items"]
    assert admin.client_id not in {one["client_id"] for one in listed}


def test_a_rotated_secret_ends_the_old_one_and_its_tokens(gateway, bearer):
    known = gateway.client()
    old = known.bearer
    answer = gateway.http.post(f"/v1/clients/{known.client_id}/rotate", headers=bearer)
    assert answer.status_code == 200
    assert buys(gateway, known.client_id, known.secret) == 401
    assert buys(gateway, known.client_id, answer.json()["client_secret"]) == 200
    assert gateway.http.get("/v1/series", headers=old).status_code == 401


def test_with_an_overlap_both_secrets_and_the_tokens_are_good(gateway, bearer):
    known = gateway.client()
    old = known.bearer
    answer = gateway.http.post(
        f"/v1/clients/{known.client_id}/rotate", json={"overlap_seconds": 3600}, headers=bearer
    ).json()
    assert buys(gateway, known.client_id, known.secret) == 200
    assert buys(gateway, known.client_id, answer["client_secret"]) == 200
    assert gateway.http.get("/v1/series", headers=old).status_code == 200


def test_an_overlap_cannot_be_made_longer_by_rotating_again(gateway, bearer):
    known = gateway.client()
    rotate = f"/v1/clients/{known.client_id}/rotate"
    gateway.http.post(rotate, json={"overlap_seconds": 3600}, headers=bearer)
    gateway.http.post(rotate, json={"overlap_seconds": 86_400}, headers=bearer)
    with gateway.database.session() as session:
        query = select(ClientSecret.expires_at, ClientSecret.created_at).where(
            ClientSecret.client_id == known.client_id
        )
        first = session.execute(query.order_by(ClientSecret.id)).first()
    assert (first.expires_at - first.created_at).total_seconds() < 7200


def test_a_client_that_signs_is_rotated_with_its_new_keys(gateway, bearer):
    first, second = (OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=False) for _ in range(2))
    new = wanted(jwks={"keys": [first]})
    created = gateway.http.post("/v1/clients", json=new, headers=bearer).json()
    assert created["authentication"] == "private_key_jwt"
    rotate = f"/v1/clients/{new['client_id']}/rotate"
    assert gateway.http.post(rotate, headers=bearer).status_code == 422
    answer = gateway.http.post(rotate, json={"jwks": {"keys": [second]}}, headers=bearer)
    assert (answer.status_code, answer.json()["client_secret"]) == (200, None)


@pytest.mark.parametrize(("overlap", "status"), [(0, 401), (3600, 200)])
def test_the_secret_of_a_client_that_signs_from_now_on_ends_with_the_overlap(gateway, bearer, overlap, status):
    known = gateway.client()
    key = OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=False)
    rotation = {"jwks": {"keys": [key]}, "overlap_seconds": overlap}
    answer = gateway.http.post(f"/v1/clients/{known.client_id}/rotate", json=rotation, headers=bearer)
    assert answer.json()["authentication"] == "private_key_jwt"
    assert buys(gateway, known.client_id, known.secret) == status


def test_a_revoked_client_is_out_at_once_and_for_ever(gateway, bearer):
    known = gateway.client()
    token = known.bearer
    assert gateway.http.get("/v1/series", headers=token).status_code == 200
    revoked = gateway.http.post(f"/v1/clients/{known.client_id}/revoke", headers=bearer)
    assert revoked.json()["revoked_at"]
    assert gateway.http.get("/v1/series", headers=token).status_code == 401
    assert buys(gateway, known.client_id, known.secret) == 401
    for change in ("rotate", "revoke"):
        answer = gateway.http.post(f"/v1/clients/{known.client_id}/{change}", headers=bearer)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/client-revoked")


def test_a_client_revoked_at_one_replica_is_out_at_every_other(new_database):
    url, key = new_database("gateway"), new_settings("unused").token_key
    with listening(url, token_key=key) as one, listening(url, token_key=key) as other:
        known = one.client()
        token, revoke = known.bearer, f"/v1/clients/{known.client_id}/revoke"
        assert other.http.get("/v1/series", headers=token).status_code == 200

        one.http.post(revoke, headers=one.client().bearer)

        statuses = [200]
        while statuses[-1] == 200:  # until its next reading of who is in
            statuses.append(other.http.get("/v1/series", headers=token).status_code)
    assert statuses[-1] == 401
    assert ROSTER_SECONDS < 1


def test_clients_are_listed_page_by_page(gateway, bearer):
    for _ in range(3):
        gateway.client()
    every = [one["client_id"] for one in gateway.http.get("/v1/clients?limit=1000", headers=bearer).json()["items"]]
    seen, url = [], "/v1/clients?limit=2"
    while url:
        answer = gateway.http.get(url, headers=bearer)
        seen += [one["client_id"] for one in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url")
    assert seen == every == sorted(every)


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "limit=9999", "limit=x", "colour=red", "cursor=e30"])
@pytest.mark.parametrize("path", ["/v1/clients", "/v1/audit"])
def test_a_list_refuses_what_it_does_not_understand(gateway, bearer, path, query):
    answer = gateway.http.get(f"{path}?{query}", headers=bearer)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


def test_a_cursor_beyond_every_entry_is_the_first_page(gateway, bearer):
    cursor = paging.encode([2**64 - 1])
    assert gateway.http.get("/v1/audit", params={"cursor": cursor}, headers=bearer).is_success


def test_a_client_registered_by_the_installation_cannot_be_registered_twice(database):
    with database.session() as session:
        secret = register_client(session, client_id="the-first", name="First", scopes=["clients:write"])
    assert secret.startswith("psip_")
    with pytest.raises(ClientExists), database.session() as session:
        register_client(session, client_id="the-first", name="Again", scopes=["clients:write"])


def test_changes_of_clients_are_in_the_audit_with_who_made_them(gateway, admin, bearer):
    new = wanted()
    gateway.http.post("/v1/clients", json=new, headers=bearer)
    gateway.http.post(f"/v1/clients/{new['client_id']}/rotate", headers=bearer)
    gateway.http.post(f"/v1/clients/{new['client_id']}/revoke", headers=bearer)
    with gateway.database.session() as session:
        query = select(AuditEntry).where(AuditEntry.detail["client"].astext == new["client_id"]).order_by(AuditEntry.id)
        entries = session.scalars(query).all()
    assert [one.event for one in entries] == ["client.registered", "client.rotated", "client.revoked"]
    assert {one.client_id for one in entries} == {admin.client_id}


def test_a_secret_matches_only_itself():
    first, second = new_secret(), new_secret()
    assert matches(first, [hashed(second), hashed(first)])
    assert not matches(first, [hashed(second)])
    assert not matches(first, [])
    assert not matches(first, ["not a hash"])

"""A POST to the door that is sent again with its Idempotency-Key gets its first answer, and nothing is done twice."""

import uuid
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import select, update

from gateway.access.models import Repeat
from gateway.repeats import KEPT_FOR, Sealing

HOOK = {"url": "https://93.184.215.14/", "events": ["cells.changed"]}


@pytest.fixture(scope="module")
def bearer(gateway):
    scopes = ("clients:read", "clients:write", "webhooks:read", "webhooks:write", "measures:read")
    return gateway.client(scopes=scopes).bearer


def a_client():
    return {"client_id": f"trust-{uuid.uuid4().hex[:8]}", "name": "A trust", "scopes": ["clients:read"]}


@pytest.fixture
def send(gateway, bearer):
    key = uuid.uuid4().hex

    def send(path, body=None, *, who=bearer, key=key):
        return gateway.http.post(path, json=body, headers={**who, "Idempotency-Key": key})

    return send


@pytest.fixture
def hook(gateway, bearer):
    place = f"/v1/webhooks/{gateway.http.post('/v1/webhooks', json=HOOK, headers=bearer).json()['id']}"
    yield place
    gateway.http.delete(place, headers=bearer)


@pytest.fixture
def client(gateway, bearer):
    return f"/v1/clients/{gateway.http.post('/v1/clients', json=a_client(), headers=bearer).json()['client_id']}"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/clients", a_client()),
        ("{client}/rotate", {"overlap_seconds": 60}),
        ("{client}/revoke", None),
        ("/v1/webhooks", HOOK),
        ("{hook}/rotate", None),
        ("{hook}/test", None),
        ("{hook}/replay", {"after": "0"}),
    ],
)
def test_a_repeat_gets_the_first_answer(send, client, hook, path, body):
    address = path.format(client=client, hook=hook)
    first, again = send(address, body), send(address, body)
    assert first.is_success, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert [again.headers.get(name) for name in ("Location", "Cache-Control")] == [
        first.headers.get(name) for name in ("Location", "Cache-Control")
    ]
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")


def test_what_was_registered_once_is_there_once(gateway, bearer, send):
    body = {**HOOK, "description": uuid.uuid4().hex}
    for _ in range(3):
        send("/v1/webhooks", body)
    found = gateway.http.get("/v1/webhooks?limit=1000", headers=bearer).json()["items"]
    assert [one["description"] for one in found].count(body["description"]) == 1


def test_a_secret_that_is_kept_for_a_repeat_cannot_be_read_from_the_database(gateway, send):
    body = a_client()
    secret = send("/v1/clients", body).json()["client_secret"]
    with gateway.database.session() as session:
        kept = session.scalars(select(Repeat).order_by(Repeat.at.desc()).limit(1)).one()
        assert secret.encode() not in kept.body
        assert body["client_id"].encode() not in kept.body


def test_a_day_later_the_key_is_free_again(gateway, send):
    body = a_client()
    send("/v1/clients", body)
    with gateway.database.session() as session:
        session.execute(update(Repeat).values(at=Repeat.at - KEPT_FOR - timedelta(seconds=1)))
    assert send("/v1/clients", body).status_code == 409


def test_what_is_sealed_opens_with_its_key_as_what_it_is_and_not_otherwise():
    sealed = Sealing("one").seal(b"secret", of="a")
    assert Sealing("one").open(sealed, of="a") == b"secret"
    for key, of in (("two", "a"), ("one", "b")):
        with pytest.raises(InvalidTag):
            Sealing(key).open(sealed, of=of)

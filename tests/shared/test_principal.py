"""A service believes what the gateway signed, while it lasts, and nothing else."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import orjson
import pytest
from fastapi import APIRouter, Depends
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from shared.principal import ALGORITHM, HEADER, LIFE_SECONDS, Principal, Requires, Signer, Supposed, Verifier, new_key
from shared.problems import Unauthenticated

PRIVATE, PUBLIC = new_key()
SOMEBODY = Principal("supplier", frozenset({"returns:read", "returns:write"}), frozenset({"RGT"}), "member")
NOON = 1_790_000_000.0


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = NOON

    def __call__(self) -> float:
        return self.seconds


def signed(**claims: Any) -> str:
    """A token with these claims, signed with the gateway's own key."""
    key = OKPKey.import_key(orjson.loads(PRIVATE))
    whole = SOMEBODY.claims() | {"iss": "gateway", "exp": NOON + 60} | claims
    return jwt.encode(
        {"alg": ALGORITHM}, {k: v for k, v in whole.items() if v is not None}, key, algorithms=[ALGORITHM]
    )


def a_verifier() -> Verifier:
    return Verifier(PUBLIC, clock=Clock())


def test_a_service_reads_the_principal_that_the_gateway_signed() -> None:
    token = Signer(PRIVATE, clock=Clock()).sign(SOMEBODY)

    assert a_verifier().verify(token) == SOMEBODY


def test_what_a_caller_in_the_sandbox_supposes_travels_with_the_principal() -> None:
    supposed = Supposed(clock=datetime(2026, 10, 13, 8, tzinfo=UTC), closed=True, outage=15.0)
    then = replace(SOMEBODY, supposed=supposed)

    assert a_verifier().verify(Signer(PRIVATE, clock=Clock()).sign(then)) == then
    assert "supposed" not in SOMEBODY.claims()
    with pytest.raises(Unauthenticated):
        a_verifier().verify(signed(supposed={"clock": "the 13th"}))


def test_a_principal_lives_a_minute_and_remembering_it_does_not_lengthen_its_life() -> None:
    clock = Clock()
    token, verifier = Signer(PRIVATE, clock=clock).sign(SOMEBODY), Verifier(PUBLIC, clock=clock)
    assert verifier.verify(token) == SOMEBODY

    clock.seconds += LIFE_SECONDS - 1
    assert verifier.verify(token) == SOMEBODY

    clock.seconds += 1
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.verify(token)


def test_what_was_refused_is_not_remembered() -> None:
    verifier = a_verifier()

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            verifier.verify("a.b.c")

    assert verifier._seen == {}


def test_no_more_is_remembered_than_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Verifier, "REMEMBERED", 3)
    verifier = a_verifier()

    for number in range(8):
        verifier.verify(signed(sub=f"client-{number}"))
        assert len(verifier._seen) <= 3


def unsigned(token: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{head}.{token.split('.')[1]}."


def signed_with_the_public_key(_: str) -> str:
    """The classic confusion: the public key, which anybody has, used as a shared secret."""
    claims = SOMEBODY.claims() | {"iss": "gateway", "exp": NOON + 60}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(PUBLIC.encode()), algorithms=["HS256"])


def with_more_scopes(token: str) -> str:
    head, _, signature = token.split(".")
    claims = SOMEBODY.claims() | {"scope": "everything:write", "iss": "gateway", "exp": NOON + 60}
    return ".".join((head, base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("="), signature))


def by_a_stranger(_: str) -> str:
    return Signer(new_key()[0], clock=Clock()).sign(SOMEBODY)


@pytest.mark.parametrize("forge", [unsigned, signed_with_the_public_key, with_more_scopes, by_a_stranger])
def test_a_forged_principal_is_refused(forge: Callable[[str], str]) -> None:
    with pytest.raises(Unauthenticated, match="not signed by the gateway"):
        a_verifier().verify(forge(signed()))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": NOON},
        {"sub": None},
        {"scope": None},
        {"scope": ["returns:read"]},
        {"organisations": None},
        {"audience": None},
    ],
)
def test_a_principal_that_lacks_something_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        a_verifier().verify(signed(**claims))


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode() + ".e30.AAAA")))
def test_whatever_stands_in_the_header_is_at_worst_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        a_verifier().verify(token)


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/returns")
    def read(who: Annotated[Principal, Depends(Requires("returns:read"))]) -> str:
        return who.client_id

    @router.get("/keys")
    def keys(who: Annotated[Principal, Depends(Requires("keys:read"))]) -> str:
        return who.client_id

    return router


def test_the_door_asks_who_then_whether_they_may(serve: Callable[..., httpx.Client]) -> None:
    client = serve(routes(), public_key=PUBLIC)
    header = {HEADER: Signer(PRIVATE).sign(SOMEBODY)}

    assert client.get("/returns").status_code == 401
    assert client.get("/returns", headers={HEADER: header[HEADER] + "x"}).status_code == 401
    assert client.get("/returns", headers={HEADER: "caf\u00e9".encode("latin-1")}).status_code == 401
    refused = client.get("/keys", headers=header)
    assert refused.status_code == 403
    assert "keys:read" in refused.json()["detail"]
    assert client.get("/returns", headers=header).json() == "supplier"


def test_a_scope_is_held_whole_or_not_at_all() -> None:
    assert SOMEBODY.may("returns:read")
    assert not SOMEBODY.may("returns")
    assert not SOMEBODY.may("")


def test_only_the_star_acts_for_everyone() -> None:
    assert Principal("national", frozenset(), frozenset({"*"})).for_everyone
    assert not SOMEBODY.for_everyone
    assert not Principal("nobody", frozenset()).for_everyone

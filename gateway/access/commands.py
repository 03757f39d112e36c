"""How clients come, change and go."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gateway.access import queries, schemas, secrets
from gateway.access.audit import record
from gateway.access.client_keys import CLIENT_ALGORITHMS
from gateway.access.jose import Keys, UnusableKeys
from gateway.access.models import Client, ClientSecret
from gateway.access.problems import BeyondAuthority, ClientExists, ClientRevoked, InvalidClient
from gateway.outward.addresses import NotCallable, target
from gateway.routes import SCOPES
from shared.db import now
from shared.principal import Audience, Principal

INSTALLATION = "installation"  # who registers the first clients, before any client could


def register_client(
    session: Session,
    *,
    client_id: str,
    name: str,
    scopes: Iterable[str],
    organisations: Iterable[str] = (),
    audience: Audience = "public",
) -> str:
    """Register a client on the installation's authority and return its secret, which is nowhere else.

    Raises ClientExists, or InvalidClient for a scope there is not.
    """
    wanted = schemas.NewClient(
        client_id=client_id,
        name=name,
        scopes=sorted(scopes),
        organisations=sorted(organisations),
        audience=audience,
    )
    client = _add(session, wanted, by=INSTALLATION)
    return _give_secret(session, client)


def register_signer(session: Session, wanted: schemas.NewClient, *, sandbox: bool = False) -> Client:
    """Register, on the installation's authority, a client that signs with keys of its own (`jwks` or `jwks_uri`).

    In a `sandbox` keys may be published without TLS. Raises ClientExists or InvalidClient.
    """
    client = _add(session, wanted, by=INSTALLATION, sandbox=sandbox)
    if not client.signs:
        raise _invalid("/jwks", "there are neither keys nor an address of keys")
    return client


def register(
    session: Session, wanted: schemas.NewClient, *, caller: Principal, sandbox: bool = False
) -> tuple[Client, str | None]:
    """Register a client and return it with its secret, or None for one that signs with its own key.

    In a `sandbox` keys may be published without TLS. Raises BeyondAuthority, ClientExists or InvalidClient.
    """
    if not queries.may_govern(
        caller, scopes=wanted.scopes, organisations=wanted.organisations, audience=wanted.audience
    ):
        raise BeyondAuthority
    client = _add(session, wanted, by=caller.client_id, sandbox=sandbox)
    return client, None if client.signs else _give_secret(session, client)


def rotate(
    session: Session, client_id: str, wanted: schemas.Rotation, *, caller: Principal, sandbox: bool = False
) -> tuple[Client, str | None]:
    """Give a client a new secret, or take its new keys. Raises UnknownClient, ClientRevoked or InvalidClient."""
    client = _live(session, client_id, caller)
    client.changed_at = now()
    secret = None
    _expire_secrets(session, client, after=timedelta(seconds=wanted.overlap_seconds))
    if wanted.jwks is not None or wanted.jwks_uri is not None:
        client.keys, client.jwks_uri = _keys(wanted, sandbox=sandbox)
        client.generation += 1
    elif client.signs:
        raise InvalidClient("this client signs with its own key: send `jwks` or `jwks_uri`", errors=[_MISSING_KEYS])
    else:
        secret = _give_secret(session, client)
        client.generation += 0 if wanted.overlap_seconds else 1
    record(session, "client.rotated", client_id=caller.client_id, client=client_id, overlap=wanted.overlap_seconds)
    return client, secret


def revoke(session: Session, client_id: str, *, caller: Principal) -> Client:
    """Let a client in no more, from now and for ever. Raises UnknownClient or ClientRevoked."""
    client = _live(session, client_id, caller)
    client.revoked_at = client.changed_at = now()
    client.generation += 1
    _expire_secrets(session, client, after=timedelta())
    record(session, "client.revoked", client_id=caller.client_id, client=client_id)
    return client


_MISSING_KEYS = {"pointer": "/jwks", "message": "the new public keys"}


def _add(session: Session, wanted: schemas.NewClient, *, by: str, sandbox: bool = False) -> Client:
    _check_scopes(wanted.scopes)
    keys, jwks_uri = _keys(wanted, sandbox=sandbox)
    at = now()
    values = {
        "client_id": wanted.client_id,
        "name": wanted.name,
        "scopes": sorted(set(wanted.scopes)),
        "organisations": sorted(set(wanted.organisations)),
        "audience": wanted.audience,
        "keys": keys,
        "jwks_uri": jwks_uri,
        "generation": 1,
        "registered_at": at,
        "registered_by": by,
        "changed_at": at,
    }
    added: Client | None = session.scalar(insert(Client).values(values).on_conflict_do_nothing().returning(Client))
    if added is None:
        raise ClientExists
    record(session, "client.registered", client_id=by, client=wanted.client_id, scopes=values["scopes"])
    return added


def _live(session: Session, client_id: str, caller: Principal) -> Client:
    client = queries.client(session, client_id, seen_by=caller, lock=True)
    if client.revoked_at is not None:
        raise ClientRevoked
    return client


def _give_secret(session: Session, client: Client) -> str:
    secret = secrets.new_secret()
    session.add(ClientSecret(client_id=client.client_id, hash=secrets.hashed(secret), created_at=now()))
    return secret


def _expire_secrets(session: Session, client: Client, *, after: timedelta) -> None:
    end = now() + after
    later = (ClientSecret.expires_at.is_(None)) | (ClientSecret.expires_at > end)
    session.execute(
        update(ClientSecret).where(ClientSecret.client_id == client.client_id, later).values(expires_at=end)
    )


def _check_scopes(scopes: Sequence[str]) -> None:
    unknown = sorted(set(scopes) - SCOPES)
    if unknown:
        known = ", ".join(sorted(SCOPES))
        errors = [{"pointer": "/scopes", "message": f"{one} is no scope; there are: {known}"} for one in unknown]
        raise InvalidClient(f"{unknown[0]} is no scope; there are: {known}", errors=errors)


def _keys(wanted: schemas.NewClient | schemas.Rotation, *, sandbox: bool) -> tuple[list[Mapping[str, Any]], str | None]:
    """The keys by value, or the address where they are; neither for a client with a secret. Raises InvalidClient."""
    if wanted.jwks is not None and wanted.jwks_uri is not None:
        raise _invalid("/jwks_uri", "send the keys or their address, not both")
    if wanted.jwks_uri is not None:
        try:
            target(wanted.jwks_uri, sandbox=sandbox)
        except NotCallable as error:
            raise _invalid("/jwks_uri", str(error)) from error
    return _checked(wanted.jwks.keys) if wanted.jwks else [], wanted.jwks_uri


def _invalid(pointer: str, message: str) -> InvalidClient:
    return InvalidClient(message, errors=[{"pointer": pointer, "message": message}])


def _checked(jwks: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    try:
        Keys(jwks, CLIENT_ALGORITHMS)
    except UnusableKeys as error:
        raise _invalid("/jwks/keys", str(error)) from error
    return list(jwks)

"""Credentials in, a token out: OAuth 2.0 client credentials (RFC 6749, 4.4) with a secret or a signed JWT (RFC 7523).

To somebody who has proved nothing a refusal says nothing, not even whether there is such a client.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gateway.access import queries, secrets
from gateway.access.audit import record
from gateway.access.client_keys import ClientKeys
from gateway.access.jose import NotVerified, claims_of, unverified_payload
from gateway.access.models import Client, UsedAssertion
from gateway.access.remote import KeysUnavailable
from gateway.access.tokens import CLOCK_SKEW, Tokens, check_times, meant_for
from shared.db import Database, now
from shared.principal import Principal

GRANT = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LARGEST_FORM = 32 * 1024
LONGEST_JTI = 255
ASSERTION_SECONDS = 300  # "exp <= 5 min"


@dataclass(frozen=True, slots=True)
class Refused:
    """No token, and why, as RFC 6749 names it."""

    error: str
    description: str
    status: int = 400


class NoToken(Exception):
    """Carries a refusal to where it is answered."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.refused = Refused(error, description, status)


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, the scopes it carries, and its life in seconds."""

    token: str
    scopes: frozenset[str]
    seconds: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client sent to the token endpoint: who it says it is, its proof, and the scopes it wants (None: all)."""

    client_id: str | None
    secret: str | None = None
    assertion: str | None = None
    scopes: frozenset[str] | None = None
    basic: bool = False

    @classmethod
    def of_request(cls, form: bytes, authorization: str | None) -> "Asked":
        """Read the form and the `Authorization` header. Raises NoToken for what is not a proper request."""
        fields = _fields(form)
        if fields.get("grant_type") != GRANT:
            known = "grant_type" in fields
            raise NoToken("unsupported_grant_type" if known else "invalid_request", f"grant_type must be {GRANT}")
        scopes = frozenset(fields["scope"].split()) if fields.get("scope", "").strip() else None
        basic = authorization is not None
        methods = (basic, "client_secret" in fields, "client_assertion" in fields)
        if sum(methods) > 1:
            raise NoToken("invalid_request", "prove who you are in one way, not in several")
        if authorization is not None:
            client_id, secret = _basic(authorization)
            if fields.get("client_id", client_id) != client_id:
                raise NoToken("invalid_request", "client_id is not the one in the Authorization header")
            return cls(client_id, secret=secret, scopes=scopes, basic=basic)
        if "client_assertion" in fields:
            if fields.get("client_assertion_type") != JWT_BEARER:
                raise NoToken("invalid_request", f"client_assertion_type must be {JWT_BEARER}")
            assertion = fields["client_assertion"]
            return cls(fields.get("client_id") or _subject(assertion), assertion=assertion, scopes=scopes)
        return cls(fields.get("client_id"), secret=fields.get("client_secret"), scopes=scopes)


def exchange(
    database: Database,
    tokens: Tokens,
    asked: Asked,
    *,
    keys: ClientKeys,
    audiences: frozenset[str],
    address: str | None,
) -> Granted | Refused:
    """A token for what was asked, or why not; written into the audit either way.

    `keys` verify what clients sign; `audiences` are the values that a client may put into `aud` of its signed JWT.
    """
    with database.session() as session:
        try:
            client = _authenticated(session, asked, keys, audiences)
            scopes = _scopes(client, asked)
        except NoToken as error:
            refused = error.refused
            known = asked.client_id if session.get(Client, asked.client_id or "") else None
            record(session, "token.refused", client_id=known, address=address, status=refused.status, why=refused.error)
            return refused
        principal = Principal(client.client_id, scopes, frozenset(client.organisations), client.audience)  # type: ignore[arg-type]
        token = tokens.issue(principal, generation=client.generation, now=now().timestamp())
        record(session, "token.issued", client_id=client.client_id, address=address, status=200, scopes=sorted(scopes))
        return Granted(token, scopes, tokens.seconds)


def _authenticated(session: Session, asked: Asked, keys: ClientKeys, audiences: frozenset[str]) -> Client:
    client = session.get(Client, asked.client_id) if asked.client_id else None
    if asked.assertion is not None:
        proven = client is not None and _assertion_holds(session, client, asked.assertion, keys, audiences)
    else:
        hashes = queries.good_secrets(session, client.client_id, at=now()) if client else ()
        proven = secrets.matches(asked.secret or "", hashes)
    if client is None or not proven or client.revoked_at is not None:
        raise NoToken("invalid_client", "there is no such client, or this does not prove that you are it", 401)
    return client


def _assertion_holds(
    session: Session, client: Client, assertion: str, keys: ClientKeys, audiences: frozenset[str]
) -> bool:
    """Whether the signed JWT is the client's, for us, in time, and used for the first time."""
    try:
        _, payload = keys.verify(client, assertion)
    except (NotVerified, KeysUnavailable):
        return False
    try:
        claims = claims_of(payload)
        check_times(claims, now=now().timestamp(), longest=ASSERTION_SECONDS)
    except NotVerified as error:
        raise NoToken("invalid_client", f"the signed JWT is not good: {error}", 401) from error
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise NoToken("invalid_client", "the signed JWT is not good: iss and sub must be your client id", 401)
    if not meant_for(claims, audiences):
        raise NoToken("invalid_client", "the signed JWT is not good: aud must be the address of this endpoint", 401)
    return _used_for_the_first_time(session, client, claims)


def _used_for_the_first_time(session: Session, client: Client, claims: Mapping[str, Any]) -> bool:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI or "\x00" in jti:
        raise NoToken("invalid_client", "the signed JWT is not good: it needs a jti of 1 to 255 characters", 401)
    session.execute(delete(UsedAssertion).where(UsedAssertion.expires_at < now()))
    end = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=2 * CLOCK_SKEW)
    used = insert(UsedAssertion).values(client_id=client.client_id, jti=jti, expires_at=end)
    if session.execute(used.on_conflict_do_nothing().returning(UsedAssertion.jti)).first() is None:
        raise NoToken("invalid_client", "the signed JWT is not good: its jti has been used", 401)
    return True


def _scopes(client: Client, asked: Asked) -> frozenset[str]:
    held = frozenset(client.scopes)
    if asked.scopes is None:
        return held
    if not asked.scopes <= held:
        raise NoToken("invalid_scope", f"this client may have: {' '.join(sorted(held))}")
    return asked.scopes


def _fields(form: bytes) -> dict[str, str]:
    if len(form) > LARGEST_FORM:
        raise NoToken("invalid_request", "the request is too large")
    try:
        pairs = parse_qsl(form.decode(), keep_blank_values=True, strict_parsing=bool(form), errors="strict")
    except ValueError as error:
        raise NoToken("invalid_request", "the body must be application/x-www-form-urlencoded") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NoToken("invalid_request", "each parameter may be sent once")
    if any("\x00" in value for value in fields.values()):
        raise NoToken("invalid_request", "a parameter holds a null character")
    return {name: value for name, value in fields.items() if value}


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        client_id, secret = unquote_plus(client_id), unquote_plus(secret)
        if not colon or "\x00" in client_id:
            raise ValueError(colon)
    except (binascii.Error, ValueError) as error:
        raise NoToken(
            "invalid_client", "the Authorization header must be Basic, with client id and secret", 401
        ) from error
    return client_id, secret


def _subject(assertion: str) -> str | None:
    """Who the JWT says it is from, before anything about it is believed."""
    try:
        subject = claims_of(unverified_payload(assertion)).get("sub")
    except NotVerified:
        return None
    return subject if isinstance(subject, str) and "\x00" not in subject else None

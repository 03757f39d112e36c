"""What clients, tokens and the audit look like to callers."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.principal import Audience

CLIENT_ID = r"^[a-z0-9][a-z0-9_-]{1,62}[a-z0-9]$"
ORGANISATION = r"^(\*|[A-Z0-9][A-Z0-9-]{0,19})$"
SCOPE = r"^[a-z]+(-[a-z]+)*:(read|write)$"

CALLER = r"^[A-Za-z0-9][A-Za-z0-9_.|@+=:/-]{0,200}$"

ClientId = Annotated[str, StringConstraints(pattern=CLIENT_ID)]
NamedClient = Annotated[
    ClientId, PathParameter(description="The id of a client.", examples=["example-trust-maternity"])
]
CallerId = Annotated[str, StringConstraints(pattern=CALLER)]
"""A client, or somebody with a token of an outside issuer: `issuer:subject`."""
Organisation = Annotated[str, StringConstraints(pattern=ORGANISATION)]
ScopeName = Annotated[str, StringConstraints(pattern=SCOPE)]
KeysAddress = Annotated[str, StringConstraints(min_length=8, max_length=2000)]


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid")


class KeySet(_Exact):
    """Public keys (JWKS, RFC 7517): RSA of 2048 bits or more, P-256 or Ed25519; several need a `kid` each."""

    keys: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=10)]


class NewClient(_Exact):
    """A client to register. Without `jwks` or `jwks_uri` it gets a secret, which is shown once."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "client_id": "example-trust-maternity",
                    "name": "Example Trust maternity system",
                    "scopes": ["submissions:read", "submissions:write"],
                    "organisations": ["RGT"],
                    "audience": "member",
                }
            ]
        },
    )

    client_id: ClientId
    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=50)]
    organisations: Annotated[list[Organisation], Field(max_length=1000)] = []
    audience: Audience = "public"
    jwks: KeySet | None = Field(default=None, description="Public keys, for `private_key_jwt`.")
    jwks_uri: KeysAddress | None = Field(
        default=None,
        description="Instead of `jwks`: the public https address where the client publishes its keys (JWKS). They are "
        "fetched when first needed, every ten minutes, and when a JWT names a key that is new.",
    )


class Rotation(_Exact):
    """How a client changes over to a new secret, or to new keys."""

    overlap_seconds: int = Field(
        default=0,
        ge=0,
        le=7 * 86400,
        description="How long the secret in use stays good. 0 ends it, and the tokens it bought, at once.",
    )
    jwks: KeySet | None = Field(default=None, description="The new keys, which take the place of the old ones.")
    jwks_uri: KeysAddress | None = Field(
        default=None, description="Where the keys are published from now on; takes the place of the old keys."
    )


class Client(BaseModel):
    """A client, without what it proves itself with."""

    model_config = ConfigDict(from_attributes=True)

    client_id: str
    name: str
    scopes: list[str]
    organisations: list[str]
    audience: Audience
    authentication: str = Field(description="`client_secret` or `private_key_jwt`.")
    jwks_uri: str | None = Field(description="Where the client publishes its keys, if it does.")
    registered_at: datetime
    registered_by: str
    changed_at: datetime
    revoked_at: datetime | None


class ClientWithSecret(Client):
    """A client and its new secret, which is shown this once and never again."""

    client_secret: str | None = Field(description="Null for a client that signs with its own key.")


class Clients(BaseModel):
    """A page of clients."""

    items: list[Client]
    next_cursor: str | None


class AuditEntry(BaseModel):
    """One thing that happened at the door."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    event: str = Field(
        description="token.issued, token.refused, client.registered, client.rotated, client.revoked, "
        "request.refused, write, export, read.exact or audit.overflowed"
    )
    client_id: str | None
    request_id: str | None
    address: str | None
    method: str | None
    route: str | None = Field(description="The address as the API documents it, not as it was filled in.")
    status: int | None
    detail: dict[str, Any] = Field(
        description="Of a read that was answered what it was about, such as `measure` and `organisation`."
    )


class Audit(BaseModel):
    """A page of the audit, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None


class Token(BaseModel):
    """An access token (RFC 6749): send it as `Authorization: Bearer ...`."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a kind, not a secret
    expires_in: int = Field(description="Seconds.")
    scope: str


class TokenRefusal(BaseModel):
    """Why there is no token (RFC 6749, section 5.2)."""

    error: str = Field(
        description="invalid_request, invalid_client, unsupported_grant_type, unauthorized_client or invalid_scope"
    )
    error_description: str

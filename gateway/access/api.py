"""Access over HTTP: tokens and the keys that verify them, clients, the audit."""

from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from gateway.access import commands, queries, schemas
from gateway.access.client_keys import CLIENT_ALGORITHMS, ClientKeys
from gateway.access.exchange import GRANT, Asked, Granted, NoToken, Refused, exchange
from gateway.access.models import Client
from gateway.access.problems import BeyondAuthority, ClientExists, ClientRevoked, InvalidClient, UnknownClient
from gateway.conformance.checks import Ledger
from gateway.limits import Limits, neighbourhood, too_many
from gateway.problems import TooManyRequests
from gateway.repeats import answered
from gateway.routes import SCOPES
from gateway.settings import GatewaySettings
from shared import paging
from shared.caching import Tagged
from shared.db import Session
from shared.instants import Instant
from shared.principal import Principal, Requires, caller
from shared.problems import problems
from shared.repeats import IdempotencyKeyReused, Once

HASHING_AT_ONCE = 2  # each takes a core for 20 ms and 19 MiB
FETCHING_AT_ONCE = 8  # each may wait seconds for somebody else's machine
LARGEST_ID = 2**63 - 1
LONGEST_CLIENT_ID = 64
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
BASIC_CHALLENGE = {"WWW-Authenticate": 'Basic realm="token"'}
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

router = APIRouter(route_class=Tagged)
MayRead = Annotated[Principal, Depends(Requires("clients:read"))]
MayWrite = Annotated[Principal, Depends(Requires("clients:write"))]
MayAudit = Annotated[Principal, Depends(Requires("audit:read"))]
Caller = Annotated[Principal, Depends(caller)]

_TOKEN_FORM = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["grant_type"],
                "properties": {
                    "grant_type": {"const": GRANT},
                    "scope": {"type": "string", "description": "Scopes, a space between; all the client's if absent."},
                    "client_id": {"type": "string"},
                    "client_secret": {"type": "string"},
                    "client_assertion_type": {"const": ASSERTION},
                    "client_assertion": {
                        "type": "string",
                        "description": "A JWT signed with the client's key: iss and sub the client id, aud this "
                        "address, exp at most five minutes ahead, jti never used before; RS512, ES256 or EdDSA.",
                    },
                },
            }
        }
    },
}


@router.post(
    "/oauth2/token",
    tags=["Access"],
    response_model=schemas.Token,
    responses={
        400: {"model": schemas.TokenRefusal, "description": "The request is not a proper one."},
        401: {"model": schemas.TokenRefusal, "description": "The client did not prove who it is."},
        **problems(TooManyRequests),
    },
    openapi_extra={"requestBody": _TOKEN_FORM},
)
async def issue_token(request: Request) -> Response:
    """An access token for a client (OAuth 2.0 client credentials).

    The client proves who it is with its secret (HTTP Basic, or in the form) or with a JWT signed by its own key
    (`private_key_jwt`, RFC 7523). The token is good for ten minutes; ask for the next when it nears its end.
    """
    form = await request.body()
    try:
        asked = Asked.of_request(form, request.headers.get("Authorization"))
    except NoToken as error:
        return _refusal(error.refused)
    address = request.client.host if request.client else None
    limits: Limits = request.app.state.limits
    keys: ClientKeys = request.app.state.client_keys
    who = f"{neighbourhood(address or '')} {(asked.client_id or '')[:LONGEST_CLIENT_ID]}"
    failures = await limits.failures.look(who)
    if failures.wait:
        raise too_many(failures)
    if asked.assertion is not None and asked.client_id is not None:
        await anyio.to_thread.run_sync(
            keys.prepare,
            request.app.state.database,
            asked.client_id,
            asked.assertion,
            limiter=request.app.state.fetching,
        )
    outcome = await anyio.to_thread.run_sync(_exchange, request, asked, address, limiter=request.app.state.hashing)
    if isinstance(outcome, Refused):
        await limits.failures.take(who)
        return _refusal(outcome)
    ledger: Ledger | None = request.app.state.ledger
    if ledger is not None and asked.assertion is not None and asked.client_id is not None:
        ledger.signed(asked.client_id)
    token = schemas.Token(
        access_token=outcome.token, expires_in=outcome.seconds, scope=" ".join(sorted(outcome.scopes))
    )
    return JSONResponse(token.model_dump(), headers=NOT_STORED)


@router.get("/.well-known/jwks.json", tags=["Access"])
def get_token_keys(request: Request, response: Response) -> dict[str, Any]:
    """The public keys that verify access tokens (JWKS, RFC 7517)."""
    response.headers["Cache-Control"] = "public, max-age=300"
    keys: dict[str, Any] = request.app.state.tokens.jwks()
    return keys


@router.get("/.well-known/oauth-authorization-server", tags=["Access"])
def get_authorization_server(request: Request) -> dict[str, Any]:
    """Where and how tokens are given, for OAuth libraries (RFC 8414)."""
    settings: GatewaySettings = request.app.state.settings
    return {
        "issuer": settings.issuer,
        "token_endpoint": settings.token_url,
        "jwks_uri": f"{settings.issuer}/.well-known/jwks.json",
        "grant_types_supported": [GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(CLIENT_ALGORITHMS),
        "scopes_supported": sorted(SCOPES),
    }


@router.get("/v1/clients", tags=["Access"])
def list_clients(
    request: Request,
    response: Response,
    caller: MayRead,
    session: Session,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> schemas.Clients:
    """The clients that have nothing you do not have yourself, by id."""
    key = paging.decode(cursor, parts=[str])
    rows = queries.clients(session, seen_by=caller, limit=limit, after=key[0] if key else None)
    page = paging.page(rows, limit=limit, key=lambda one: [one.client_id], request=request, response=response)
    return schemas.Clients(items=[_shown(one) for one in page["items"]], next_cursor=page["next_cursor"])


@router.post(
    "/v1/clients",
    tags=["Access"],
    status_code=201,
    response_model=schemas.ClientWithSecret,
    responses=problems(BeyondAuthority, ClientExists, InvalidClient, IdempotencyKeyReused),
)
def register_client(
    request: Request, wanted: schemas.NewClient, caller: MayWrite, _: Once, session: Session
) -> Response:
    """Register a client. Its secret is in this answer and nowhere else: keep it."""
    client, secret = commands.register(session, wanted, caller=caller, sandbox=request.app.state.settings.sandbox)
    headers = NOT_STORED | {"Location": f"/v1/clients/{client.client_id}"}
    return answered(request, session, _with_secret(client, secret), status=201, headers=headers)


@router.get("/v1/clients/me", tags=["Access"])
def get_own_client(caller: Caller, session: Session) -> schemas.Client:
    """The client that asks: what it may do and whom it acts for."""
    client = session.get(Client, caller.client_id)
    if client is None:
        raise UnknownClient
    return _shown(client)


@router.get("/v1/clients/{client_id}", tags=["Access"], responses=problems(UnknownClient))
def get_client(client_id: schemas.NamedClient, caller: MayRead, session: Session) -> schemas.Client:
    """One client."""
    return _shown(queries.client(session, client_id, seen_by=caller))


@router.post(
    "/v1/clients/{client_id}/rotate",
    tags=["Access"],
    response_model=schemas.ClientWithSecret,
    responses=problems(UnknownClient, ClientRevoked, InvalidClient, IdempotencyKeyReused),
)
def rotate_client(
    request: Request,
    client_id: schemas.NamedClient,
    caller: MayWrite,
    _: Once,
    session: Session,
    wanted: schemas.Rotation | None = None,
) -> Response:
    """Give a client a new secret (shown once), or its new keys.

    Without an overlap the old secret, and the tokens it bought, end at once.
    """
    sandbox = request.app.state.settings.sandbox
    client, secret = commands.rotate(session, client_id, wanted or schemas.Rotation(), caller=caller, sandbox=sandbox)
    return answered(request, session, _with_secret(client, secret), headers=NOT_STORED)


@router.post(
    "/v1/clients/{client_id}/revoke",
    tags=["Access"],
    response_model=schemas.Client,
    responses=problems(UnknownClient, ClientRevoked, IdempotencyKeyReused),
)
def revoke_client(
    request: Request, client_id: schemas.NamedClient, caller: MayWrite, _: Once, session: Session
) -> Response:
    """Let a client in no more, for ever. Its tokens end within a second, everywhere."""
    return answered(request, session, _shown(commands.revoke(session, client_id, caller=caller)))


@router.get("/v1/audit", tags=["Access"])
def list_audit(
    request: Request,
    response: Response,
    caller: MayAudit,
    session: Session,
    client_id: Annotated[
        schemas.CallerId | None,
        Query(description="Only what this client did; `issuer:subject` for a token of an outside issuer."),
    ] = None,
    event: Annotated[
        str | None, Query(pattern=r"^[a-z.]{1,50}$", description="Only this event, such as `token.refused`.")
    ] = None,
    since: Annotated[Instant | None, Query(description="From this instant, which is included.")] = None,
    until: Annotated[Instant | None, Query(description="Up to this instant, which is not included.")] = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> schemas.Audit:
    """Every token, refusal, write, export, exact read and change of a client, newest first.

    An exact read is one of figures by a client that sees them without disclosure control. Nothing here can be changed
    or deleted.
    """
    key = paging.decode(cursor, parts=[int])
    rows = queries.audit(
        session,
        limit=limit,
        before=min(key[0], LARGEST_ID) if key else None,
        client_id=client_id,
        event=event,
        since=since,
        until=until,
    )
    page = paging.page(rows, limit=limit, key=lambda one: [one.id], request=request, response=response)
    items = [schemas.AuditEntry.model_validate(one) for one in page["items"]]
    return schemas.Audit(items=items, next_cursor=page["next_cursor"])


def _exchange(request: Request, asked: Asked, address: str | None) -> Granted | Refused:
    state = request.app.state
    settings: GatewaySettings = state.settings
    audiences = frozenset({settings.issuer, settings.token_url})
    return exchange(state.database, state.tokens, asked, keys=state.client_keys, audiences=audiences, address=address)


def _refusal(refused: Refused) -> Response:
    body = schemas.TokenRefusal(error=refused.error, error_description=refused.description)
    challenge = BASIC_CHALLENGE if refused.status == 401 else {}
    return JSONResponse(body.model_dump(), refused.status, headers=NOT_STORED | challenge)


def _shown(client: Client) -> schemas.Client:
    return schemas.Client.model_validate(_fields(client))


def _with_secret(client: Client, secret: str | None) -> schemas.ClientWithSecret:
    return schemas.ClientWithSecret.model_validate(_fields(client) | {"client_secret": secret})


def _fields(client: Client) -> dict[str, Any]:
    names = schemas.Client.model_fields.keys() - {"authentication"}
    authentication = "private_key_jwt" if client.signs else "client_secret"
    return {name: getattr(client, name) for name in names} | {"authentication": authentication}

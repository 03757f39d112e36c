"""Webhooks over HTTP: a client's own, and what became of their deliveries."""

from functools import partial
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as PathParameter

from gateway.live.hub import Hub
from gateway.live.models import Delivery, Webhook
from gateway.live.places import Places
from gateway.live.problems import (
    InvalidWebhook,
    NoLongerKept,
    TooManyWebhooks,
    UnknownOrganisation,
    UnknownWebhook,
    WebhookDisabled,
)
from gateway.live.webhooks import commands, queries, schemas
from gateway.live.webhooks.signatures import Signatures
from gateway.repeats import answered
from shared import paging
from shared.caching import Tagged
from shared.db import Session
from shared.principal import Principal, Requires
from shared.problems import problems
from shared.repeats import IdempotencyKeyReused, Once

LARGEST_ID = 2**63 - 1
LOOKING_UP_AT_ONCE = 4
NOT_STORED = {"Cache-Control": "no-store"}
router = APIRouter(tags=["Webhooks"], route_class=Tagged)
MayRead = Annotated[Principal, Depends(Requires("webhooks:read"))]
MayWrite = Annotated[Principal, Depends(Requires("webhooks:write"))]
WebhookId = Annotated[
    str,
    PathParameter(
        max_length=60, pattern="^[0-9a-zA-Z-]+$", description="The webhook's id.", examples=["0199b0c5-0000-7000"]
    ),
]


def _places(request: Request) -> Places:
    hub: Hub = request.app.state.hub
    return hub.places


def _signatures(request: Request) -> Signatures:
    signatures: Signatures = request.app.state.signatures
    return signatures


WhereTheyLie = Annotated[Places, Depends(_places)]
Signing = Annotated[Signatures, Depends(_signatures)]


async def new_webhook(request: Request, wanted: schemas.NewWebhook) -> schemas.NewWebhook:
    """What is to be registered, its URL checked before a transaction begins. Raises InvalidWebhook."""
    await _check(request, wanted.url)
    return wanted


async def webhook_change(request: Request, wanted: schemas.WebhookChange) -> schemas.WebhookChange:
    """What is to be changed, a new URL checked before a transaction begins. Raises InvalidWebhook."""
    if wanted.url is not None:
        await _check(request, wanted.url)
    return wanted


async def _check(request: Request, url: str) -> None:
    """On threads of its own: names that are slow to look up hold up nobody but those who ask about names."""
    state = request.app.state
    check = partial(commands.check_url, url, resolve=state.resolve, sandbox=state.settings.sandbox)
    await anyio.to_thread.run_sync(check, limiter=state.looking_up)


@router.get("/v1/webhooks")
def list_webhooks(
    request: Request,
    response: Response,
    caller: MayRead,
    session: Session,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> schemas.Webhooks:
    """Your client's webhooks: whether they are enabled, how far they have come, what waits and what is parked."""
    key = paging.decode(cursor, parts=[str])
    rows = queries.webhooks(session, caller=caller, limit=limit, after=key[0] if key else None)
    counted = queries.counts(session, [one.id for one in rows])
    page = paging.page(rows, limit=limit, key=lambda one: [one.id], request=request, response=response)
    items = [schemas.Webhook(**_fields(one, counted)) for one in page["items"]]
    return schemas.Webhooks(items=items, next_cursor=page["next_cursor"])


@router.post(
    "/v1/webhooks",
    status_code=201,
    response_model=schemas.WebhookWithSecret,
    responses=problems(InvalidWebhook, TooManyWebhooks, UnknownOrganisation, IdempotencyKeyReused),
)
def register_webhook(
    request: Request,
    caller: MayWrite,
    wanted: Annotated[schemas.NewWebhook, Depends(new_webhook)],
    places: WhereTheyLie,
    signatures: Signing,
    _: Once,
    session: Session,
) -> Response:
    """Register an address to be called with what happens from now on. Its secret is in this answer and nowhere else.

    Each call is a POST of JSON, signed as Standard Webhooks says; any 2xx within ten seconds takes it. Others are tried
    again for three days. The order is not promised; `webhook-id` is the same at every attempt.
    """
    one = commands.register(session, wanted, caller=caller, places=places)
    headers = NOT_STORED | {"Location": f"/v1/webhooks/{one.id}"}
    return answered(request, session, _with_secret(session, signatures, one), status=201, headers=headers)


@router.get("/v1/webhooks/{id}", responses=problems(UnknownWebhook))
def get_webhook(id: WebhookId, caller: MayRead, session: Session) -> schemas.Webhook:  # noqa: A002
    """One webhook."""
    return _shown(session, queries.webhook(session, id, caller=caller))


@router.patch("/v1/webhooks/{id}", responses=problems(UnknownWebhook, InvalidWebhook, UnknownOrganisation))
def change_webhook(
    id: WebhookId,  # noqa: A002
    caller: MayWrite,
    wanted: Annotated[schemas.WebhookChange, Depends(webhook_change)],
    places: WhereTheyLie,
    session: Session,
) -> schemas.Webhook:
    """Change where a webhook is called or what of; disable it, or enable it again."""
    return _shown(session, commands.change(session, id, wanted, caller=caller, places=places))


@router.delete("/v1/webhooks/{id}", status_code=204, responses=problems(UnknownWebhook))
def delete_webhook(id: WebhookId, caller: MayWrite, session: Session) -> Response:  # noqa: A002
    """Delete a webhook and what was to be carried to it."""
    commands.remove(session, id, caller=caller)
    return Response(status_code=204)


@router.post(
    "/v1/webhooks/{id}/rotate",
    response_model=schemas.WebhookWithSecret,
    responses=problems(UnknownWebhook, IdempotencyKeyReused),
)
def rotate_webhook_secret(
    request: Request,
    id: WebhookId,  # noqa: A002
    caller: MayWrite,
    signatures: Signing,
    _: Once,
    session: Session,
    wanted: schemas.SecretRotation | None = None,
) -> Response:
    """Give a webhook a new secret, shown once. For a time deliveries are signed with both."""
    one = commands.rotate(session, id, wanted or schemas.SecretRotation(), caller=caller)
    return answered(request, session, _with_secret(session, signatures, one), headers=NOT_STORED)


@router.get("/v1/webhooks/{id}/deliveries", responses=problems(UnknownWebhook))
def list_deliveries(
    id: WebhookId,  # noqa: A002
    request: Request,
    response: Response,
    caller: MayRead,
    session: Session,
    state: Annotated[
        Literal["waiting", "delivered", "parked"] | None, Query(description="Only those in this state.")
    ] = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> schemas.Deliveries:
    """What was carried to a webhook in the last thirty days, newest first: attempts, answers, reasons."""
    one = queries.webhook(session, id, caller=caller)
    key = paging.decode(cursor, parts=[int])
    before = min(key[0], LARGEST_ID) if key else None
    rows = queries.deliveries(session, one, state=state, limit=limit, before=before)
    page = paging.page(rows, limit=limit, key=lambda each: [each.id], request=request, response=response)
    items = [_delivery(each) for each in page["items"]]
    return schemas.Deliveries(items=items, next_cursor=page["next_cursor"])


@router.post(
    "/v1/webhooks/{id}/replay",
    status_code=202,
    response_model=schemas.Webhook,
    responses=problems(UnknownWebhook, NoLongerKept, IdempotencyKeyReused),
)
def replay_webhook(
    request: Request,
    id: WebhookId,  # noqa: A002
    wanted: schemas.Replay,
    caller: MayWrite,
    _: Once,
    session: Session,
) -> Response:
    """Carry everything that came after a cursor again, parked or delivered, with the same ids."""
    one = commands.replay(session, id, wanted, caller=caller)
    return answered(request, session, _shown(session, one), status=202)


@router.post(
    "/v1/webhooks/{id}/test",
    status_code=202,
    response_model=schemas.Delivery,
    responses=problems(UnknownWebhook, WebhookDisabled, IdempotencyKeyReused),
)
def test_webhook(
    request: Request,
    id: WebhookId,  # noqa: A002
    caller: MayWrite,
    _: Once,  # noqa: PT019 - it is no test
    session: Session,
) -> Response:
    """Send `webhook.test` to a webhook, signed as any other event; `deliveries` tells what became of it."""
    return answered(request, session, _delivery(commands.send_test(session, id, caller=caller)), status=202)


def _shown(session: Session, one: Webhook) -> schemas.Webhook:
    session.flush()
    return schemas.Webhook(**_fields(one, queries.counts(session, [one.id])))


def _with_secret(session: Session, signatures: Signatures, one: Webhook) -> schemas.WebhookWithSecret:
    secret = signatures.secret(one.id, one.secret_number)
    return schemas.WebhookWithSecret(**_fields(one, queries.counts(session, [one.id])), secret=secret)


def _fields(one: Webhook, counted: queries.Counts) -> dict[str, Any]:
    worked_out = {"enabled", "cursor", "waiting", "parked"}
    fields = {name: getattr(one, name) for name in schemas.Webhook.model_fields.keys() - worked_out}
    return fields | {
        "enabled": one.disabled_at is None,
        "cursor": str(one.position),
        "waiting": counted[one.id, "waiting"],
        "parked": counted[one.id, "parked"],
    }


def _delivery(one: Delivery) -> schemas.Delivery:
    names = schemas.Delivery.model_fields.keys() - {"cursor", "due_at"}
    return schemas.Delivery(
        **{name: getattr(one, name) for name in names},
        cursor=None if one.position is None else str(one.position),
        due_at=one.due_at if one.state == "waiting" else None,
    )

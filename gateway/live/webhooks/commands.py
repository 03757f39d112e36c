"""How webhooks come, change and go; each change is in the audit."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from gateway.access.audit import record
from gateway.access.models import Client
from gateway.live import log
from gateway.live.kinds import TEST
from gateway.live.models import Delivery, Webhook
from gateway.live.parameters import check_places, check_scopes
from gateway.live.places import Places
from gateway.live.problems import InvalidWebhook, NoLongerKept, TooManyWebhooks, WebhookDisabled
from gateway.live.webhooks import queries, schemas
from gateway.live.webhooks.planning import delivery_row, wait
from gateway.outward.addresses import NotCallable, Resolve, callable_addresses, target
from shared.db import now
from shared.messaging.outbox import new_id
from shared.principal import Principal

MOST = 20  # webhooks of one client


def register(session: Session, wanted: schemas.NewWebhook, *, caller: Principal, places: Places) -> Webhook:
    """Register a webhook, which begins with the present.

    Raises Forbidden, UnknownOrganisation or TooManyWebhooks. The URL is checked before (`check_url`): that asks the
    network, for which no transaction waits.
    """
    check_scopes(caller, wanted.events)
    check_places(places, wanted.organisations)
    session.get(Client, caller.client_id, with_for_update=True)  # two at once would pass the limit together
    have = session.scalars(select(func.count()).where(Webhook.client_id == caller.client_id)).one()
    if have >= MOST:
        raise TooManyWebhooks
    instant = now()
    one = Webhook(
        id=new_id(),
        client_id=caller.client_id,
        **wanted.model_dump(),
        secret_number=1,
        position=log.bounds(session).newest,
        registered_at=instant,
        changed_at=instant,
    )
    session.add(one)
    session.flush()
    record(session, "webhook.registered", client_id=caller.client_id, webhook=one.id)
    return one


def change(
    session: Session, webhook_id: str, wanted: schemas.WebhookChange, *, caller: Principal, places: Places
) -> Webhook:
    """Change a webhook. Raises UnknownWebhook, Forbidden or UnknownOrganisation."""
    one = queries.webhook(session, webhook_id, caller=caller, lock=True)
    given: dict[str, Any] = {name: value for name, value in wanted.model_dump().items() if value is not None}
    check_scopes(caller, given.get("events", ()))
    check_places(places, given.get("organisations", ()))
    enabled = given.pop("enabled", None)
    for name, value in given.items():
        setattr(one, name, value)
    one.changed_at = now()
    if "url" in given or enabled:
        one.failing_since = one.held_until = None
    if enabled:
        one.disabled_at = one.disabled_because = None
    elif enabled is False and one.disabled_at is None:
        one.disabled_at, one.disabled_because = one.changed_at, "its owner disabled it"
    record(
        session, "webhook.changed", client_id=caller.client_id, webhook=one.id, changed=sorted(wanted.model_fields_set)
    )
    return one


def rotate(session: Session, webhook_id: str, wanted: schemas.SecretRotation, *, caller: Principal) -> Webhook:
    """Give a webhook a new secret. Raises UnknownWebhook."""
    one = queries.webhook(session, webhook_id, caller=caller, lock=True)
    one.secret_number += 1
    one.changed_at = now()
    one.earlier_secret_until = one.changed_at + timedelta(seconds=wanted.overlap_seconds)
    record(session, "webhook.rotated", client_id=caller.client_id, webhook=one.id, overlap=wanted.overlap_seconds)
    return one


def remove(session: Session, webhook_id: str, *, caller: Principal) -> None:
    """Delete a webhook with its deliveries. Raises UnknownWebhook."""
    one = queries.webhook(session, webhook_id, caller=caller, lock=True)
    session.delete(one)
    record(session, "webhook.deleted", client_id=caller.client_id, webhook=webhook_id)


def replay(session: Session, webhook_id: str, wanted: schemas.Replay, *, caller: Principal) -> Webhook:
    """Carry everything after a cursor again: the webhook is put back there. Raises UnknownWebhook or NoLongerKept."""
    one = queries.webhook(session, webhook_id, caller=caller, lock=True)
    after, bounds = int(wanted.after), log.bounds(session)
    if not bounds.holds(after):
        detail = f"cursors from {bounds.forgotten} to {bounds.newest} can be replayed from"
        raise NoLongerKept(detail, errors=[{"pointer": "/after", "message": detail}])
    session.execute(
        delete(Delivery).where(Delivery.webhook_id == one.id, Delivery.position > after, Delivery.state != "waiting")
    )
    one.position = min(one.position, after)
    record(session, "webhook.replayed", client_id=caller.client_id, webhook=one.id, after=after)
    return one


def send_test(session: Session, webhook_id: str, *, caller: Principal) -> Delivery:
    """Have a test event carried to a webhook, unless one waits. Raises UnknownWebhook or WebhookDisabled."""
    one = queries.webhook(session, webhook_id, caller=caller, lock=True)
    if one.disabled_at is not None:
        raise WebhookDisabled
    waiting = session.scalars(
        select(Delivery).where(Delivery.webhook_id == one.id, Delivery.event == TEST, Delivery.state == "waiting")
    ).first()
    if waiting is not None:
        return waiting
    row = delivery_row(one, new_id(), TEST, {"webhook": one.id})
    wait(session, [row])
    return session.scalars(
        select(Delivery).where(Delivery.webhook_id == one.id, Delivery.event_id == row["event_id"])
    ).one()


def check_url(url: str, *, resolve: Resolve, sandbox: bool) -> None:
    """Refuse a URL that would not be called. Raises InvalidWebhook."""
    try:
        callable_addresses(target(url, sandbox=sandbox), resolve=resolve, sandbox=sandbox)
    except NotCallable as error:
        raise InvalidWebhook(str(error), errors=[{"pointer": "/url", "message": str(error)}]) from error

"""What is asked about webhooks and their deliveries; a client's are nobody else's to see."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.live.models import Delivery, Webhook
from gateway.live.problems import UnknownWebhook
from shared.db import Database
from shared.principal import Principal

Counts = Counter[tuple[str, str]]
"""How many deliveries, by webhook and state."""


def webhook(session: Session, webhook_id: str, *, caller: Principal, lock: bool = False) -> Webhook:
    """One of the caller's webhooks. Raises UnknownWebhook."""
    query = select(Webhook).where(Webhook.id == webhook_id, Webhook.client_id == caller.client_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise UnknownWebhook
    return found


def webhooks(session: Session, *, caller: Principal, limit: int, after: str | None) -> Sequence[Webhook]:
    """The caller's webhooks in the order they were registered, one more than `limit`."""
    query = select(Webhook).where(Webhook.client_id == caller.client_id).order_by(Webhook.id).limit(limit + 1)
    return session.scalars(query if after is None else query.where(Webhook.id > after)).all()


def counts(session: Session, ids: Iterable[str]) -> Counts:
    """How many deliveries of these webhooks wait, and how many are parked."""
    rows = session.execute(
        select(Delivery.webhook_id, Delivery.state, func.count())
        .where(Delivery.webhook_id.in_(list(ids)), Delivery.state != "delivered")
        .group_by(Delivery.webhook_id, Delivery.state)
    )
    return Counter({(webhook_id, state): number for webhook_id, state, number in rows})


def deliveries(
    session: Session, one: Webhook, *, state: str | None, limit: int, before: int | None
) -> Sequence[Delivery]:
    """Deliveries of a webhook, newest first, one more than `limit`."""
    query = select(Delivery).where(Delivery.webhook_id == one.id).order_by(Delivery.id.desc()).limit(limit + 1)
    if state is not None:
        query = query.where(Delivery.state == state)
    return session.scalars(query if before is None else query.where(Delivery.id < before)).all()


def waiting_deliveries(database: Database) -> int:
    """How many deliveries of all webhooks wait."""
    with database.session() as session:
        return session.scalars(select(func.count()).where(Delivery.state == "waiting")).one()

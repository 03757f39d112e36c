"""From the log to deliveries: what each webhook's client may see of what is new waits to be carried to it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gateway.access.models import Client
from gateway.live import log
from gateway.live.kinds import RESET
from gateway.live.log import Bounds
from gateway.live.models import Delivery, LiveEvent, Webhook
from gateway.live.noted import Noted
from gateway.live.places import NOWHERE, Places, known
from gateway.live.sight import Wanted, view
from shared.db import Database, now
from shared.messaging.outbox import new_id
from shared.principal import Principal

PAGE = 500  # events considered for a webhook at a time
AT_ONCE = 50  # webhooks in one transaction
KEPT = timedelta(days=30)
"""How long it can be seen what became of a delivery."""


class Planner:
    """Plans deliveries. Several may run: each webhook is one's at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places: Places = NOWHERE

    def step(self) -> int:
        """Consider what is new for some webhooks; how many were moved on."""
        with self._database.session() as session:
            behind = _behind(session)
            if not behind:
                return 0
            # Read after the webhooks are held: one that another worker has just moved on is not ahead of it.
            bounds = log.bounds(session)
            self._places = known(session, self._places)
            pages: dict[int, Sequence[LiveEvent]] = {}
            for webhook, client in behind:
                if webhook.position not in pages:
                    pages[webhook.position] = log.after(session, webhook.position, limit=PAGE)
                self._plan(session, webhook, client, bounds, pages[webhook.position])
            return len(behind)

    def _plan(
        self, session: Session, webhook: Webhook, client: Client, bounds: Bounds, page: Sequence[LiveEvent]
    ) -> None:
        if not bounds.holds(webhook.position):
            webhook.position = bounds.newest
            data = {"missed": True, "kept_after": bounds.forgotten, "newest": bounds.newest}
            wait(session, [delivery_row(webhook, new_id(), RESET, data)])
            return
        webhook.position = page[-1].position if page else bounds.newest
        wait(session, self._rows(webhook, principal_of(client), page))

    def _rows(self, webhook: Webhook, principal: Principal, page: Sequence[LiveEvent]) -> list[dict[str, Any]]:
        wanted = Wanted(frozenset(webhook.events), frozenset(webhook.organisations), frozenset(webhook.measures))
        today = now().date()
        rows = []
        for one in page:
            noted = Noted(one)
            seen = view(noted, principal, wanted, self._places, today)
            if seen.visible:
                data = noted.shown(inside=seen.inside)
                rows.append(delivery_row(webhook, one.id, one.name, data) | {"position": one.position, "at": one.at})
        return rows


def wait(session: Session, rows: Iterable[dict[str, Any]]) -> None:
    """Have these deliveries wait; one that is there already stays as it is."""
    values = list(rows)
    if values:
        session.execute(insert(Delivery).on_conflict_do_nothing(), values)


def delivery_row(webhook: Webhook, event_id: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
    """A delivery that waits; what is in no log has no position."""
    instant = now()
    return {
        "webhook_id": webhook.id,
        "event_id": event_id,
        "event": name,
        "position": None,
        "data": data,
        "at": instant,
        "state": "waiting",
        "attempts": 0,
        "due_at": instant,
    }


def _behind(session: Session) -> Sequence[tuple[Webhook, Client]]:
    """Webhooks that have not come as far as the log, which nobody else moves on until the transaction ends."""
    rows = session.execute(
        select(Webhook, Client)
        .join(Client, Client.client_id == Webhook.client_id)
        .where(Webhook.position != log.newest(), Webhook.disabled_at.is_(None), Client.revoked_at.is_(None))
        .order_by(Webhook.position)
        .limit(AT_ONCE)
        .with_for_update(of=Webhook, skip_locked=True)
    )
    return [(webhook, client) for webhook, client in rows]


def principal_of(client: Client) -> Principal:
    """The client as it would stand at the door now."""
    return Principal.of_claims(
        {
            "sub": client.client_id,
            "scope": " ".join(client.scopes),
            "organisations": client.organisations,
            "audience": client.audience,
        }
    )


def forget(database: Database) -> None:
    """Forget what became of old deliveries."""
    with database.session() as session:
        session.execute(delete(Delivery).where(Delivery.due_at < now() - KEPT))

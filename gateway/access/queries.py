"""What is asked about clients and the audit."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import eq, ge, lt
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from gateway.access.models import AuditEntry, Client, ClientSecret
from gateway.access.problems import UnknownClient
from shared.principal import Audience, Principal

RANK: Mapping[Audience, int] = {"public": 0, "member": 1, "national": 2}


def generations(session: Session) -> dict[str, int]:
    """Every live client and the generation of its tokens."""
    rows = session.execute(select(Client.client_id, Client.generation).where(Client.revoked_at.is_(None)))
    return {row.client_id: row.generation for row in rows}


def client(session: Session, client_id: str, *, seen_by: Principal, lock: bool = False) -> Client:
    """One client. Raises UnknownClient where there is none that `seen_by` may see."""
    query = select(Client).where(Client.client_id == client_id, _within_reach(seen_by))
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise UnknownClient
    return found


def clients(session: Session, *, seen_by: Principal, limit: int, after: str | None) -> Sequence[Client]:
    """Clients by id, one more than `limit`."""
    query = select(Client).where(_within_reach(seen_by)).order_by(Client.client_id).limit(limit + 1)
    return session.scalars(query if after is None else query.where(Client.client_id > after)).all()


def good_secrets(session: Session, client_id: str, *, at: datetime) -> Sequence[str]:
    """The hashes of the client's secrets that are good at this instant."""
    still_good = or_(ClientSecret.expires_at.is_(None), ClientSecret.expires_at > at)
    return session.scalars(select(ClientSecret.hash).where(ClientSecret.client_id == client_id, still_good)).all()


def audit(
    session: Session,
    *,
    limit: int,
    before: int | None,
    client_id: str | None = None,
    event: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[AuditEntry]:
    """The audit, newest first, one more than `limit`; `since` is included, `until` is not."""
    wanted: Sequence[tuple[Any, Callable[[Any, Any], Any], Any]] = (
        (AuditEntry.id, lt, before),
        (AuditEntry.client_id, eq, client_id),
        (AuditEntry.event, eq, event),
        (AuditEntry.at, ge, since),
        (AuditEntry.at, lt, until),
    )
    conditions = [compare(column, value) for column, compare, value in wanted if value is not None]
    query = select(AuditEntry).where(true(), *conditions)
    return session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit + 1)).all()


def may_govern(caller: Principal, *, scopes: Sequence[str], organisations: Sequence[str], audience: Audience) -> bool:
    """Whether the caller has all of this itself, and so may give it, take it away, or see who has it."""
    everything = caller.for_everyone or caller.organisations.issuperset(organisations)
    return caller.scopes.issuperset(scopes) and everything and RANK[audience] <= RANK[caller.audience]


def _within_reach(caller: Principal) -> ColumnElement[bool]:
    """`may_govern`, as a condition on clients."""
    conditions = [
        Client.scopes.contained_by(_texts(caller.scopes)),
        Client.audience.in_([name for name, rank in RANK.items() if rank <= RANK[caller.audience]]),
    ]
    if not caller.for_everyone:
        conditions.append(Client.organisations.contained_by(_texts(caller.organisations)))
    return and_(*conditions)


def _texts(values: frozenset[str]) -> Any:
    return cast(sorted(values), ARRAY(Text))

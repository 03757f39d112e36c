"""From waiting to delivered: a pool of callers, at most a few for one webhook, and what becomes of each call.

A call that fails is made again after each of `PAUSES`, which together are three days; then it is parked. An address
that gives no answer at all is left alone until its next turn, so that one dead machine does not hold up the rest. A
webhook that nothing could be delivered to for all that time is disabled, and says so.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson
import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from gateway.live.models import Delivery, Webhook
from gateway.live.webhooks.calling import GONE, Outcome, call
from gateway.live.webhooks.signatures import Signatures
from gateway.outward import addresses
from gateway.outward.addresses import NotCallable, Resolve
from shared.db import Database, now

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""Those that Standard Webhooks recommends."""
CALLERS = 32
CALLERS_OF_ONE = 4
LEASE = timedelta(seconds=30)  # longer than any call: after it, whoever took the delivery is taken for dead
GIVEN_UP = timedelta(days=3)
JITTER = 0.1
log = structlog.get_logger()


class Job(NamedTuple):
    """A delivery that somebody has taken: all that a call needs."""

    id: int
    webhook_id: str
    url: str
    event_id: str
    body: bytes
    secrets: tuple[int, ...]


class Sender:
    """Carries deliveries. Several may run: a delivery is leased to one at a time."""

    def __init__(
        self,
        database: Database,
        signatures: Signatures,
        *,
        sandbox: bool = False,
        resolve: Resolve = addresses.look_up,
        clock: Callable[[], datetime] = now,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database, self._signatures = database, signatures
        self._sandbox, self._resolve, self._clock, self._jitter = sandbox, resolve, clock, jitter
        self._callers = ThreadPoolExecutor(CALLERS, thread_name_prefix="webhook")
        self._calls: dict[Future[Outcome], Job] = {}

    def step(self) -> int:
        """Write down what became of the calls that have ended, and begin others; how many of both."""
        ended = [one for one in self._calls if one.done()]
        for one in ended:
            self._record(self._calls[one], one.result())  # raises without the database: then again at the next step
            del self._calls[one]
        jobs = self._take(CALLERS - len(self._calls))
        for job in jobs:
            self._calls[self._callers.submit(self._call, job)] = job
        return len(ended) + len(jobs)

    def finish(self) -> None:
        """Step until every call that is due has been made and written down."""
        while self.step() or self._calls:
            wait(self._calls)

    def close(self) -> None:
        """Wait for the calls under way and write down what became of them."""
        wait(self._calls)
        for one, job in self._calls.items():
            self._record(job, one.result())
        self._calls.clear()
        self._callers.shutdown()

    def _call(self, job: Job) -> Outcome:
        """One call. Never raises: nothing that an address does may stop the others."""
        try:
            return self._called(job)
        except NotCallable as error:
            return Outcome(None, str(error))
        except Exception as error:
            log.warning("a call failed in a way nobody foresaw", webhook=job.webhook_id, error=type(error).__name__)
            return Outcome(None, "the call failed")

    def _called(self, job: Job) -> Outcome:
        one = addresses.target(job.url, sandbox=self._sandbox)
        headers = {"content-type": "application/json", "user-agent": "psip-webhooks/1"}
        headers |= self._signatures.headers(
            job.webhook_id, job.secrets, event_id=job.event_id, at=int(self._clock().timestamp()), body=job.body
        )
        return call(one, headers, job.body, resolve=self._resolve, sandbox=self._sandbox)

    def _take(self, most: int) -> list[Job]:
        under_way = Counter(job.webhook_id for job in self._calls.values())
        called = {"called": list(under_way), "calls": list(under_way.values())}
        instant = self._clock()
        with self._database.session() as session:
            ids = list(session.scalars(_DUE, {"now": instant, **called, "each": CALLERS_OF_ONE, "most": most}))
            if not ids:
                return []
            return list(_leased(session, ids, instant))

    def _record(self, job: Job, outcome: Outcome) -> None:
        """In one transaction: what became of the delivery, and what that says of the webhook."""
        with self._database.session() as session:
            webhook = session.get(Webhook, job.webhook_id, with_for_update=True)
            delivery = session.get(Delivery, job.id, with_for_update=True)
            if webhook is None or delivery is None:
                return  # it was deleted meanwhile
            instant = self._clock()
            delivery.attempts += 1
            delivery.tried_at, delivery.leased_until = instant, None
            delivery.status, delivery.reason = outcome.status, outcome.reason
            if outcome.delivered:
                delivery.state = "delivered"
                webhook.succeeded_at, webhook.failing_since, webhook.held_until = instant, None, None
            else:
                self._fail(webhook, delivery, outcome, instant)

    def _fail(self, webhook: Webhook, delivery: Delivery, outcome: Outcome, instant: datetime) -> None:
        webhook.failing_since = webhook.failing_since or instant
        if delivery.attempts <= len(PAUSES):
            delivery.due_at = instant + PAUSES[delivery.attempts - 1] * (1 + JITTER * self._jitter())
            if outcome.status is None:
                webhook.held_until = delivery.due_at
        else:
            delivery.state = "parked"
            log.warning("webhook delivery parked", webhook=webhook.id, attempts=delivery.attempts)
        if outcome.status == GONE:
            _disable(webhook, instant, "it answered 410 Gone")
        elif delivery.state == "parked" and webhook.failing_since <= instant - GIVEN_UP:
            _disable(webhook, instant, f"nothing could be delivered since {webhook.failing_since:%Y-%m-%d %H:%M} UTC")


# A first call for each webhook before a second for any: however much waits for some, the others have their turn.
_DUE = text(
    """
    select delivery.id from delivery
    where delivery.id in (
        select due.id from webhook
        join client on client.client_id = webhook.client_id and client.revoked_at is null
        left join unnest(cast(:called as text[]), cast(:calls as int[])) as under_way(webhook_id, calls)
          on under_way.webhook_id = webhook.id
        cross join lateral (
            select d.id, d.due_at, coalesce(calls, 0) + row_number() over (order by d.due_at) as turn from delivery d
            where d.webhook_id = webhook.id and d.state = 'waiting' and d.due_at <= :now
              and (d.leased_until is null or d.leased_until <= :now)
            order by d.due_at limit greatest(:each - coalesce(calls, 0), 0)
        ) due
        where webhook.disabled_at is null and (webhook.held_until is null or webhook.held_until <= :now)
        order by due.turn, due.due_at limit :most
    )
    for update of delivery skip locked
    """
)


def _leased(session: Session, ids: list[int], instant: datetime) -> Iterator[Job]:
    rows = session.execute(
        select(Delivery, Webhook).join(Webhook, Webhook.id == Delivery.webhook_id).where(Delivery.id.in_(ids))
    )
    for delivery, webhook in rows:
        delivery.leased_until = instant + LEASE
        until = webhook.earlier_secret_until
        earlier = (webhook.secret_number - 1,) if until is not None and until > instant else ()
        yield Job(
            delivery.id,
            webhook.id,
            webhook.url,
            delivery.event_id,
            body_of(delivery),
            (webhook.secret_number, *earlier),
        )


def body_of(one: Delivery) -> bytes:
    """What is sent; the same bytes at every attempt."""
    whole = {"type": one.event, "timestamp": one.at, "data": one.data}
    return orjson.dumps(whole | ({} if one.position is None else {"cursor": str(one.position)}))


def _disable(webhook: Webhook, instant: datetime, because: str) -> None:
    webhook.disabled_at, webhook.disabled_because = instant, because
    log.warning("webhook disabled", webhook=webhook.id, because=because)

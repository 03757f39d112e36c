"""Applying returns: the newest whole version of each return becomes current, and its figures are recomputed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from services.measures.commands.cells import recompute
from services.measures.commands.stretches import Touched
from shared.contracts.ingest import QuarantineSettled, ReturnPublished, SubmissionCompleted
from shared.contracts.periods import Period
from shared.db import driver, now

_VERSION = (
    "id", "feed", "organisation", "period", "start", "end", "sequence", "version", "submission_id", "kind", "status",
    "row_count", "received_at", "parts",
)  # fmt: skip
_VERSION_TYPES = (
    "%b::text[], %b::text[], %b::text[], %b::text[], %b::date[], %b::date[], %b::int[], %b::int[], %b::text[], "
    "%b::text[], %b::text[], %b::int[], %b::timestamptz[], %b::int[]"
)
_BYTES_AT_ONCE = 1_000_000


class _Adopted(NamedTuple):
    """A version that becomes current, in place of the one `before` it, if any."""

    id: str
    feed: str
    organisation: str
    period: str
    submission: str
    before: str | None


def apply_returns(session: Session, events: Sequence[ReturnPublished]) -> None:
    """Keep what came; make current what is whole and newer than what was; recompute exactly what that touches."""
    make_current(session, events)


def make_current(session: Session, events: Sequence[ReturnPublished]) -> int | None:
    """The same; the data version that it made, None where nothing was new."""
    _keep(session, events)
    adopted = _adopt(session, sorted({_key(event) for event in events}))
    _no_longer_quarantined(session, adopted)
    return recompute(
        session, [Touched(one.feed, one.organisation, Period.parse(one.period), one.submission) for one in adopted]
    )


def note_quarantined(session: Session, events: Sequence[SubmissionCompleted]) -> None:
    """Note the returns that were sent and of which nothing stands, unless a version came in the meantime."""
    told = [(event.feed, *_place(one), event.completed_at, event.id) for event in events for one in event.quarantined]
    if told:
        driver(session).execute(
            """
            insert into quarantined_return (feed, organisation, period, submission_id, recorded_at)
            select feed, organisation, period, submission, max(at)
            from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
                 as told(feed, organisation, period, at, submission)
            where not exists (
                select 1 from return_version stands where stands.feed = told.feed
                   and stands.organisation = told.organisation and stands.period = told.period
                   and stands.applied_at is not null and stands.replaced_at is null
            )
            group by feed, organisation, period, submission on conflict do nothing
            """,
            tuple(map(list, zip(*told, strict=True))),
        )


def settle_quarantined(session: Session, events: Sequence[QuarantineSettled]) -> None:
    """Of these returns no row of the submission waits any more; that of another submission may."""
    told = [(event.id, event.settled_at, *_place(one)) for event in events for one in event.returns]
    if told:
        driver(session).execute(
            """
            update quarantined_return waited set superseded_at = told.at
            from unnest(%s::text[], %s::timestamptz[], %s::text[], %s::text[])
                 as told(submission, at, organisation, period)
            where waited.submission_id = told.submission and waited.organisation = told.organisation
              and waited.period = told.period and superseded_at is null
            """,
            tuple(map(list, zip(*told, strict=True))),
        )


def _place(told: dict[str, Any]) -> tuple[str, str]:
    return told["organisation"], told["period"]


def _no_longer_quarantined(session: Session, adopted: Sequence[_Adopted]) -> None:
    driver(session).execute(
        """
        update quarantined_return set superseded_at = now()
        from unnest(%b::text[], %b::text[], %b::text[]) as came(feed, organisation, period)
        where quarantined_return.feed = came.feed and quarantined_return.organisation = came.organisation
          and quarantined_return.period = came.period and superseded_at is null
        """,
        ([one.feed for one in adopted], [one.organisation for one in adopted], [one.period for one in adopted]),
    )


def _keep(session: Session, events: Sequence[ReturnPublished]) -> None:
    columns = ", ".join(f'"{name}"' for name in _VERSION)
    versions = {_key(event): _version_row(event) for event in events}
    driver(session).execute(
        f"insert into return_version ({columns}) select * from unnest({_VERSION_TYPES}) on conflict do nothing",  # noqa: S608 - our names
        tuple(map(list, zip(*versions.values(), strict=True))),
    )
    for some in _slices(events):
        driver(session).execute(
            "insert into return_part select * from unnest(%b::text[], %b::int[], %b::text[], %b::bytea[])"
            " on conflict do nothing",
            tuple(map(list, zip(*((_key(one), one.part, one.content_type, one.rows) for one in some), strict=True))),
        )


def _slices(events: Iterable[ReturnPublished]) -> Iterator[list[ReturnPublished]]:
    """The events, as many at a time as the connection takes without keeping a large buffer ever after."""
    some: list[ReturnPublished] = []
    size = 0
    for one in events:
        if some and size + len(one.rows) > _BYTES_AT_ONCE:
            yield some
            some, size = [], 0
        some.append(one)
        size += len(one.rows)
    yield some


def _key(event: ReturnPublished) -> str:
    """A version that becomes current again after a withdrawal is a new entry here: it stands from another instant."""
    return f"{event.version_id}#{event.sequence}"


def _version_row(event: ReturnPublished) -> tuple[Any, ...]:
    period = Period.parse(event.period)
    return (
        _key(event), event.feed, event.organisation, event.period, period.start, period.end, event.sequence,
        event.version, event.submission_id, event.kind, event.status, event.row_count, event.received_at, event.parts,
    )  # fmt: skip


_NEWEST = """
    select newest.id, newest.feed, newest.organisation, newest.period, newest.submission_id, stands.id as before
    from (
        select distinct on (feed, organisation, period) id, feed, organisation, period, submission_id, sequence
        from return_version incoming
        where id = any(%b) and applied_at is null
          and parts = (select count(*) from return_part where version_id = incoming.id)
        order by feed, organisation, period, sequence desc
    ) as newest
    left join lateral (
        select id, sequence from return_version
        where feed = newest.feed and organisation = newest.organisation and period = newest.period
          and replaced_at is null and applied_at is not null
        offset 0  -- found by the index, whatever is believed of how much the table holds
    ) as stands on true
    where stands.sequence is null or stands.sequence < newest.sequence
"""


def _adopt(session: Session, ids: list[str]) -> Sequence[_Adopted]:
    """Make current the newest whole version of each return that came; the versions that became current."""
    cursor, instant = driver(session).cursor(), now()
    adopted = [_Adopted(*row) for row in cursor.execute(_NEWEST, (ids,))]
    replaced = [one.before for one in adopted if one.before is not None]
    if replaced:
        cursor.execute("update return_version set replaced_at = %s where id = any(%b)", (instant, replaced))
    if adopted:
        current = [one.id for one in adopted]
        cursor.execute("update return_version set applied_at = %s where id = any(%b)", (instant, current))
    return adopted

"""Landing rows: what was accepted becomes new versions of returns, in the transaction of its submission.

The returns a submission touches are locked first, in order, so that two submissions for one return follow each other.
A return whose rows, kind and status are what they were gets no new version: the same content twice is no news.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
from sqlalchemy.orm import Session

from services.ingest.commands.sorting import PLACE, Pack, Place, Sorter
from services.ingest.models import Submission
from services.ingest.queries.stored import place_of_rows
from services.ingest.rules import merging, rows
from services.ingest.rules.blocks import LINE
from services.ingest.rules.faults import OLDER_EXTRACT, faults, no_faults
from services.ingest.rules.feeds import Feed, Mode
from services.ingest.rules.places import ORGANISATION, PERIOD
from shared.contracts.ingest import ReturnPublished
from shared.db import copy_rows, driver
from shared.messaging.outbox import new_id, publish

_VERSION = {
    "id": "text", "feed": "text", "feed_version": "text", "organisation": "text", "period": "text", "version": "int4",
    "submission_id": "text", "kind": "text", "status": "text", "row_count": "int4", "extracted_at": "timestamptz",
    "received_at": "timestamptz",
}  # fmt: skip
_PART = {"version_id": "text", "part": "int4", "content_type": "text", "rows": "bytea"}
LONDON = ZoneInfo("Europe/London")


@dataclass(frozen=True, slots=True)
class Landing:
    """What lands, for whom and how: the same for every return of a submission."""

    submission_id: str
    feed: Feed
    mode: Mode
    final: bool
    received_at: datetime
    dry_run: bool = False


@dataclass(slots=True)
class Effect:
    """What landing did, in records; `stale` rows were refused because a newer extract had come before."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    stale: int = 0
    returns: list[tuple[str, str]] = field(default_factory=list)
    faults: pl.DataFrame = field(default_factory=no_faults)
    differences: list[dict[str, Any]] = field(default_factory=list)
    """How each return differs now; only of a dry run."""
    measures: set[str] = field(default_factory=set)
    """The measures of rows that changed; only of a dry run."""


def account(submission: Submission, effect: Effect) -> None:
    """Add to a receipt what rows of it did that landed later than the others."""
    submission.unchanged += effect.unchanged
    submission.added += effect.added
    submission.changed += effect.changed
    submission.removed += effect.removed
    submission.returns_total += len(effect.returns)
    submission.organisations = sorted({*submission.organisations, *(one for one, _ in effect.returns)})


class _Standing(NamedTuple):
    """How a return stood before this submission."""

    sequence: int
    versions: int
    current_id: str | None
    kind: str | None
    status: str | None
    extracted_at: datetime | None
    rows: int | None


class _Version(NamedTuple):
    """A version to be written: its rows are packed in `parts`."""

    organisation: str
    period: str
    kind: str
    status: str
    row_count: int
    extracted_at: datetime | None
    content_type: str
    parts: list[bytes]


def land(session: Session, sorter: Sorter, landing: Landing) -> Effect:
    """Make new versions of the returns that the sorter's rows are for."""
    places = sorter.returns()
    standing = _locked(session, landing.feed.id, places)
    effect = Effect()
    for bucket in sorter.buckets():
        new = {place: packs for place, packs in bucket.packs.items() if _is_new(standing[place], landing)}
        unpacked = [one.rows(place) for place, packs in bucket.packs.items() if place not in new for one in packs]
        rows_met = pl.concat([bucket.rows, *unpacked], how="diagonal")
        versions = _land_bucket(session, rows_met, sorter.schema, landing, standing, effect) if rows_met.height else []
        versions += _made_of(new, landing, effect)
        _write(session, versions, landing, standing)
        effect.returns += [(one.organisation, one.period) for one in versions]
    return effect


def _is_new(before: _Standing, landing: Landing) -> bool:
    """Whether no row stands that those sent would meet. A dry run compares them all the same."""
    return before.current_id is None and not landing.dry_run


def _made_of(packed: Mapping[Place, list[Pack]], landing: Landing, effect: Effect) -> list[_Version]:
    """The first versions of returns, made of rows that are packed already."""
    versions = []
    for place, packs in packed.items():
        extracted = max((one.extracted for one in packs if one.extracted is not None), default=None)
        final = landing.final or all(one.final for one in packs)
        said = _Said.of(final, extracted)
        count = sum(one.height for one in packs)
        effect.added += count
        parts = [part for one in packs for part in one.parts()]
        versions.append(_version(place, "rows", said, (count, rows.PARQUET, parts)))
    return versions


def land_nil(session: Session, organisation: str, period: str, landing: Landing) -> Effect:
    """Make a nil return: a version that says there was nothing to report."""
    standing = _locked(session, landing.feed.id, [(organisation, period)])
    effect = Effect()
    status = "final" if landing.final else "provisional"
    if _is_news(standing[organisation, period], "nil", status):
        nil = _Version(organisation, period, "nil", status, 0, None, rows.JSON, [b"[]"])
        _write(session, [nil], landing, standing)
        effect.returns.append((organisation, period))
        _empty((organisation, period), standing[organisation, period], landing, effect)
    return effect


def _empty(place: Place, before: _Standing, landing: Landing, effect: Effect) -> None:
    """Count the records that a nil return takes the place of."""
    gone = before.rows or 0
    effect.removed += gone
    if landing.dry_run and gone:
        organisation, period = place
        told = {"before": gone, "after": 0, "added": 0, "changed": 0, "removed": gone}
        effect.differences.append({"organisation": organisation, "period": period, **told})


def _locked(session: Session, feed: str, places: Sequence[Place]) -> dict[Place, _Standing]:
    if not places:
        return {}
    organisations, periods = map(list, zip(*sorted(places), strict=True))
    cursor = driver(session).cursor()
    cursor.execute(
        """insert into "return" (feed, organisation, period, sequence, versions)
           select %s, organisation, period, 0, 0 from unnest(%s::text[], %s::text[]) as place(organisation, period)
           on conflict do nothing""",
        (feed, organisations, periods),
    )
    cursor.execute(
        """select r.organisation, r.period, r.sequence, r.versions, r.current_id, v.kind, v.status, v.extracted_at,
                  v.row_count
           from unnest(%s::text[], %s::text[]) as place(organisation, period)
           join "return" r on r.feed = %s and r.organisation = place.organisation and r.period = place.period
           left join return_version v on v.id = r.current_id
           order by r.organisation, r.period for update of r""",
        (organisations, periods, feed),
    )
    return {(organisation, period): _Standing(*more) for organisation, period, *more in cursor}


def _land_bucket(
    session: Session,
    bucket: pl.DataFrame,
    schema: Mapping[str, pl.DataType],
    landing: Landing,
    standing: Mapping[Place, _Standing],
    effect: Effect,
) -> list[_Version]:
    bucket = rows.with_columns_of(bucket, _needed(bucket, schema, landing.feed))
    said = _said(bucket, landing)
    stale = [place for place, one in said.items() if _is_stale(one, standing[place], landing)]
    if stale:
        bucket = _without_stale(bucket, stale, landing.feed, effect)
        said = {place: one for place, one in said.items() if place not in stale}
    nil = sorted(place for place, one in said.items() if one.nil)
    places = sorted(said.keys() - set(nil))
    told = bucket.join(_frame(nil), on=PLACE, how="anti") if nil else bucket
    current = _current_rows(session, landing.feed, places, standing)
    told = _with_what_stood(told, current, schema)
    merged = merging.merge(current, told, feed=landing.feed, mode=landing.mode)
    effect.added += merged.added
    effect.changed += merged.changed
    effect.removed += merged.removed
    effect.unchanged += merged.unchanged
    effect.stale += merged.stale
    if landing.dry_run:
        _foretell(merged, told, effect)
    _tell_stale(merged.stale_lines, landing.feed, effect)
    if landing.mode == "merge":  # of a return that rows join more is said than by these
        said |= _said(merged.rows, landing)
    news = [
        place for place in places if place in merged.altered or _is_news(standing[place], "rows", said[place].status)
    ]
    new = merged.rows if len(news) == len(places) else merged.rows.join(_frame(news), on=PLACE)
    said_of = {name: kind for name, kind in schema.items() if name != LINE}
    packed = {place: packs for place, *packs in rows.packed_by_return(new, said_of)}
    nothing = [0, rows.JSON, [b"[]"]]
    versions = [_version(place, "rows", said[place], packed.get(place, nothing)) for place in news]
    none = [place for place in nil if _is_news(standing[place], "nil", said[place].status)]
    effect.unchanged += bucket.join(_frame([place for place in nil if place not in none]), on=PLACE, how="semi").height
    for place in none:
        _empty(place, standing[place], landing, effect)
    return versions + [_version(place, "nil", said[place], nothing) for place in none]


def _needed(bucket: pl.DataFrame, schema: Mapping[str, pl.DataType], feed: Feed) -> dict[str, pl.DataType]:
    """The columns of a bucket, and those that decide what becomes of its rows."""
    named = {*feed.key, feed.extracted_at, feed.status_column, feed.nil_column, feed.action_column, "measure"}
    return {name: kind for name, kind in schema.items() if name in bucket.columns or name in named}


def _with_what_stood(
    told: pl.DataFrame, current: pl.DataFrame | None, schema: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """The rows with the columns too that hold something now and nothing in them: they are blanked."""
    if current is None:
        return told
    held = {name for name in current.columns if current[name].null_count() < current.height}
    wanted = {name: kind for name, kind in schema.items() if name in told.columns or name in held}
    return rows.with_columns_of(told, wanted)


def _foretell(merged: merging.Merged, told: pl.DataFrame, effect: Effect) -> None:
    differences = merged.differences()
    effect.differences += differences.rename({ORGANISATION: "organisation", PERIOD: "period"}).to_dicts()
    if "measure" in told.columns:
        altered = told.join(differences, on=PLACE, how="semi")
        effect.measures.update(altered["measure"].unique())


def _version(place: Place, kind: str, said: "_Said", packed: Sequence[Any]) -> _Version:
    (organisation, period), (count, content_type, parts) = place, packed
    return _Version(organisation, period, kind, said.status, count, said.extracted_at, content_type, parts)


def _frame(places: Sequence[tuple[str, ...]]) -> pl.DataFrame:
    return pl.DataFrame(places, schema=dict.fromkeys(PLACE, pl.String), orient="row")


def _is_news(before: _Standing, kind: str, status: str) -> bool:
    """Whether a version of this kind and status says more than the current one. Final is never taken back."""
    return before.kind != kind or (before.status == "provisional" and status == "final")


def _is_stale(said: "_Said", before: _Standing, landing: Landing) -> bool:
    """Whether a return's extract is older than the one it holds.

    So it is of feeds that replace their returns, also for rows that join one later. Where records are merged, each is
    as old as its own extract.
    """
    if "replace" not in (landing.mode, landing.feed.mode) or said.extracted_at is None:
        return False
    return before.extracted_at is not None and said.extracted_at < before.extracted_at


def _without_stale(bucket: pl.DataFrame, stale: Sequence[Place], feed: Feed, effect: Effect) -> pl.DataFrame:
    """The rows but for those of stale returns, which are faults."""
    old = _frame(stale)
    lines = bucket.join(old, on=PLACE, how="semi")[LINE]
    effect.stale += len(lines)
    _tell_stale(lines, feed, effect)
    return bucket.join(old, on=PLACE, how="anti")


def _tell_stale(lines: pl.Series, feed: Feed, effect: Effect) -> None:
    if len(lines):
        expected = "an extract newer than the one held"
        told = faults(lines, OLDER_EXTRACT, column=feed.extracted_at, expected=expected)
        effect.faults = pl.concat([effect.faults, told])


class _Said(NamedTuple):
    """What the rows of a return say of it: whether it is final, when it was extracted, whether there is nothing."""

    status: str
    extracted_at: datetime | None
    nil: bool = False

    @classmethod
    def of(cls, final: bool, extracted: datetime | None, nil: bool = False) -> "_Said":
        return cls("final" if final else "provisional", extracted and _instant(extracted), nil)


def _said(bucket: pl.DataFrame, landing: Landing) -> dict[Place, _Said]:
    """What is said of each return."""

    def column(name: str | None, otherwise: object) -> pl.Expr:
        return pl.col(name) if name is not None and name in bucket.columns else pl.lit(otherwise)

    feed = landing.feed
    final = (column(feed.status_column, "") == "final").fill_null(value=False).all()
    extracted = column(feed.extracted_at, None).max()
    nil = column(feed.nil_column, False).fill_null(value=False).all()
    said = bucket.group_by(PLACE).agg(final.alias("_final"), extracted.alias("_extracted"), nil.alias("_nil"))
    return {
        (organisation, period): _Said.of(landing.final or is_final, when, is_nil)
        for organisation, period, is_final, when, is_nil in said.iter_rows()
    }


def _instant(wall_clock: datetime) -> datetime:
    """The instant that a wall clock in London showed (the earlier one in the hour that comes twice)."""
    return wall_clock.replace(tzinfo=LONDON).astimezone(UTC)


def _current_rows(
    session: Session, feed: Feed, told: Iterable[Place], standing: Mapping[Place, _Standing]
) -> pl.DataFrame | None:
    """The rows of the current versions of the returns that are told of, each with its place."""
    places = {
        before.current_id: place
        for place in told
        if (before := standing[place]).current_id is not None and before.kind == "rows"
    }
    if not places:
        return None
    cursor = driver(session).execute(
        "select version_id, content_type, rows from return_part where version_id = any(%s) order by version_id, part",
        (list(places),),
        binary=True,
    )
    found = [(places[version], content_type, bytes(body)) for version, content_type, body in cursor]
    return rows.unpacked_with_places(found, feed)


def _write(
    session: Session,
    versions: Iterable[_Version],
    landing: Landing,
    standing: Mapping[Place, _Standing],
) -> None:
    numbered = [(new_id(), one, standing[one.organisation, one.period]) for one in versions]
    if not numbered:
        return
    feed, version = landing.feed.id, landing.feed.version
    copy_rows(
        session, "return_version", _VERSION,
        (
            (
                identity, feed, version, one.organisation, one.period, before.versions + 1, landing.submission_id,
                one.kind, one.status, one.row_count, one.extracted_at, landing.received_at,
            )
            for identity, one, before in numbered
        ),
    )  # fmt: skip
    parts = (
        (identity, number, one.content_type, part)
        for identity, one, _ in numbered
        for number, part in enumerate(one.parts, start=1)
    )
    copy_rows(session, "return_part", _PART, parts)
    driver(session).execute(
        """update "return" r set sequence = r.sequence + 1, versions = r.versions + 1, current_id = new.id
           from unnest(%s::text[], %s::text[], %s::text[]) as new(id, organisation, period)
           where r.feed = %s and r.organisation = new.organisation and r.period = new.period""",
        (
            [identity for identity, *_ in numbered],
            [one.organisation for _, one, _ in numbered],
            [one.period for _, one, _ in numbered],
            feed,
        ),
    )
    publish(session, _events(numbered, landing), source="ingest", stored=place_of_rows)


def _events(numbered: Iterable[tuple[str, _Version, _Standing]], landing: Landing) -> Iterator[ReturnPublished]:
    for identity, one, before in numbered:
        common: dict[str, Any] = {
            "feed": landing.feed.id,
            "feed_version": landing.feed.version,
            "organisation": one.organisation,
            "period": one.period,
            "sequence": before.sequence + 1,
            "version": before.versions + 1,
            "version_id": identity,
            "submission_id": landing.submission_id,
            "kind": one.kind,
            "status": one.status,
            "row_count": one.row_count,
            "received_at": landing.received_at,
            "extracted_at": one.extracted_at,
            "parts": len(one.parts),
            "content_type": one.content_type,
        }
        for number, part in enumerate(one.parts, start=1):
            yield ReturnPublished(**common, part=number, rows=part)

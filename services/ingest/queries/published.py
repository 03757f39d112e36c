"""Versions of returns as they are published."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ingest.models import Return, ReturnPart, ReturnVersion
from shared.contracts.ingest import ReturnPublished


def published(session: Session, one: Return, version: ReturnVersion) -> list[ReturnPublished]:
    """What is published when a version of a return becomes current: an event for each of its parts."""
    parts = session.scalars(select(ReturnPart).where(ReturnPart.version_id == version.id).order_by(ReturnPart.part))
    found = parts.all()
    return [
        told(one, version, kind=version.kind, parts=len(found), part=each.part, content_type=each.content_type,
             body=each.rows)
        for each in found
    ]  # fmt: skip


def made_by(session: Session, submission_id: str, *, most: int) -> list[ReturnPublished]:
    """What is published of the returns that a submission made new versions of; one of `most` returns more at most."""
    made = session.execute(
        select(Return, ReturnVersion)
        .join(ReturnVersion, ReturnVersion.id == Return.current_id)
        .where(ReturnVersion.submission_id == submission_id)
        .order_by(Return.organisation, Return.period)
        .limit(most + 1)
    )
    return [event for one, version in made for event in published(session, one, version)]


def told(
    one: Return, version: ReturnVersion, *, kind: str, parts: int, part: int, content_type: str, body: bytes
) -> ReturnPublished:
    """One event about a version of a return."""
    return ReturnPublished(
        feed=one.feed,
        feed_version=version.feed_version,
        organisation=one.organisation,
        period=one.period,
        sequence=one.sequence,
        version=version.version,
        version_id=version.id,
        submission_id=version.submission_id,
        kind=kind,  # type: ignore[arg-type]
        status=version.status,  # type: ignore[arg-type]
        row_count=0 if kind == "withdrawn" else version.row_count,
        received_at=version.received_at,
        extracted_at=version.extracted_at,
        part=part,
        parts=parts,
        content_type=content_type,
        rows=body,
    )

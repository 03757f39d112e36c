"""Feeds over HTTP: what to send, said for programs, for spreadsheets and for people."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.orm import Session as OrmSession

from services.programmes import queries, schemas
from services.programmes.api.asking import KnownAt, MayRead, answer_page, last_id
from services.programmes.models import Feed
from services.programmes.problems import UnknownFeed
from services.programmes.rules.feed_documents import csv_template, row_schema, table_schema
from services.programmes.rules.feed_guide import html_guide
from services.programmes.rules.feed_workbook import xlsx_template
from shared.caching import answer_with_etag
from shared.db import Session
from shared.media import CSV, XLSX, sent_as
from shared.paging import Cursor, Limit
from shared.problems import problems
from shared.tables import CSV_TEXT, stands_on

router = APIRouter(prefix="/v1/feeds", tags=["feeds"], responses=problems(UnknownFeed))
FeedId = Annotated[str, Path(description="The feed's id, such as births.")]


@router.get("", response_model=schemas.Feeds)
def list_feeds(
    request: Request,
    _: MayRead,
    session: Session,
    known_at: KnownAt = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The feeds that can be sent."""
    rows = queries.feeds.listed(session, after=last_id(cursor), limit=limit, known_at=known_at)
    stamp = queries.stamp(session, Feed.__tablename__, known_at=known_at)
    return answer_page(request, rows, limit=limit, key=lambda row: [row["id"]], stamp=stamp)


@router.get("/{feed}", response_model=schemas.FeedShown)
def get_feed(request: Request, feed: FeedId, _: MayRead, session: Session, known_at: KnownAt = None) -> Response:
    """One feed: its fields, rules, code lists, window and mode."""
    return answer_with_etag(request, queries.feeds.one(session, feed, known_at=known_at))


@router.get("/{feed}/schema", response_class=Response, responses=sent_as("application/schema+json"))
def get_feed_schema(request: Request, feed: FeedId, _: MayRead, session: Session) -> Response:
    """JSON Schema of one row."""
    shape = row_schema(queries.feeds.spec(session, feed))
    return answer_with_etag(request, shape, media_type="application/schema+json", headers=_stands_on(session, feed))


@router.get("/{feed}/table-schema")
def get_feed_table_schema(request: Request, feed: FeedId, _: MayRead, session: Session) -> Response:
    """Frictionless Table Schema of the CSV form."""
    return answer_with_etag(request, table_schema(queries.feeds.spec(session, feed)), headers=_stands_on(session, feed))


@router.get("/{feed}/template.csv", response_class=Response, responses=sent_as(CSV))
def get_feed_csv_template(request: Request, feed: FeedId, _: MayRead, session: Session) -> Response:
    """A CSV file to fill in."""
    content = csv_template(queries.feeds.spec(session, feed)).encode()
    return answer_with_etag(request, content, media_type=CSV_TEXT, headers=_file(session, feed, "csv"))


@router.get("/{feed}/template.xlsx", response_class=Response, responses=sent_as(XLSX))
def get_feed_xlsx_template(request: Request, feed: FeedId, _: MayRead, session: Session) -> Response:
    """A workbook to fill in, with lists to choose from."""
    content = xlsx_template(queries.feeds.spec(session, feed))
    return answer_with_etag(request, content, media_type=XLSX, headers=_file(session, feed, "xlsx"))


@router.get("/{feed}/guide", response_class=Response, responses=sent_as("text/html"))
def get_feed_guide(request: Request, feed: FeedId, _: MayRead, session: Session) -> Response:
    """The feed explained for people, as a page."""
    content = html_guide(queries.feeds.spec(session, feed)).encode()
    headers = _stands_on(session, feed)
    return answer_with_etag(request, content, media_type="text/html; charset=utf-8", headers=headers)


def _stands_on(session: OrmSession, feed: str) -> dict[str, str]:
    return stands_on(queries.stamp(session, Feed.__tablename__, feed))


def _file(session: OrmSession, feed: str, ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{feed}.{ending}"'} | _stands_on(session, feed)

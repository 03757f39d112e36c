"""The audit over HTTP; it can only be read."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from services.programmes import queries, schemas
from services.programmes.api.asking import Reading, answer_page
from shared.db import Session
from shared.instants import Instant
from shared.paging import Cursor, Limit, decode
from shared.problems import InvalidRequest

router = APIRouter(prefix="/v1/changes", tags=["changes"])


@router.get("", response_model=schemas.Changes)
def list_changes(
    request: Request,
    caller: Reading,
    session: Session,
    kind: Annotated[str | None, Query(description="programme, measure, target, feed, organisation, ...")] = None,
    subject: Annotated[str | None, Query(description="Only changes of the thing with this id or code.")] = None,
    who: Annotated[str | None, Query(description="Only changes by this client.")] = None,
    action: Annotated[str | None, Query(description="registered, revised, retired, drafted, accepted, ...")] = None,
    since: Annotated[Instant | None, Query(description="At or after this instant.")] = None,
    until: Annotated[Instant | None, Query(description="Before this instant.")] = None,
    order: Annotated[Literal["oldest", "newest"], Query(description="Which comes first.")] = "oldest",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Who changed what, when and why, with what it was before and after. A line is never altered or taken away."""
    after = _position(cursor)
    rows = queries.changes.listed(
        session, caller, after=after, limit=limit, since=since, until=until,
        newest_first=order == "newest", kind=kind, subject=subject, who=who, action=action,
    )  # fmt: skip
    return answer_page(request, rows, limit=limit, key=lambda row: [row["position"]], stamp=queries.stamp(session))


def _position(cursor: str | None) -> int | None:
    """The position a cursor continues after. Raises InvalidRequest for a cursor of another list."""
    key = decode(cursor, parts=1)
    if key is None:
        return None
    if not isinstance(key[0], int):
        message = "this cursor was not given by this list: start again without one"
        raise InvalidRequest(message, errors=[{"parameter": "cursor", "message": message}])
    return key[0]

"""Keyset paging: a cursor names the last item seen, so that a page is as quick at the end of a list as at its start."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

import orjson
from fastapi import Query, Request, Response

from shared.problems import InvalidRequest

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="How many items a page holds.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before; leave out for the first.")]


def encode(key: Sequence[Any]) -> str:
    """The cursor that continues after the item with this key."""
    return base64.urlsafe_b64encode(orjson.dumps(list(key))).decode().rstrip("=")


def decode(cursor: str | None, *, parts: int | Sequence[type]) -> list[Any] | None:
    """The key in a cursor, or None for the first page. Raises InvalidRequest for one that was not ours.

    `parts` are the types of the key's parts, `(str, int)`; a mere number of parts lets each be a text or a number.
    """
    kinds = [str | int] * parts if isinstance(parts, int) else parts
    if cursor is None:
        return None
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or len(key) != len(kinds) or not all(map(_is, key, kinds)):
        message = "this cursor was not given by this list: start again without one"
        raise InvalidRequest(message, errors=[{"parameter": "cursor", "message": message}])
    return key


def _is(part: Any, kind: Any) -> bool:
    return isinstance(part, kind) and not isinstance(part, bool) and (not isinstance(part, str) or "\0" not in part)


def page(
    rows: Sequence[T], *, limit: int, key: Callable[[T], Sequence[Any]], request: Request, response: Response
) -> dict[str, Any]:
    """The page in `rows` (of which one more than `limit` was asked for) and its `Link` header."""
    items = list(rows[:limit])
    cursor = encode(key(items[-1])) if len(rows) > limit else None
    if cursor is not None:
        query = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"] + [("cursor", cursor)]
        response.headers["Link"] = f'<{quote(request.scope["path"])}?{urlencode(query)}>; rel="next"'
    return {"items": items, "next_cursor": cursor}

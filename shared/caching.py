"""ETags: an answer names its content: a caller who has it already is told so, a writer who has another is stopped."""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from shared.problems import Problem


class PreconditionFailed(Problem):
    """What is to be changed has changed since it was read."""

    status, slug = 412, "precondition-failed"


def etag(content: bytes) -> str:
    """The strong ETag of these bytes."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def answer_with_etag(
    request: Request,
    body: Any,
    *,
    status: int = 200,
    media_type: str = "application/json",
    headers: dict[str, str] | None = None,
    tag: str | None = None,
) -> Response:
    """The body (bytes as they are, anything else as JSON) with its ETag, or a 304 when the caller has it already.

    `tag` is given where not every byte is content, such as the age of a part.
    """
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    tag = tag or etag(content)
    fields = {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
    if request.method in ("GET", "HEAD") and names(request.headers.get("If-None-Match"), tag):
        return Response(status_code=304, headers=fields)
    return Response(content, status_code=status, media_type=media_type, headers=fields)


class Tagged(APIRoute):
    """A route whose good answers to GET have an ETag, and are not sent to a caller who has them already.

    For routes that answer with a model and not with `answer_with_etag`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, its answer tagged."""
        handle = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            answer = await handle(request)
            if request.method != "GET" or answer.status_code != 200 or isinstance(answer, StreamingResponse):
                return answer
            tag = etag(bytes(answer.body))
            answer.headers["ETag"] = tag
            answer.headers.setdefault("Cache-Control", "private, no-cache")
            if not names(request.headers.get("If-None-Match"), tag):
                return answer
            kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
            return Response(status_code=304, headers=kept)

        return tagged


def demand_match(request: Request, body: Any) -> None:
    """Let a change pass when it says no `If-Match`, or one that names what is there now (the body a GET would give).

    Raises PreconditionFailed, which carries the present ETag, when somebody else was quicker.
    """
    tag = etag(body if isinstance(body, bytes) else orjson.dumps(body))
    sent = request.headers.get("If-Match")
    if sent is not None and not names(sent, tag, weak=False):
        raise PreconditionFailed(
            "somebody else changed this after you read it: read it again and repeat your change", headers={"ETag": tag}
        )


def names(header: str | None, tag: str, *, weak: bool = True) -> bool:
    """Whether an `If-None-Match` (weak) or `If-Match` header names this tag."""
    if header is None:
        return False
    sent = [one.strip() for one in header.split(",")]
    return "*" in sent or tag in ([one.removeprefix("W/") for one in sent] if weak else sent)

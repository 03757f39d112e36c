"""Errors as RFC 9457 problem documents: one class a problem, its docstring the title, its slug the page about it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import exc
from starlette.exceptions import HTTPException

from shared import bodies
from shared.telemetry import said

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger()


class Problem(Exception):
    """Something the caller can read and act on. Subclass it; the first line of the docstring becomes the title.

    `detail` says what was wrong this time, `errors` points at each place (`pointer` or `parameter`, and `message`),
    `headers` are added to the answer.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "problem"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title())
        self.detail = detail or self.title()
        self.errors = list(errors)
        self.headers = dict(headers or {})

    @classmethod
    def title(cls) -> str:
        """The first line of the class's docstring."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


class Unauthenticated(Problem):
    """The request does not say who is asking."""

    status, slug = 401, "unauthenticated"


class Forbidden(Problem):
    """The caller may not do this."""

    status, slug = 403, "forbidden"


class NotFound(Problem):
    """There is nothing here that the caller may see."""

    status, slug = 404, "not-found"


class InvalidRequest(Problem):
    """Something in the request is wrong."""

    status, slug = 422, "invalid-request"


class Unavailable(Problem):
    """The service cannot answer just now; try again after the time given."""

    status, slug = 503, "unavailable"


class AnswerTooLate(Problem):
    """The service behind this address did not answer in time.

    A request that changes something may still be carried out: ask for its result, or send it again with the same
    `Idempotency-Key`.
    """

    status, slug = 504, "answer-too-late"


class Unexpected(Problem):
    """Something went wrong on our side; the request id finds it in the logs."""

    status, slug = 500, "unexpected"


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these problems."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        entry = answers.setdefault(kind.status, {"description": "", "content": {MEDIA_TYPE: {"examples": {}}}})
        entry["description"] = " / ".join(filter(None, [entry["description"], kind.title()]))
        entry["content"][MEDIA_TYPE]["schema"] = {"$ref": "#/components/schemas/Problem"}
        entry["content"][MEDIA_TYPE]["examples"][kind.slug] = {"value": document(kind(), request_id="01J9ZQ")}
    return answers


def document(problem: Problem, *, request_id: str | None) -> dict[str, Any]:
    """The problem as the JSON object of RFC 9457."""
    answer: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title(),
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.errors:
        answer["errors"] = problem.errors
    return answer


def answer(problem: Problem, *, request_id: str | None) -> Response:
    """The problem as an HTTP answer."""
    body = orjson.dumps(document(problem, request_id=request_id))
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers)


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document, the framework's and the database's own included.

    What nobody foresaw is left to the outermost middleware, which calls `unexpected`.
    """
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    for away in (exc.OperationalError, exc.TimeoutError, psycopg.OperationalError):
        app.add_exception_handler(away, _on_database_away)
    for unkeepable in (exc.DataError, psycopg.DataError, UnicodeEncodeError):
        app.add_exception_handler(unkeepable, _on_unkeepable)


def request_id(request: Request) -> str | None:
    """The id this request was given at the door."""
    return getattr(request.state, "request_id", None)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - the handler is registered for this class
    return answer(error, request_id=request_id(request))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    shape = getattr(getattr(request.scope.get("route"), "body_field", None), "field_info", None)
    errors = [_place(one, getattr(shape, "annotation", None)) for one in error.errors()]
    detail = "; ".join(f"{e.get('parameter') or e.get('pointer') or 'the body'}: {e['message']}" for e in errors[:3])
    return answer(InvalidRequest(detail, errors=errors), request_id=request_id(request))


def _place(error: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    where, *path = error["loc"]
    if error["type"] == "json_invalid":  # the path is how far it could be read
        return {"pointer": "", "message": f"is not JSON: {error['ctx']['error']} (at character {path[0]})"}
    if where == "body":
        steps, names = bodies.place(shape, path)
        unknown = error["type"] == "extra_forbidden" and names
        message = f"there is no such field; this takes: {', '.join(names)}" if unknown else error["msg"]
        return {"pointer": "".join("/" + step(one) for one in steps), "message": message}
    return {"parameter": ".".join(str(step) for step in path) or str(where), "message": error["msg"]}


def step(name: object) -> str:
    """A step of a JSON pointer (RFC 6901); a name may be anything a caller writes, half a surrogate pair included."""
    return str(name).replace("~", "~0").replace("/", "~1").encode(errors="replace").decode()


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework's word for a body that it cannot read as text
        detail = "the body cannot be read as what its Content-Type says"
        wrong = {"pointer": "", "message": "is not in UTF-8, or is nested too deeply"}
        return answer(InvalidRequest(detail, errors=[wrong]), request_id=request_id(request))
    known = {401: Unauthenticated, 403: Forbidden, 404: NotFound, 422: InvalidRequest, 503: Unavailable}
    problem = known.get(error.status_code, Problem)(str(error.detail), headers=error.headers)
    doc = document(problem, request_id=request_id(request))
    if error.status_code not in known:
        phrase = HTTPStatus(error.status_code).phrase
        doc |= {"status": error.status_code, "title": phrase, "type": f"/problems/{phrase.lower().replace(' ', '-')}"}
    return Response(orjson.dumps(doc), error.status_code, headers=problem.headers, media_type=MEDIA_TYPE)


async def _on_database_away(request: Request, error: Exception) -> Response:
    if isinstance(getattr(error, "orig", error), psycopg.errors.QueryCanceled):
        return answer(
            AnswerTooLate("it takes longer than it is waited for: ask for less"), request_id=request_id(request)
        )
    log.warning("database away", error=said(error))
    detail = "the database cannot be reached just now: try again; what was asked for may or may not have been done"
    return answer(Unavailable(detail, headers={"Retry-After": "2"}), request_id=request_id(request))


async def _on_unkeepable(request: Request, error: Exception) -> Response:
    log.warning("value cannot be kept", error=type(error).__name__)  # no more: the message may quote the value
    detail = "a value in the request cannot be kept: a number too large, a text too long, or a character that is none"
    return answer(InvalidRequest(detail), request_id=request_id(request))


def unexpected(error: Exception, *, request_id: str) -> Response:
    """The answer to an error nobody foresaw: it tells the caller nothing, and the log all that is safe."""
    log.error("unexpected error", error=type(error).__name__, exc_info=error)
    return answer(Unexpected(), request_id=request_id)

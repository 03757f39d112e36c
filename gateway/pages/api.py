"""Composites over HTTP."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from gateway.limits import too_many_cells
from gateway.pages import parts, schemas
from gateway.pages.fetching import Fetched, fetch
from gateway.pages.parts import Part
from gateway.problems import PartMissing, TooManyCells
from shared.caching import answer_with_etag, etag
from shared.principal import HEADER
from shared.problems import MEDIA_TYPE, AnswerTooLate, NotFound, problems

router = APIRouter(prefix="/v1/pages", tags=["Pages"])
Strict = Annotated[bool, Query(description="Answer with a 502 rather than without a part.")]
LATE = {
    "status": "late", "age": None, "etag": None, "data": None,
    "problem": {"type": "/problems/answer-too-late", "title": AnswerTooLate.title(), "status": 504},
}  # fmt: skip


def _ok(**data: Any) -> dict[str, Any]:
    return {"status": "ok", "age": 4.2, "etag": '"7c1f..."', "data": data, "problem": None}


def _answers(model: type[BaseModel], first: str, data: dict[str, Any], made_of: Sequence[Part]) -> dict[int | str, Any]:
    """The answers of a page in the reference, with an example of which one part is late."""
    held = {part.name: _ok(items=[], next_cursor=None) for part in made_of}
    stamp = {"as_of": "2026-10-13T09:00:00Z", "data_version": 4711}
    whole = {"complete": False, **stamp, "parts": held | {first: _ok(**data), "matrix": LATE}}
    page = {"model": model, "description": "The page.", "content": {"application/json": {"example": whole}}}
    return {200: page, **problems(NotFound, PartMissing, TooManyCells)}


@router.get(
    "/organisations/{code}",
    responses=_answers(schemas.OrganisationPage, "organisation", {"code": "RGT", "kind": "trust"}, parts.ORGANISATION),
)
async def get_organisation_page(
    request: Request,
    code: Annotated[str, Path(description="An organisation code, like RGT.", examples=["RGT"])],
    strict: Strict = False,
) -> Response:
    """All that the page of an organisation shows, each part with its own status, age and ETag."""
    return await _page(request, parts.ORGANISATION, code, strict=strict)


@router.get(
    "/programmes/{programme}",
    responses=_answers(schemas.ProgrammePage, "programme", {"id": "matneosip"}, parts.PROGRAMME),
)
async def get_programme_page(
    request: Request,
    programme: Annotated[str, Path(description="A programme id.", examples=["matneosip"])],
    strict: Strict = False,
) -> Response:
    """All that the page of a programme shows, each part with its own status, age and ETag."""
    return await _page(request, parts.PROGRAMME, programme, strict=strict)


async def _page(request: Request, made_of: Sequence[Part], name: str, *, strict: bool) -> Response:
    state = request.app.state
    limit, who = state.limits.cells, request.state.visitor.principal.client_id
    if (left := await limit.look(who)).wait:
        raise too_many_cells(left)
    found = await fetch(
        state.proxy, made_of, name=name, principal=request.headers[HEADER], seconds=state.settings.page_seconds
    )
    await limit.charge(who, sum(one.cells for one in found))
    named = {part.name: one for part, one in zip(made_of, found, strict=True)}
    essential = next(named[part.name] for part in made_of if part.essential)
    if essential.status != "ok":
        body = orjson.dumps(essential.problem)
        headers = {"Retry-After": essential.wait} if essential.wait else {}
        return Response(body, essential.told, media_type=MEDIA_TYPE, headers=headers)
    missing = [name for name, one in named.items() if one.missing]
    if strict and missing:
        errors = [{"pointer": f"/parts/{one}", "message": (named[one].problem or {})["title"]} for one in missing]
        raise PartMissing(f"missing: {', '.join(missing)}", errors=errors)
    return _answer(request, named, complete=not missing)


def _answer(request: Request, named: dict[str, Fetched], *, complete: bool) -> Response:
    """The page, whose ETag is made of those of its parts: a part's age alone does not change it."""
    held = {
        name: {"status": one.status, "age": one.age, "etag": one.etag, "data": one.data, "problem": one.problem}
        for name, one in named.items()
    }
    stands_on = orjson.dumps([(name, one.status, one.told, one.etag) for name, one in named.items()])
    told = {"complete": complete, **_newest(named.values()), "parts": held}
    return answer_with_etag(request, told, tag=etag(stands_on))


def _newest(parts: Iterable[Fetched]) -> dict[str, Any]:
    """What the page stands on: the newest of its parts, and a number that grows when any of theirs does."""
    stamps = [one.data for one in parts if isinstance(one.data, dict)]
    return {
        "as_of": max((one["as_of"] for one in stamps if one.get("as_of")), key=datetime.fromisoformat, default=None),
        "data_version": sum(one.get("data_version") or 0 for one in stamps),
    }

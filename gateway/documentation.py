"""What the platform says of itself: the reference, for people and for programs, and a page for every problem."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

import shared.contracts
from gateway.explorer import pages
from gateway.explorer.reference import reference
from gateway.openapi import Document, Documents, merged, operations
from gateway.routes import GATEWAY, TABLE
from gateway.settings import GatewaySettings
from shared.caching import Tagged
from shared.problems import MEDIA_TYPE, NotFound, Problem

VERSION = version("psip")
"""Of everything: the distribution, the reference, the events and the clients."""
ASYNCAPI = Path(shared.contracts.__file__).parent / "asyncapi.json"
router = APIRouter(tags=["Documentation"], route_class=Tagged)


@router.get("/", include_in_schema=False)
def show_start(request: Request) -> Response:
    """What this is and how to begin."""
    settings: GatewaySettings = request.app.state.settings
    return pages.landing(base_url=settings.issuer)


@router.get("/docs", include_in_schema=False)
async def show_reference(request: Request) -> Response:
    """The reference, for people."""
    return reference(await document(request))


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request) -> Response:
    """The reference, for programs."""
    return Response(orjson.dumps(await document(request)), media_type="application/json")


@router.get("/asyncapi.json", include_in_schema=False)
async def get_asyncapi() -> Response:
    """The events, for programs."""
    if not await run_in_threadpool(ASYNCAPI.exists):
        raise NotFound("the description of the events has not been generated")
    return Response(await run_in_threadpool(ASYNCAPI.read_bytes), media_type="application/json")


@router.get("/problems", include_in_schema=False)
async def list_problems(request: Request) -> Response:
    """Every problem there is."""
    known = await _problems(request)
    if _for_a_person(request):
        return pages.problems_page(known.values())
    return Response(orjson.dumps({"items": list(known.values())}), media_type="application/json")


@router.get("/problems/{slug}", include_in_schema=False)
async def show_problem(request: Request, slug: Annotated[str, PathParameter(pattern="^[a-z0-9-]+$")]) -> Response:
    """What one problem means and what to do about it."""
    problem = (await _problems(request)).get(slug)
    if problem is None:
        raise NotFound("there is no such problem; /problems lists those there are")
    if _for_a_person(request):
        return pages.problem_page(problem)
    return Response(orjson.dumps(problem), media_type="application/json")


async def document(request: Request) -> Document:
    """The one OpenAPI document, of this gateway and the services as they are now; nobody may change it.

    It is merged once, and then kept while they tell nothing new: that takes longer than all else anybody may ask.
    """
    state = request.app.state
    documents: Documents = state.documents
    settings: GatewaySettings = state.settings
    told = await documents.fetch()
    if state.merged is None or state.merged[0] is not told:
        described = {GATEWAY: request.app.openapi(), **told}
        state.merged = told, merged(described, TABLE, server=settings.issuer, version=VERSION, going=state.going)
    whole: Document = state.merged[1]
    return whole


async def _problems(request: Request) -> dict[str, dict[str, Any]]:
    """Every problem by slug: those known here with their explanation, those of the services from their examples."""
    known = dict(_of_examples(await document(request)))
    return known | {kind.slug: _described(kind) for kind in _kinds(Problem)}


def _of_examples(whole: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, _, operation in operations(whole):
        for answer in operation["responses"].values():
            for slug, example in answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}).items():
                yield slug, _shown(slug, example.get("value", {}))


def _shown(slug: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": f"/problems/{slug}",
        "title": value.get("title", slug),
        "status": value.get("status", 0),
        "explanation": None,
    }


def _described(kind: type[Problem]) -> dict[str, Any]:
    title, _, explanation = (kind.__doc__ or kind.__name__).strip().partition("\n")
    paragraphs = "\n".join(line.strip() for line in explanation.strip().splitlines())
    return {
        "type": f"/problems/{kind.slug}",
        "title": title,
        "status": kind.status,
        "explanation": paragraphs or None,
    }


def _kinds(kind: type[Problem]) -> Iterator[type[Problem]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


def _for_a_person(request: Request) -> bool:
    """Whether the caller would rather have HTML."""
    accept = request.headers.get("Accept", "")
    return "text/html" in accept or (
        "*/*" in accept and "json" not in accept and "Mozilla" in request.headers.get("User-Agent", "")
    )

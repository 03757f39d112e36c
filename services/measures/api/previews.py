"""What a draft definition would change."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from services.measures import commands, queries, schemas
from services.measures.problems import InvalidDefinition, NoDraft
from services.measures.queries.drafts import Drafts
from services.measures.rules.feeds import InvalidDefinition as CannotBeComputed
from shared.db import Session, now
from shared.principal import HEADER, Principal, Requires
from shared.problems import problems

router = APIRouter(tags=["Measures"])
MEASURE = r"^[A-Za-z0-9][A-Za-z0-9-]{0,99}$"
MayWrite = Annotated[Principal, Depends(Requires("programmes:write"))]


class Draft(BaseModel):
    """A definition as `POST /v1/measures` takes it."""

    model_config = ConfigDict(extra="allow")


def draft_of(
    request: Request,
    _: MayWrite,
    measure: Annotated[
        str, Path(alias="id", pattern=MEASURE, description="The measure the draft is of.", examples=["ch-falls"])
    ],
    draft: Annotated[
        Draft | None, Body(description="A definition; the draft that is being worked on if it is left out.")
    ] = None,
) -> dict[str, Any]:
    """The definition to preview: the one that was sent, or else the draft that the registry has."""
    drafts: Drafts = request.app.state.drafts
    said = drafts.of(measure, request.headers[HEADER]) if draft is None else draft.model_dump()
    return said | {"id": measure.lower()}


@router.post(
    "/v1/measures/{id}/preview", responses=problems(InvalidDefinition, NoDraft) | schemas.answers(schemas.Preview)
)
def preview_measure(
    caller: MayWrite,
    definition: Annotated[dict[str, Any], Depends(draft_of)],  # before the session: asking holds no connection
    session: Session,
) -> Response:
    """The figures a draft would give over the last 24 months and how they differ from the live version's."""
    sight = queries.organisations.sight(session, caller)
    try:
        answer = commands.preview(session, definition, sight, today=now().date())
    except CannotBeComputed as wrong:
        raise InvalidDefinition(str(wrong), errors=[{"pointer": wrong.pointer, "message": wrong.message}]) from wrong
    return Response(orjson.dumps(answer), media_type="application/json")

"""What a draft definition would change."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict

from services.measures import commands, queries, schemas
from services.measures.problems import InvalidDefinition
from services.measures.rules.feeds import InvalidDefinition as CannotBeComputed
from shared.db import Session, now
from shared.principal import Principal, Requires
from shared.problems import problems

router = APIRouter(tags=["Measures"])
MayWrite = Annotated[Principal, Depends(Requires("programmes:write"))]


class Draft(BaseModel):
    """A definition as `POST /v1/measures` takes it."""

    model_config = ConfigDict(extra="allow")


@router.post("/v1/measures/{id}/preview", responses=problems(InvalidDefinition) | schemas.answers(schemas.Preview))
def preview_measure(
    session: Session,
    caller: MayWrite,
    draft: Draft,
    measure: Annotated[str, Path(alias="id", description="The measure the draft is of.")],
) -> Response:
    """The figures a draft would give over the last 24 months and how they differ from the live version's."""
    definition: dict[str, Any] = draft.model_dump() | {"id": measure.lower()}
    sight = queries.organisations.sight(session, caller)
    try:
        answer = commands.preview(session, definition, sight, today=now().date())
    except CannotBeComputed as wrong:
        raise InvalidDefinition(str(wrong), errors=[{"pointer": wrong.pointer, "message": wrong.message}]) from wrong
    return Response(orjson.dumps(answer), media_type="application/json")

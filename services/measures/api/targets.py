"""Progress towards targets."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from services.measures import queries, schemas
from services.measures.api.parameters import AskedBy, MaybeOrganisation
from services.measures.problems import UnknownOrganisation, UnknownTarget
from shared.caching import answer_with_etag
from shared.db import Session
from shared.problems import problems

router = APIRouter(tags=["Measures"])


@router.get(
    "/v1/targets/{id}/progress",
    responses=problems(UnknownTarget, UnknownOrganisation) | schemas.answers(schemas.TargetProgress),
)
def get_progress(
    request: Request,
    session: Session,
    asked: AskedBy,
    target: Annotated[str, Path(alias="id", description="A target id.", examples=["preterm-2025"])],
    organisation: MaybeOrganisation = None,
) -> Response:
    """How a target stands where it was set, or at an organisation that inherits it, and whether it can be reached."""
    answer = queries.progress.progress(session, asked, target, organisation=organisation)
    return answer_with_etag(request, answer)

"""The checklist over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from gateway.conformance.checks import CHECKS, Ledger
from gateway.problems import OnlyInTheSandbox
from shared.caching import Tagged
from shared.principal import Principal, caller
from shared.problems import problems

router = APIRouter(tags=["Conformance"], route_class=Tagged)
EXAMPLE = {
    "client_id": "demo-trust",
    "ready": False,
    "checks": [
        {"check": "dry-run", "title": "Tries a file first: dry_run=true.", "met_at": "2026-10-13T09:00:00Z"},
        {"check": "receipt-read", "title": "Reads a receipt again.", "met_at": None},
    ],
}


class ConformanceCheck(BaseModel):
    """One thing that a client must have done in the sandbox."""

    check: str
    title: str
    met_at: datetime | None = Field(description="When it was last done; null if it has not been.")


class Conformance(BaseModel):
    """What this client has shown since the sandbox was started. `ready` is whether that is everything."""

    client_id: str
    ready: bool
    checks: list[ConformanceCheck]


@router.get(
    "/v1/conformance",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **problems(OnlyInTheSandbox)},
)
def get_conformance(request: Request, principal: Annotated[Principal, Depends(caller)]) -> Conformance:
    """The checklist of the calling client: what it has really done in the sandbox, and what it has yet to do."""
    ledger: Ledger | None = request.app.state.ledger
    if ledger is None:
        raise OnlyInTheSandbox("what clients do is watched in the sandbox only")
    met = ledger.of(principal.client_id).met
    checks = [
        ConformanceCheck(
            check=one.name,
            title=one.title,
            met_at=datetime.fromtimestamp(met[one.name], UTC) if one.name in met else None,
        )
        for one in CHECKS
    ]
    return Conformance(
        client_id=principal.client_id, ready=all(one.met_at is not None for one in checks), checks=checks
    )

"""What a page holds."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class PagePart(BaseModel):
    """One part of a page: its data, or the problem that the service told."""

    status: Literal["ok", "forbidden", "failed", "late"] = Field(
        description="`forbidden`: this client may not read it; `failed`: there was none; `late`: it took too long."
    )
    age: float | None = Field(description="Seconds since the data was true; null where it does not say.")
    etag: str | None = Field(description="The ETag of this part by itself.")
    data: Any = Field(description="As the address it comes from answers; null where there is none.")
    problem: dict[str, Any] | None = Field(description="Why there is none (RFC 9457).")


class OrganisationParts(BaseModel):
    """The parts of an organisation's page, each as the address in its description answers."""

    organisation: PagePart = Field(description="`GET /v1/organisations/{code}?around=true`")
    enrolments: PagePart = Field(description="`GET /v1/enrolments?organisation=`")
    annotations: PagePart = Field(description="`GET /v1/annotations?organisation=`")
    matrix: PagePart = Field(description="`GET /v1/matrix?organisation=`")
    signals: PagePart = Field(description="`GET /v1/signals?organisation=&state=detected`")
    returns: PagePart = Field(description="`GET /v1/returns?organisation=`")


class ProgrammeParts(BaseModel):
    """The parts of a programme's page, each as the address in its description answers."""

    programme: PagePart = Field(description="`GET /v1/programmes/{programme}`")
    driver_diagram: PagePart = Field(description="`GET /v1/programmes/{programme}/driver-diagram`")
    adoption: PagePart = Field(description="`GET /v1/programmes/{programme}/adoption`")
    measures: PagePart = Field(description="`GET /v1/measures?programme=`")
    targets: PagePart = Field(description="`GET /v1/targets?programme=`")
    matrix: PagePart = Field(description="`GET /v1/matrix?organisation=ENGLAND&programme=`")


class OrganisationPage(BaseModel):
    """All that the page of an organisation shows. `complete` is whether nothing is failed or late."""

    complete: bool
    as_of: datetime | None = Field(description="Of the newest part.")
    data_version: int = Field(description="Grows when that of a part does.")
    parts: OrganisationParts


class ProgrammePage(BaseModel):
    """All that the page of a programme shows. `complete` is whether nothing is failed or late."""

    complete: bool
    as_of: datetime | None = Field(description="Of the newest part.")
    data_version: int = Field(description="Grows when that of a part does.")
    parts: ProgrammeParts

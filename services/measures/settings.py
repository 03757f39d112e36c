"""What the measures service is told when it is built."""

from pydantic import Field

from shared.settings import ServiceSettings


class MeasuresSettings(ServiceSettings):
    """Settings of measures."""

    service: str = "measures"
    programmes_url: str | None = Field(
        default=None, description="Where the registry answers what a draft says; without it a preview is sent one."
    )
    answers_kept_mb: int = Field(default=0, ge=0, description="Room for answers that are kept; 0 keeps none.")

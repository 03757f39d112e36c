"""What the ingest service is told when it is built."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Settings of ingest. `pseudonym_key` makes pseudonyms of identifiers at the door; it never leaves the process."""

    service: str = "ingest"
    statement_seconds: int = Field(default=600, ge=1, description="As the gateway waits for a submission.")
    pseudonym_key: SecretStr
    pseudonym_key_version: str = "1"
    largest_body: int = Field(default=1_000_000_000, description="Bytes of a body, as sent, above which it is refused.")
    spool_in_memory: int = Field(
        default=8_000_000, description="Bytes of a body kept in memory before a temporary file."
    )
    large_body: int = Field(
        default=8_000_000, description="Bytes above which a body takes turns with other large ones."
    )
    large_at_once: int = Field(default=2, ge=1, description="Large bodies that are dealt with at once.")
    large_waiting: int = Field(default=8, ge=0, description="Large bodies that may wait for their turn.")
    rows_per_minute: int = Field(default=20_000_000, ge=1, description="Rows a client may have dealt with in a minute.")
    spare_room: int = Field(default=500_000_000, ge=0, description="Bytes kept free on the disks.")
    measures_url: str | None = Field(
        default=None, description="Where measures answers what a dry run would change; without it that is not told."
    )
    database_volume: Path | None = Field(
        default=None, description="A folder on the disk of the database, where this machine can see it."
    )

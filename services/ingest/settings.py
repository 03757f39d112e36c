"""What the ingest service is told when it is built."""

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Settings of ingest. `pseudonym_key` makes pseudonyms of identifiers at the door; it never leaves the process."""

    service: str = "ingest"
    pseudonym_key: SecretStr
    pseudonym_key_version: str = "1"
    largest_body: int = Field(default=1_000_000_000, description="Bytes of a body, as sent, above which it is refused.")
    spool_in_memory: int = Field(
        default=8_000_000, description="Bytes of a body kept in memory before a temporary file."
    )

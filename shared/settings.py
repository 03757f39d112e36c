"""What every service is told when it is built. Nothing reads the environment except `deploy`, which makes these."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ServiceSettings(BaseModel):
    """Settings that every service shares; each service's `settings.py` adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    database_url: SecretStr
    principal_key: str = Field(description="The public key (JWK, JSON) of the gateway, whose principals are believed.")
    pool_size: int = Field(default=10, ge=1, description="Database connections; as many again where more is asked.")
    statement_seconds: int = Field(
        default=60, ge=1, description="How long a statement of a request may take: the gateway waits no longer for it."
    )
    sandbox: bool = Field(default=False, description="Honour X-Sandbox-Clock and X-Scenario. Never in production.")

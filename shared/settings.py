"""What every process is told when it is built. Nothing reads the environment except `deploy`, which makes these."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_RECONNECT_MS = 1_000  # how long a client may pause before it tries a broker that was away; by default half a minute


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


class KafkaSettings(BaseModel):
    """Where Kafka is and how to be let in. `security_protocol` is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    replication: int = 1
    min_insync: int = 1

    def connection(self) -> dict[str, Any]:
        """The settings as kafka-python takes them."""
        given = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
            "reconnect_backoff_max_ms": _RECONNECT_MS,
            "ssl_cafile": self.ssl_cafile,
            "ssl_certfile": self.ssl_certfile,
            "ssl_keyfile": self.ssl_keyfile,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password.get_secret_value() if self.sasl_password else None,
        }
        return {name: value for name, value in given.items() if value is not None}

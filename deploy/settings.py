"""The environment, read once: every `PSIP_...` variable there is, and the settings of each process made from them."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url

from deploy import secrets
from deploy.databases import service_url
from gateway.access.issuers import OutsideIssuer
from gateway.settings import GatewaySettings
from services.ingest.settings import IngestSettings
from services.measures.settings import MeasuresSettings
from services.programmes.settings import ProgrammesSettings
from shared.settings import KafkaSettings


def _networks(text: str) -> str:
    try:
        for one in text.split():
            ip_network(one)
    except ValueError:
        raise ValueError("write networks like 10.0.0.0/8, with spaces between") from None
    return text


Networks = Annotated[str, AfterValidator(_networks)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]


class Environment(BaseSettings):
    """`PSIP_` variables. Each process needs only some of them; the one-process platform needs none. One that is empty
    counts as not set.

    Raises SystemExit that names each variable that is not as it should be, and never what it says.
    """

    model_config = SettingsConfigDict(env_prefix="PSIP_", env_ignore_empty=True, extra="ignore", frozen=True)

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            wrong = ((*map(str, one["loc"]), one["msg"]) for one in error.errors())
            raise SystemExit("\n".join(f"PSIP_{name.upper()}: {': '.join(told)}" for name, *told in wrong)) from None

    data_dir: Path = Field(default=Path(".psip"), description="Where the one-process platform keeps everything.")
    database_url: SecretStr | None = Field(
        default=None,
        description="The PostgreSQL server: postgresql://user:password@host:port, with the password here or in the "
        "secret user.password. Embedded if absent.",
    )
    secrets_dir: Path | None = Field(default=None, description="The folder of secrets; by default in the data folder.")
    kafka_bootstrap: str | None = Field(default=None, description="Brokers, as host:port,host:port.")
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_ssl_cafile: str | None = None
    kafka_ssl_certfile: str | None = None
    kafka_ssl_keyfile: str | None = None
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_replication: int = 1
    kafka_min_insync: int = 1
    ingest_url: str = "http://127.0.0.1:8001"
    programmes_url: str = "http://127.0.0.1:8002"
    measures_url: str = "http://127.0.0.1:8003"
    public_url: str = Field(default="http://127.0.0.1:8000", description="The gateway's address as callers write it.")
    allowed_origins: str | None = Field(
        default=None, description="Origins whose pages may call from a browser, with spaces between."
    )
    issuers: list[OutsideIssuer] | None = Field(
        default=None, description="Outside issuers (OpenID Connect) whose tokens are believed, as a JSON list."
    )
    more_token_keys: list[dict[str, Any]] | None = Field(
        default=None,
        description="Public keys whose tokens are believed too while the key changes, as a JSON list.",
    )
    requests_per_minute: int = Field(default=6000, ge=1, description="What one client may ask in a minute.")
    cells_per_minute: int = Field(default=10_000_000, ge=1, description="Figures that one client may read in a minute.")
    anonymous_per_minute: int = Field(
        default=600, ge=1, description="What one address may ask in a minute without a token."
    )
    limits_url: SecretStr | None = Field(
        default=None, description="The Redis or Valkey in which replicas of the gateway count together."
    )
    operations_networks: Networks = Field(
        default="127.0.0.0/8 ::1/128", description="Who may read /health/ready and /metrics, with spaces between."
    )
    proxy_networks: str = Field(
        default="127.0.0.1", description="Whose X-Forwarded-For the gateway believes, with spaces between."
    )
    sandbox: bool = Field(default=False, description="For trying things out; never in production.")
    log_level: LogLevel = "INFO"
    ingest_rows_per_minute: int = Field(
        default=20_000_000, ge=1, description="Rows that one client may have dealt with in a minute."
    )
    ingest_spare_room: int = Field(
        default=500_000_000, ge=0, description="Bytes that ingest keeps free on its disk and on the database's."
    )
    ingest_database_volume: Path | None = Field(
        default=None, description="A folder on the disk of the database, where the machine of ingest can see it."
    )
    measures_answers_kept_mb: int = Field(
        default=64, ge=0, description="Megabytes of answers that measures keeps until its figures change; 0 keeps none."
    )
    heartbeat: Path | None = Field(default=None, description="A file that a worker touches each time round its loop.")

    def secret(self, name: str) -> str:
        """One secret from the folder of secrets."""
        return secrets.read(self.secrets_dir or self.data_dir / "secrets", name)

    def gateway(self) -> GatewaySettings:
        """Settings of the gateway."""
        return GatewaySettings(
            database_url=self.url("gateway"),
            principal_key=self.secret(secrets.PRINCIPAL_PUBLIC),
            principal_private_key=SecretStr(self.secret(secrets.PRINCIPAL_PRIVATE)),
            token_key=SecretStr(self.secret(secrets.TOKEN_PRIVATE)),
            webhook_key=SecretStr(self.secret(secrets.WEBHOOKS)),
            upstreams={"ingest": self.ingest_url, "programmes": self.programmes_url, "measures": self.measures_url},
            public_url=self.public_url,
            allowed_origins=tuple((self.allowed_origins or "").split()),
            issuers=tuple(self.issuers or ()),
            more_token_keys=tuple(orjson.dumps(one).decode() for one in self.more_token_keys or ()),
            requests_per_minute=self.requests_per_minute,
            cells_per_minute=self.cells_per_minute,
            anonymous_per_minute=self.anonymous_per_minute,
            limits_url=self.limits_url,
            operations_networks=tuple(self.operations_networks.split()),
            sandbox=self.sandbox,
        )

    def webhooks(self) -> dict[str, Any]:
        """What the worker of webhooks is told."""
        return {"key": SecretStr(self.secret(secrets.WEBHOOKS)), "sandbox": self.sandbox}

    def url(self, database: str) -> SecretStr:
        """The address of one database on the server."""
        return SecretStr(service_url(self.server_url(), database))

    def server_url(self) -> str:
        """The address of the server; a password that it lacks comes from the folder of secrets."""
        if self.database_url is None:
            raise SystemExit("PSIP_DATABASE_URL is not set: postgresql://user:password@host:port of the server")
        url = make_url(self.database_url.get_secret_value())
        if url.host and url.username and url.password is None:
            url = url.set(password=self.secret(secrets.password(url.username)))
        return url.render_as_string(hide_password=False)

    def kafka(self) -> KafkaSettings:
        """How to reach Kafka."""
        if self.kafka_bootstrap is None:
            raise SystemExit("PSIP_KAFKA_BOOTSTRAP is not set: host:port of a broker (or start one: psip kafka up)")
        names = (
            "security_protocol",
            "ssl_cafile",
            "ssl_certfile",
            "ssl_keyfile",
            "sasl_mechanism",
            "sasl_username",
            "sasl_password",
            "replication",
            "min_insync",
        )
        return KafkaSettings(bootstrap=self.kafka_bootstrap, **{name: getattr(self, f"kafka_{name}") for name in names})

    def ingest(self) -> IngestSettings:
        """Settings of the ingest service."""
        return IngestSettings(
            database_url=self.url("ingest"),
            principal_key=self.secret(secrets.PRINCIPAL_PUBLIC),
            pseudonym_key=SecretStr(self.secret(secrets.PSEUDONYM)),
            rows_per_minute=self.ingest_rows_per_minute,
            spare_room=self.ingest_spare_room,
            measures_url=self.measures_url,
            database_volume=self.ingest_database_volume,
        )

    def programmes(self) -> ProgrammesSettings:
        """Settings of the registry."""
        return ProgrammesSettings(
            database_url=self.url("programmes"), principal_key=self.secret(secrets.PRINCIPAL_PUBLIC)
        )

    def measures(self) -> MeasuresSettings:
        """Settings of the measures service."""
        return MeasuresSettings(
            database_url=self.url("measures"),
            principal_key=self.secret(secrets.PRINCIPAL_PUBLIC),
            answers_kept_mb=self.measures_answers_kept_mb,
            programmes_url=self.programmes_url,
        )

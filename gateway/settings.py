"""What the gateway is told when it is built."""

from typing import Annotated, Any, Self

import orjson
from pydantic import AfterValidator, Field, SecretStr, model_validator

from gateway.access.issuers import OutsideIssuer, told_apart
from gateway.origins import origin
from gateway.outward.addresses import NotCallable, target
from gateway.routes import SERVICES
from shared.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """Settings of the gateway. The public half of `principal_private_key` is what the services are given."""

    service: str = "gateway"
    upstreams: dict[str, str] = Field(
        description="Where each service is: http://host:port, https://host:port or http+unix://%2Fpath%2Fof%2Fsocket."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="The address callers use; the issuer of tokens and audience of theirs.",
    )
    principal_private_key: SecretStr = Field(description="Ed25519 private key (JWK, JSON) that signs principals.")
    token_key: SecretStr = Field(description="P-256 private key (JWK, JSON) that signs access tokens.")
    webhook_key: SecretStr = Field(description="What the secrets of webhooks are made with.")
    more_token_keys: tuple[str, ...] = Field(
        default=(), description="Public keys (JWK, JSON) whose tokens are believed too: of the key before, or the next."
    )
    issuers: Annotated[tuple[OutsideIssuer, ...], AfterValidator(told_apart)] = Field(
        default=(), description="Outside issuers (OpenID Connect) whose tokens are believed, and what these give."
    )
    token_audience: str = Field(default="psip", description="The `aud` of access tokens.")
    token_seconds: int = Field(default=600, ge=60, le=3600, description="How long an access token lives.")
    requests_per_minute: int = Field(default=6000, ge=1, description="What one client may ask in a minute.")
    anonymous_per_minute: int = Field(
        default=600, ge=1, description="What one address may ask in a minute without a token."
    )
    failures_per_minute: int = Field(
        default=10, ge=1, description="How often one address may fail to prove it is a client, in a minute."
    )
    cells_per_minute: int = Field(default=10_000_000, ge=1, description="Figures that one client may read in a minute.")
    limits_url: SecretStr | None = Field(
        default=None, description="The Redis or Valkey in which replicas count together: redis://host:6379."
    )
    allowed_origins: tuple[Annotated[str, AfterValidator(origin)], ...] = Field(
        default=(), description="Whose pages may call from a browser: https://pages.example."
    )
    page_seconds: float = Field(default=5.0, gt=0, le=60, description="What all parts of a page together may take.")
    operations_networks: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128"), description="Who may read /health/ready and /metrics."
    )

    @model_validator(mode="before")
    @classmethod
    def _public_half(cls, given: Any) -> Any:
        """Fill in `principal_key` from the private key: the gateway believes its own principals too."""
        if not isinstance(given, dict) or "principal_key" in given or "principal_private_key" not in given:
            return given
        private = given["principal_private_key"]
        text = private.get_secret_value() if isinstance(private, SecretStr) else private
        public = {name: value for name, value in orjson.loads(text).items() if name in ("kty", "crv", "x", "kid")}
        return given | {"principal_key": orjson.dumps(public).decode()}

    @model_validator(mode="after")
    def _every_service_has_an_address(self) -> Self:
        missing = SERVICES - self.upstreams.keys()
        if missing:
            raise ValueError(f"no address for {', '.join(sorted(missing))}")
        return self

    @model_validator(mode="after")
    def _issuers_can_be_asked(self) -> Self:
        for one in self.issuers:
            try:
                target(one.issuer, sandbox=self.sandbox)
            except NotCallable as error:
                raise ValueError(f"the issuer {one.name} cannot be asked for its keys: {error}") from error
            if one.issuer.rstrip("/") == self.issuer:
                raise ValueError(f"the issuer {one.name} is this gateway itself")
        return self

    @property
    def issuer(self) -> str:
        """The `iss` of access tokens."""
        return self.public_url.rstrip("/")

    @property
    def token_url(self) -> str:
        """Where tokens are given; also the audience a client puts into its own signed JWT."""
        return f"{self.issuer}/oauth2/token"

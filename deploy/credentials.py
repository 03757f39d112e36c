"""Who somebody at a terminal is to the platform: from the environment, or from the demonstration's handle."""

import json
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from psip import Client

HANDLE = "demo.json"


class Credentials(BaseSettings):
    """A client's own: `PSIP_URL`, `PSIP_CLIENT_ID` and `PSIP_CLIENT_SECRET`."""

    model_config = SettingsConfigDict(env_prefix="PSIP_", extra="ignore", frozen=True)

    url: str | None = Field(default=None, description="The gateway's address.")
    client_id: str | None = Field(default=None, description="The client's id.")
    client_secret: SecretStr | None = Field(default=None, description="The client's secret.")


def client(role: str | None, data_dir: Path) -> Client:
    """The client that the environment names; where it names none, or a role is asked for, one of the demonstration's.

    Raises SystemExit, saying what is missing, where there is neither.
    """
    told = Credentials()
    if role is None and told.url and told.client_id and told.client_secret:
        return Client(told.url, told.client_id, told.client_secret.get_secret_value())
    if role is None and (told.url or told.client_id or told.client_secret):
        raise SystemExit("set all of PSIP_URL, PSIP_CLIENT_ID and PSIP_CLIENT_SECRET, or none of them")
    return _of_the_demonstration(role or "supplier", data_dir / HANDLE)


def _of_the_demonstration(role: str, handle: Path) -> Client:
    try:
        told = json.loads(handle.read_text(encoding="utf-8"))
    except OSError:
        raise SystemExit(
            f"who are you? Set PSIP_URL, PSIP_CLIENT_ID and PSIP_CLIENT_SECRET; there is no {handle} either"
        ) from None
    known = told["clients"]
    if role not in known:
        raise SystemExit(f"the demonstration has no client {role!r}; it has {', '.join(known)}")
    return Client(told["base_url"], known[role]["client_id"], known[role]["client_secret"])

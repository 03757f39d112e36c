"""The public contract, for machines: the one OpenAPI document, made without a database or a network."""

import json
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey
from pydantic import SecretStr

from deploy.services import APPS, create_app
from deploy.settings import Environment
from gateway.documentation import VERSION
from gateway.openapi import merged
from gateway.routes import TABLE
from shared.principal import new_key

FILE = Path(__file__).parent.parent / "gateway" / "openapi.json"
NOWHERE = SecretStr("postgresql://nobody@127.0.0.1:1")  # no app connects before it is asked something


class _Keys(Environment):
    """An environment whose secrets open nothing."""

    def secret(self, name: str) -> str:
        private, public = new_key()
        token = json.dumps(ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True))
        return {"principal.private.jwk": private, "principal.public.jwk": public, "token.private.jwk": token}.get(
            name, "0" * 64
        )


def openapi() -> dict[str, Any]:
    """The document as the gateway serves it, its address left to the reader."""
    environment = _Keys(database_url=NOWHERE)
    described = {name: create_app(name, environment).openapi() for name in APPS}
    return dict(merged(described, TABLE, server="/", version=VERSION))


def document() -> str:
    """The file's text."""
    return json.dumps(openapi(), indent=2, ensure_ascii=False, default=str) + "\n"

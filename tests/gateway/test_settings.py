"""What the gateway must be told, and what it works out."""

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from gateway.settings import GatewaySettings
from shared.principal import new_key

PRIVATE, PUBLIC = new_key()
UPSTREAMS = dict.fromkeys(("ingest", "programmes", "measures"), "http://127.0.0.1:1")
GIVEN = {
    "database_url": "postgresql+psycopg://x/gateway",
    "principal_private_key": PRIVATE,
    "token_key": "{}",
    "webhook_key": "w",
    "upstreams": UPSTREAMS,
}


@pytest.mark.parametrize("private", [PRIVATE, SecretStr(PRIVATE)], ids=["text", "secret"])
def test_the_public_half_of_its_key_is_worked_out(private):
    settings = GatewaySettings(**GIVEN | {"principal_private_key": private})
    public = orjson.loads(settings.principal_key)
    assert public["x"] == orjson.loads(PUBLIC)["x"]
    assert "d" not in public


def test_a_service_without_an_address_is_noticed_at_the_start():
    with pytest.raises(ValidationError, match="no address for measures"):
        GatewaySettings(**GIVEN | {"upstreams": {name: UPSTREAMS[name] for name in ("ingest", "programmes")}})


def test_private_keys_are_not_shown():
    settings = GatewaySettings(**GIVEN)
    assert orjson.loads(PRIVATE)["d"] not in repr(settings)


def test_the_token_address_is_the_public_one():
    settings = GatewaySettings(**GIVEN, public_url="https://door.example/")
    assert (settings.issuer, settings.token_url) == ("https://door.example", "https://door.example/oauth2/token")

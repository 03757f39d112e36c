"""What operators say in the environment reaches the process it is for, and is in their guide."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from deploy import secrets
from deploy.serving import configuration
from deploy.settings import Environment

GUIDE = (Path(__file__).parents[2] / "docs" / "operators.md").read_text()


def test_the_quota_and_the_room_of_ingest_are_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("principal.public.jwk", "pseudonym.key"):
        (tmp_path / name).write_text("k" * 64)
    said = {
        "PSIP_SECRETS_DIR": str(tmp_path), "PSIP_DATABASE_URL": "postgresql://ingest:x@db:5432",
        "PSIP_INGEST_ROWS_PER_MINUTE": "1000", "PSIP_INGEST_SPARE_ROOM": "7", "PSIP_INGEST_DATABASE_VOLUME": "/data",
    }  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(name, value)

    ingest = Environment().ingest()

    assert (ingest.rows_per_minute, ingest.spare_room, ingest.database_volume) == (1000, 7, Path("/data"))


def test_what_the_environment_says_of_access_reaches_the_gateway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets.ensure(tmp_path)
    said = {
        "SECRETS_DIR": str(tmp_path), "DATABASE_URL": "postgresql://gateway:x@db:5432",
        "MORE_TOKEN_KEYS": '[{"kty": "EC", "kid": "k"}]', "LIMITS_URL": "redis://:word@counts:6379",
        "REQUESTS_PER_MINUTE": "1", "CELLS_PER_MINUTE": "2", "ANONYMOUS_PER_MINUTE": "3",
        "OPERATIONS_NETWORKS": "127.0.0.0/8 10.1.0.0/16",
    }  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(f"PSIP_{name}", value)

    gateway = Environment().gateway()

    assert [orjson.loads(one) for one in gateway.more_token_keys] == [{"kty": "EC", "kid": "k"}]
    assert (gateway.requests_per_minute, gateway.cells_per_minute, gateway.anonymous_per_minute) == (1, 2, 3)
    assert gateway.operations_networks == ("127.0.0.0/8", "10.1.0.0/16")
    assert gateway.limits_url is not None
    assert gateway.limits_url.get_secret_value() == "redis://:word@counts:6379"
    assert "word" not in repr(gateway)


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("PSIP_LOG_LEVEL", "LOUD", "PSIP_LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("PSIP_OPERATIONS_NETWORKS", "10.0.0.0/8 kitchen", "PSIP_OPERATIONS_NETWORKS: Value error, write networks"),
        ("PSIP_REQUESTS_PER_MINUTE", "many", "PSIP_REQUESTS_PER_MINUTE: Input should be a valid integer"),
        ("PSIP_ISSUERS", '[{"name": "secretive"}]', "PSIP_ISSUERS: 0: issuer: Field required"),
        ("PSIP_MORE_TOKEN_KEYS", "secretive", "PSIP_MORE_TOKEN_KEYS: Input should be a valid list"),
    ],
)
def test_a_variable_that_is_not_as_it_should_be_is_named_and_what_it_says_is_not(
    monkeypatch: pytest.MonkeyPatch, name: str, said: str, told: str
) -> None:
    monkeypatch.setenv(name, said)
    with pytest.raises(SystemExit) as stopped:
        Environment()
    assert told in str(stopped.value)
    assert "secretive" not in str(stopped.value)


def test_a_variable_that_is_empty_is_as_if_it_were_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PSIP_ISSUERS", "PSIP_LIMITS_URL", "PSIP_REQUESTS_PER_MINUTE"):
        monkeypatch.setenv(name, "")
    assert Environment() == Environment.model_construct()


@pytest.mark.parametrize(("proxy", "seen"), [("127.0.0.1", "192.0.2.7"), ("192.0.2.0/24", "127.0.0.1")])
def test_whose_word_is_taken_for_whom_they_ask(proxy: str, seen: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})

    told = configuration(app, proxies=[proxy])
    told.load()

    async def asked() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(told.loaded_app), base_url="http://door") as http:
            return (await http.get("/", headers={"X-Forwarded-For": "192.0.2.7"})).text

    assert asyncio.run(asked()) == seen


def test_the_guide_of_operators_names_every_variable_there_is_and_no_other():
    told = set(re.findall(r"^\| `(PSIP_\w+)` \|", GUIDE, re.MULTILINE))

    assert told == {f"PSIP_{name.upper()}" for name in Environment.model_fields}

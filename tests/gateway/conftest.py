"""A gateway that really listens, before services that really listen, with a database of its own."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey
from pydantic import SecretStr

from deploy.serving import Server
from gateway.access.commands import register_client
from gateway.app import create_app
from gateway.routes import SCOPES, SERVICES
from gateway.settings import GatewaySettings
from shared.db import Database
from shared.principal import new_key

NewDatabase = Callable[[str | None], SecretStr]


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[Database]:
    """An empty database of the gateway."""
    with closing(Database(new_database("gateway"))) as database:
        yield database


@dataclass
class Upstream:
    """A service that does as the path's last step says, and remembers what it was sent."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    dropped: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        word = scope["path"].rsplit("/", 1)[-1]
        told = {**scope, "headers": [(n.decode(), v.decode("latin-1")) for n, v in scope["headers"]]}
        self.seen.append(told)
        act = getattr(self, f"do_{word}".replace("-", "_"), self.answer)
        await act(scope, receive, send)

    async def live(self, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    @property
    def last(self) -> dict[str, str]:
        """The headers of the last request."""
        return dict(self.seen[-1]["headers"])

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        size = await read_all(receive)
        body = orjson.dumps({"path": scope["raw_path"].decode(), "query": scope["query_string"].decode(), "size": size})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"etag", b'"7"')]
        headers += [(b"connection", b"x-inner"), (b"x-inner", b"1"), (b"server", b"secret/1.0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def do_big(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/csv")]})
        for _ in range(800):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def do_endless(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begin\n", "more_body": True})
        self.began.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.dropped.set()

    async def do_silent(self, scope: Any, receive: Any, send: Any) -> None:
        self.began.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.dropped.set()

    async def do_wait(self, scope: Any, receive: Any, send: Any) -> None:
        self.began.set()
        await asyncio.to_thread(self.released.wait, 60)
        await self.answer(scope, receive, send)

    async def do_cut(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async def do_cells(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"2"), (b"x-psip-cells", scope["query_string"])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"[]"})

    async def do_early(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 415, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})


async def read_all(receive: Any) -> int:
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            return size


@dataclass
class Gateway:
    """A gateway that listens, and what a test needs to talk to it."""

    url: str
    settings: GatewaySettings
    database: Database
    upstream: Upstream
    app: Any
    http: httpx.Client

    def client(self, *, scopes: Any = SCOPES, organisations: Any = ("*",), audience: Any = "national") -> "Known":
        client_id = f"client-{uuid.uuid4().hex[:8]}"
        with self.database.session() as session:
            secret = register_client(
                session,
                client_id=client_id,
                name="A test",
                scopes=scopes,
                organisations=organisations,
                audience=audience,
            )
        return Known(self, client_id, secret)


@dataclass
class Known:
    """A registered client."""

    gateway: Gateway
    client_id: str
    secret: str

    def token(self) -> str:
        answer = self.gateway.http.post(
            "/oauth2/token", data={"grant_type": "client_credentials"}, auth=(self.client_id, self.secret)
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}


def new_settings(database_url: SecretStr, **others: Any) -> GatewaySettings:
    private, _ = new_key()
    token_key = orjson.dumps(ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)).decode()
    values = {
        "database_url": database_url,
        "principal_private_key": private,
        "token_key": token_key,
        "webhook_key": "a key for the tests",
        "upstreams": dict.fromkeys(SERVICES, "http://127.0.0.1:9"),
        "requests_per_minute": 100_000,
        "anonymous_per_minute": 100_000,
        "failures_per_minute": 100_000,
    }
    return GatewaySettings(**(values | others))


@contextmanager
def listening(database_url: SecretStr, **others: Any) -> Iterator[Gateway]:
    """A gateway before one upstream that plays all three services."""
    upstream = Upstream()
    with Server(upstream) as services:
        others = {"upstreams": dict.fromkeys(SERVICES, services.url)} | others
        settings = new_settings(database_url, **others)
        app = create_app(settings)
        with (
            Server(app) as door,
            httpx.Client(base_url=door.url, timeout=60) as http,
            closing(Database(database_url)) as database,
        ):
            yield Gateway(door.url, settings, database, upstream, app, http)


@pytest.fixture(scope="module")
def gateway(new_database: NewDatabase) -> Iterator[Gateway]:
    with listening(new_database("gateway")) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def listen(new_database: NewDatabase) -> Any:
    """`with listen(requests_per_minute=5) as gateway:` a gateway with other settings."""
    return lambda **others: listening(new_database("gateway"), **others)

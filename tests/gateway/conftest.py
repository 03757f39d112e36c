"""A gateway that really listens, before services that really listen, with a database of its own."""

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import psycopg
import pytest
import uvicorn
from joserfc.jwk import ECKey
from pydantic import SecretStr
from sqlalchemy import make_url

from deploy.migrate import migrate
from deploy.postgres import Postgres
from gateway.access.commands import register_client
from gateway.app import create_app
from gateway.routes import SCOPES, SERVICES
from gateway.settings import GatewaySettings
from shared.db import Database
from shared.principal import new_key
from shared.telemetry import configure_logging


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """Nobody reads the log of a test."""
    configure_logging("CRITICAL")


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server: the one that PSIP_TEST_DATABASE_URL names, or our own."""
    given = os.environ.get("PSIP_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with Postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres.server_url


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """A migrated database to make others from."""
    name = f"gateway_template_{uuid.uuid4().hex[:8]}"
    migrate("gateway", make_database(server_url, name))
    return name


@pytest.fixture(scope="session")
def new_database(server_url: str, template: str) -> Callable[[], SecretStr]:
    """Makes an empty, migrated database."""
    return lambda: make_database(server_url, f"gateway_{uuid.uuid4().hex[:12]}", template)


def make_database(server_url: str, name: str, template: str = "template1") -> SecretStr:
    url = make_url(server_url)
    maintenance = url.set(drivername="postgresql", database=url.database or "postgres")
    with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"'.encode())
    return SecretStr(url.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False))


@pytest.fixture
def database(new_database: Callable[[], SecretStr]) -> Iterator[Database]:
    """An empty database of the gateway."""
    with closing(Database(new_database())) as database:
        yield database


class Serving(uvicorn.Server):
    """uvicorn in a thread, on a port of its own choosing."""

    def __init__(self, app: Any, **options: Any) -> None:
        defaults = {"port": 0, "log_level": "critical", "access_log": False, "ws": "none"}
        super().__init__(uvicorn.Config(app, **(defaults | {"timeout_graceful_shutdown": 1} | options)))
        self._up = threading.Event()
        self._thread = threading.Thread(target=self.run, daemon=True)

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._up.set()

    def __enter__(self) -> "Serving":
        self._thread.start()
        assert self._up.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.should_exit = True
        self._thread.join(20)

    @property
    def url(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"


SMALL = orjson.dumps({"items": []})


@dataclass
class Upstream:
    """A service that does as the path's last step says, and remembers what it was sent."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    dropped: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        word = scope["path"].rsplit("/", 1)[-1]
        told = {**scope, "headers": [(n.decode(), v.decode("latin-1")) for n, v in scope["headers"]]}
        self.seen.append(told)
        act = getattr(self, f"do_{word}".replace("-", "_"), self.answer)
        await act(scope, receive, send)

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

    async def do_cut(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

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
        "upstreams": dict.fromkeys(SERVICES, "http://127.0.0.1:9"),
        "requests_per_minute": 100_000,
        "anonymous_per_minute": 100_000,
    }
    return GatewaySettings(**(values | others))


@contextmanager
def listening(database_url: SecretStr, **others: Any) -> Iterator[Gateway]:
    """A gateway before one upstream that plays all three services."""
    upstream = Upstream()
    with Serving(upstream, lifespan="off") as services:
        others = {"upstreams": dict.fromkeys(SERVICES, services.url)} | others
        settings = new_settings(database_url, **others)
        app = create_app(settings)
        with (
            Serving(app, lifespan="on") as door,
            httpx.Client(base_url=door.url, timeout=20) as http,
            closing(Database(database_url)) as database,
        ):
            yield Gateway(door.url, settings, database, upstream, app, http)


@pytest.fixture(scope="module")
def gateway(new_database: Callable[[], SecretStr]) -> Iterator[Gateway]:
    with listening(new_database()) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def listen(new_database: Callable[[], SecretStr]) -> Any:
    """`with listen(requests_per_minute=5) as gateway:` a gateway with other settings."""
    return lambda **others: listening(new_database(), **others)

"""Serving an app from a thread: how the one-process platform and the tests run the very apps that containers run."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Literal, Self

import uvicorn
from starlette.types import ASGIApp

from deploy.lifetimes import CannotStart, Lifetime

START_SECONDS = 20.0
KEEP_ALIVE_SECONDS = 75
Protocol = type[asyncio.Protocol] | Literal["httptools"]
"""How HTTP is read: by uvicorn's own, or by one that is stricter (the gateway's)."""


class PortTaken(CannotStart):
    """Something else listens on the port."""


def bound(port: int = 0) -> socket.socket:
    """A socket with a loopback port of its own (or the one given), which from now on nobody else can have.

    Raises PortTaken.
    """
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(("127.0.0.1", port))
        one.listen()  # until somebody does, others who reuse addresses may bind it as well
    except OSError as error:
        one.close()
        raise PortTaken(f"port {port} cannot be had ({error.strerror}): choose another with --port") from None
    return one


def address(one: socket.socket) -> str:
    """Where that socket is reached."""
    host, port = one.getsockname()
    return f"http://{host}:{port}"


class Server(Lifetime):
    """An app on a loopback port of its own (or the one given, or that of a socket), from `start()` to `stop()`."""

    def __init__(
        self, app: ASGIApp, *, port: int = 0, at: socket.socket | None = None, protocol: Protocol = "httptools"
    ) -> None:
        self._socket = at or bound(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = address(self._socket)
        self._started = threading.Event()
        self._server = _Announcing(configuration(app, protocol=protocol), self._started)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=f"server-{self.port}", daemon=True
        )

    def start(self) -> Self:
        """Serve; returns when requests are answered."""
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise RuntimeError(f"the app at {self.url} did not start within {START_SECONDS:.0f} s")
        return self

    def stop(self) -> None:
        """Finish the requests under way and stop."""
        self._server.should_exit = True
        self._thread.join(timeout=START_SECONDS)
        self._socket.close()


class Serving(uvicorn.Server):
    """uvicorn's server, which tells an app that it is closing before it waits for the answers under way.

    An app with answers that never end by themselves has `state.closing`, to end them.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        closing: Callable[[], None] | None = getattr(getattr(self.config.app, "state", None), "closing", None)
        if closing is not None:
            closing()
        await super().shutdown(sockets)


class _Announcing(Serving):
    """A server that says when it has started."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._announced = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announced.set()


def configuration(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    protocol: Protocol = "httptools",
    proxies: Sequence[str] = ("127.0.0.1",),
) -> uvicorn.Config:
    """How every app is served: quick parsing and loop, our own request log, no server header.

    `proxies` are the networks whose word is taken for whom they ask (`X-Forwarded-For`).
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        loop="uvloop",
        lifespan="on",
        log_config=None,  # uvicorn's own would write lines that are not JSON
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(proxies),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=10,
    )

"""The platform as people meet it: by the gateway's address, each with a client of their own."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Self

import httpx

from deploy.demo.roles import ROLES
from deploy.platform import Platform
from gateway.access import commands
from psip import Client
from shared.db import Database

Point = Mapping[str, Any]


class Journey:
    """A platform that moves when it is told to (`settle`), and the clients of those in a story."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.url = platform, platform.base_url
        self._stack = ExitStack()
        self._secrets: dict[str, tuple[str, str]] = {}
        self._clients: dict[str, Client] = {}
        self._https: dict[str, httpx.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def settle(self) -> None:
        """Let everything that was accepted become figures."""
        self.platform.settle()

    def as_(self, role: str) -> Client:
        """The client of one of the demonstration's seven roles, or of one that was introduced."""
        if role not in self._clients:
            self._clients[role] = self._stack.enter_context(Client(self.url, *self.credentials(role)))
        return self._clients[role]

    def http(self, role: str) -> httpx.Client:
        """The same with nothing between: for what is not in the client, and for answers as they are."""
        if role not in self._https:
            client_id, secret = self.credentials(role)
            answer = httpx.post(
                f"{self.url}/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(client_id, secret),
                timeout=60,
            )
            bearer = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
            self._https[role] = self._stack.enter_context(httpx.Client(base_url=self.url, headers=bearer, timeout=60))
        return self._https[role]

    def introduce(self, name: str, *organisations: str, like: str, also: Sequence[str] = ()) -> None:
        """Somebody new: what a role may do (and `also` these scopes), elsewhere; registered over the API."""
        role = ROLES[like]
        told = {
            "client_id": name,
            "name": name,
            "scopes": sorted({*role.scopes, *also}),
            "organisations": list(organisations),
            "audience": role.audience,
        }
        answer = self.as_("national").post("/v1/clients", told)
        self._secrets[name] = (name, answer["client_secret"])

    def credentials(self, name: str) -> tuple[str, str]:
        if name not in self._secrets:
            self._secrets[name] = (ROLES[name].client_id, self._registered(name))
        return self._secrets[name]

    def _registered(self, name: str) -> str:
        role = ROLES[name]
        database = Database(self.platform.environment.url("gateway"), pool_size=1)
        try:
            with database.session() as session:
                return commands.register_client(session, **role.registration)
        finally:
            database.close()


def figures(document: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    """The numerator and denominator of each period of a chart or of a series."""
    rows = document["points"] if "points" in document else document["items"]
    return {one["period"]: (one["numerator"], one["denominator"]) for one in rows}


def statuses(document: Mapping[str, Any]) -> dict[str, str]:
    """The status of each period of a chart or of a series."""
    rows = document["points"] if "points" in document else document["items"]
    return {one["period"]: one["status"] for one in rows}

"""The keys that clients sign with: those they gave us, or those they publish at an address of their own."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import select

from gateway.access.jose import Keys, NotVerified
from gateway.access.models import Client
from gateway.access.remote import RemoteKeys
from shared.db import Database

CLIENT_ALGORITHMS = ("RS512", "ES256", "EdDSA", "Ed25519")
REMEMBERED = 10_000


class ClientKeys:
    """Verifies what clients sign. `fetch` gives the JSON object at a URL, or raises NotFetched."""

    def __init__(self, fetch: Callable[[str], Mapping[str, Any]]) -> None:
        self._fetch = fetch
        self._remote: dict[str, RemoteKeys] = {}

    def prepare(self, database: Database, client_id: str, assertion: str) -> None:
        """Fetch the keys that the client publishes, if it does and that is due; takes seconds when it must.

        Nothing of the database is held meanwhile.
        """
        with database.session() as session:
            query = select(Client.jwks_uri).where(Client.client_id == client_id, Client.revoked_at.is_(None))
            address = session.scalar(query)
        if address is not None:
            self._at(address).prepare(assertion)

    def verify(self, client: Client, assertion: str) -> tuple[dict[str, Any], bytes]:
        """Header and payload of what the client signed, with the keys there are now.

        Raises NotVerified, or KeysUnavailable where the client's address has not given any.
        """
        if client.jwks_uri is not None:
            return self._at(client.jwks_uri).verify(assertion)
        if not client.keys:
            raise NotVerified("the client has no keys")
        return Keys(client.keys, CLIENT_ALGORITHMS).verify(assertion)

    def _at(self, address: str) -> RemoteKeys:
        known = self._remote.get(address)
        if known is None:
            if len(self._remote) >= REMEMBERED:
                self._remote.clear()
            known = self._remote[address] = RemoteKeys(partial(self._fetch, address), CLIENT_ALGORITHMS)
        return known

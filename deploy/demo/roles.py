"""The seven clients of the demonstration: who somebody can be, to see what that lets them do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.demo.organisations import LARGE
from shared.principal import EVERYONE, Audience

ALL_SCOPES: Final = frozenset({
    "submissions:write", "submissions:read", "programmes:write", "programmes:read", "measures:read",
    "clients:write", "clients:read", "audit:read", "webhooks:write", "webhooks:read",
})  # fmt: skip
WEBHOOKS: Final = frozenset({"webhooks:write", "webhooks:read"})
SENDS: Final = frozenset({"submissions:write", "submissions:read", "programmes:read", "measures:read"}) | WEBHOOKS
READS: Final = frozenset({"programmes:read", "measures:read"})


@dataclass(frozen=True, slots=True)
class Role:
    """A client: what it may do, whom it acts for (`*` is everybody), and how exactly it sees figures."""

    name: str
    scopes: frozenset[str]
    organisations: tuple[str, ...]
    audience: Audience

    @property
    def client_id(self) -> str:
        """The id that the client is registered under."""
        return f"demo-{self.name.replace('_', '-')}"

    @property
    def title(self) -> str:
        """The name that people read in the list of clients."""
        return f"Demonstration: {self.name.replace('_', ' ')}"

    @property
    def registration(self) -> dict[str, Any]:
        """What the client is registered with."""
        return {
            "client_id": self.client_id,
            "name": self.title,
            "scopes": self.scopes,
            "organisations": self.organisations,
            "audience": self.audience,
        }


_ROLES = (
    Role("supplier", SENDS, (EVERYONE,), "member"),
    Role("trust", SENDS, ("RGT",), "member"),
    Role("care_home", SENDS, (LARGE,), "member"),
    Role("analyst", READS | WEBHOOKS | {"submissions:read"}, ("S1Y5D",), "member"),
    Role("psc", READS | WEBHOOKS | {"submissions:read", "programmes:write"}, ("EAST",), "member"),
    Role("national", ALL_SCOPES, (EVERYONE,), "national"),
    Role("front_end", READS, (), "public"),
)
ROLES: Mapping[str, Role] = {role.name: role for role in _ROLES}
"""By the names of `demo.json`: the analyst is one ICB's, the psc is Health Innovation East's."""

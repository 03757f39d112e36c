"""Who is asking: the gateway signs a principal, a service believes nothing else and denies by default.

The principal travels in `X-PSIP-Principal` as a JWT signed with the gateway's Ed25519 key and lives a minute.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import orjson
from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.problems import Forbidden, Unauthenticated

HEADER = "X-PSIP-Principal"
ALGORITHM = "Ed25519"
LIFE_SECONDS = 60
EVERYONE = "*"
Audience = Literal["public", "member", "national"]


@dataclass(frozen=True, slots=True)
class Supposed:
    """What services are to take for true in one request, where a caller in the sandbox asked for it.

    `clock` is the instant to take for now (UTC), `closed` that every organisation closed long ago, `outage` the seconds
    for which the bus is away from what is written.
    """

    clock: datetime | None = None
    closed: bool = False
    outage: float = 0.0


AS_IT_IS = Supposed()


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: its client id, what it may do, whom it acts for, and how exactly it may see figures.

    `organisations` are codes it acts for (`*` means all); what lies within them is decided where the data is.
    `audience` is `public` (disclosure control), `member` (exact for its own) or `national` (exact). `supposed` is of
    the sandbox.
    """

    client_id: str
    scopes: frozenset[str]
    organisations: frozenset[str] = frozenset()
    audience: Audience = "public"
    supposed: Supposed = AS_IT_IS

    def may(self, scope: str) -> bool:
        """Whether it holds the scope."""
        return scope in self.scopes

    @property
    def for_everyone(self) -> bool:
        """Whether it acts for every organisation."""
        return EVERYONE in self.organisations

    def claims(self) -> dict[str, Any]:
        """The principal as JWT claims, without times."""
        return {
            "sub": self.client_id,
            "scope": " ".join(sorted(self.scopes)),
            "organisations": sorted(self.organisations),
            "audience": self.audience,
            **({"supposed": msgspec.to_builtins(self.supposed)} if self.supposed != AS_IT_IS else {}),
        }

    @classmethod
    def of_claims(cls, claims: Mapping[str, Any]) -> "Principal":
        """The principal that `claims()` described."""
        return cls(
            client_id=claims["sub"],
            scopes=frozenset(claims["scope"].split()),
            organisations=frozenset(claims["organisations"]),
            audience=claims["audience"],
            supposed=msgspec.convert(claims["supposed"], Supposed) if "supposed" in claims else AS_IT_IS,
        )


class Signer:
    """The gateway's side: signs principals with its private key (JWK, JSON)."""

    def __init__(self, private_key: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key, self._clock = OKPKey.import_key(orjson.loads(private_key)), clock

    def sign(self, principal: Principal) -> str:
        """The header's value, good for `LIFE_SECONDS`."""
        claims = principal.claims() | {"iss": "gateway", "exp": int(self._clock()) + LIFE_SECONDS}
        return jwt.encode({"alg": ALGORITHM}, claims, self._key, algorithms=[ALGORITHM])


class Verifier:
    """A service's side: believes a principal that the gateway signed and that has not expired.

    A verified token is remembered until it expires (an Ed25519 check costs a hundred times a look-up).
    """

    REMEMBERED = 4096

    def __init__(self, public_key: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key, self._clock = OKPKey.import_key(orjson.loads(public_key)), clock
        self._seen: dict[str, tuple[float, Principal]] = {}

    def verify(self, token: str) -> Principal:
        """The principal in the token. Raises Unauthenticated for one that is forged, malformed or too old."""
        known = self._seen.get(token)
        if known is not None and known[0] > self._clock():
            return known[1]
        expires, principal = self._read(token)
        if len(self._seen) >= self.REMEMBERED:
            self._seen.clear()
        self._seen[token] = (expires, principal)
        return principal

    def _read(self, token: str) -> tuple[float, Principal]:
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            expires, principal = float(claims["exp"]), Principal.of_claims(claims)
        except (JoseError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise Unauthenticated("the principal was not signed by the gateway") from error
        if claims.get("iss") != "gateway":
            raise Unauthenticated("the principal was not signed by the gateway")
        if expires <= self._clock():
            raise Unauthenticated("the principal has expired")
        return expires, principal


# Not blocking, so not worth a thread: what is not async is run in one, at a tenth of a millisecond each.
async def caller(request: Request) -> Principal:
    """Who is asking. Raises Unauthenticated when the gateway did not say."""
    token = request.headers.get(HEADER)
    if token is None:
        raise Unauthenticated("requests reach this service through the gateway, which says who is asking")
    verifier: Verifier = request.app.state.verifier
    return verifier.verify(token)


class Requires:
    """Lets a caller through only if it holds the scope: `Annotated[Principal, Depends(Requires("x:read"))]`."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, principal: Annotated[Principal, Depends(caller)]) -> Principal:
        if not principal.may(self.scope):
            raise Forbidden(f"this needs the scope {self.scope}")
        return principal


def new_key() -> tuple[str, str]:
    """A fresh signing key pair as JWK JSON: (private, public)."""
    key = OKPKey.generate_key("Ed25519")
    return orjson.dumps(key.as_dict(private=True)).decode(), orjson.dumps(key.as_dict(private=False)).decode()

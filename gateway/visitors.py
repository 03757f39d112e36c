"""Who stands at the door: an access token checked once, then known until it ends."""

import time
from collections.abc import Callable
from dataclasses import replace

import anyio
import anyio.to_thread

from gateway.access import remote
from gateway.access.issuers import Issuers
from gateway.access.jose import NotVerified
from gateway.access.remote import KeysUnavailable
from gateway.access.roster import OUTSIDE, Roster
from gateway.access.tokens import AccessToken, Tokens
from gateway.problems import AccessUncertain
from shared.principal import AS_IT_IS, LIFE_SECONDS, Principal, Signer, Supposed
from shared.problems import Unauthenticated


class Visitor:
    """A client with a token that was found good.

    `read_again` is when the token is to be read anew, `principal_until` when its signed principal is to be made anew.
    """

    __slots__ = ("expires", "generation", "principal", "principal_until", "read_again", "signed")

    def __init__(self, principal: Principal, generation: int, expires: float, read_again: float = float("inf")) -> None:
        self.principal, self.generation, self.expires, self.read_again = principal, generation, expires, read_again
        self.signed, self.principal_until = b"", 0.0


class Visitors:
    """Turns `Authorization` headers into visitors. Only tokens found good are remembered, so nobody can fill it."""

    REMEMBERED = 20_000

    def __init__(
        self,
        tokens: Tokens,
        roster: Roster,
        signer: Signer,
        *,
        issuers: Issuers,
        fetching: anyio.CapacityLimiter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens, self._roster, self._signer, self._clock = tokens, roster, signer, clock
        self._issuers, self._fetching = issuers, fetching
        self._known: dict[bytes, Visitor] = {}

    async def identify(self, authorization: bytes | None) -> Visitor:
        """The visitor with this `Authorization` header. Raises Unauthenticated or AccessUncertain."""
        if authorization is None:
            raise Unauthenticated(
                "this needs an access token: POST /oauth2/token gives one", headers={"WWW-Authenticate": "Bearer"}
            )
        visitor = self._known.get(authorization)
        if visitor is None or visitor.read_again <= self._clock():
            visitor = await self._read(authorization)
        if visitor.expires <= self._clock():
            self._known.pop(authorization, None)
            raise _invalid("the access token has expired")
        if not self._roster.admits(visitor.principal.client_id, visitor.generation):
            await self._ask_again(visitor)
        return visitor

    def sign(self, visitor: Visitor, *, supposed: Supposed = AS_IT_IS) -> bytes:
        """The signed principal the services believe; made anew when half its life is over.

        What a caller in the sandbox asked services to suppose is of one request.
        """
        if supposed != AS_IT_IS:
            return self._signer.sign(replace(visitor.principal, supposed=supposed)).encode()
        now = self._clock()
        if visitor.principal_until <= now:
            visitor.signed = self._signer.sign(visitor.principal).encode()
            visitor.principal_until = now + LIFE_SECONDS / 2
        return visitor.signed

    async def _read(self, authorization: bytes) -> Visitor:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise _invalid("the Authorization header must be: Bearer, a space, the access token")
        try:
            read = await self._believed(token.decode("ascii"))
        except KeysUnavailable as error:
            raise AccessUncertain(
                "the keys of the token's issuer cannot be had", headers={"Retry-After": "30"}
            ) from error
        except (NotVerified, UnicodeDecodeError) as error:
            raise _invalid("the access token is not good: ask for a new one") from error
        if len(self._known) >= self.REMEMBERED:
            self._forget()
        # A key that an outside issuer takes away must end what was signed with it, known here or not.
        good_for = remote.FRESH_SECONDS if read.generation == OUTSIDE else float("inf")
        visitor = Visitor(read.principal, read.generation, read.expires, self._clock() + good_for)
        self._known[authorization] = visitor
        return visitor

    async def _believed(self, token: str) -> AccessToken:
        """What a token of ours, or of an outside issuer, says. Raises NotVerified or KeysUnavailable."""
        issuer = self._issuers.of(token)
        if issuer is None:
            return self._tokens.read(token, now=self._clock())
        if issuer.due(token):
            await anyio.to_thread.run_sync(issuer.prepare, token, limiter=self._fetching)
        return issuer.read(token, now=self._clock())

    async def _ask_again(self, visitor: Visitor) -> None:
        """A token that the roster does not know may be newer than the roster: look once more."""
        await self._roster.try_to_refresh()
        if not self._roster.admits(visitor.principal.client_id, visitor.generation):
            raise _invalid("the access token has been revoked")

    def _forget(self) -> None:
        """Make room: what has expired goes, and the older half if that is not enough."""
        now = self._clock()
        live = {key: visitor for key, visitor in self._known.items() if visitor.expires > now}
        if len(live) > self.REMEMBERED // 2:
            live = dict(list(live.items())[len(live) // 2 :])
        self._known = live


def _invalid(detail: str) -> Unauthenticated:
    return Unauthenticated(detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})

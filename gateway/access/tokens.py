"""Access tokens: what a client shows at the door. ES256 JWTs (RFC 9068) that live ten minutes."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.access.jose import Keys, NotVerified, claims_of
from shared.principal import Principal

ALGORITHM = "ES256"
TYPE = "at+jwt"
CLOCK_SKEW = 30  # seconds by which another machine's clock may differ


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says once its signature has been checked. `expires` is in seconds since the epoch."""

    principal: Principal
    generation: int
    expires: float


class Tokens:
    """Makes tokens with one key and believes those made with it, or with one of the others that it is told."""

    def __init__(
        self, private_key: str, *, issuer: str, audience: str, seconds: int, more_keys: Sequence[str] = ()
    ) -> None:
        self._key = ECKey.import_key(orjson.loads(private_key))
        self._key.ensure_kid()
        more = [ECKey.import_key(orjson.loads(one)) for one in more_keys]
        for one in more:
            one.ensure_kid()
        believed = {one.kid: one for one in (self._key, *more)}  # each once: during a change one of them is our own
        self._published = [{**one.as_dict(private=False), "use": "sig", "alg": ALGORITHM} for one in believed.values()]
        self._keys = Keys(self._published, [ALGORITHM])
        self._issuer, self._audience, self.seconds = issuer, audience, seconds

    def jwks(self) -> dict[str, Any]:
        """The public keys, for `/.well-known/jwks.json`."""
        return {"keys": self._published}

    def issue(self, principal: Principal, *, generation: int, now: float) -> str:
        """A token for the principal, good from `now` (seconds since the epoch)."""
        claims = principal.claims() | {
            "iss": self._issuer,
            "aud": self._audience,
            "client_id": principal.client_id,
            "iat": int(now),
            "exp": int(now) + self.seconds,
            "jti": secrets.token_urlsafe(16),
            "gen": generation,
        }
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def read(self, token: str, *, now: float) -> AccessToken:
        """What the token says. Raises NotVerified for one that is forged, not for us, expired or not yet good."""
        header, payload = self._keys.verify(token)
        if header.get("typ") != TYPE:
            raise NotVerified("not an access token")
        claims = claims_of(payload)
        check_times(claims, now=now, longest=self.seconds, grace=0)
        if claims.get("iss") != self._issuer or not meant_for(claims, {self._audience}):
            raise NotVerified("made by or for somebody else")
        try:
            return AccessToken(Principal.of_claims(claims), int(claims["gen"]), float(claims["exp"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotVerified("claims are missing") from error


def check_times(claims: dict[str, Any], *, now: float, longest: float, grace: float = CLOCK_SKEW) -> None:
    """Refuse a JWT that has expired, is not good yet, or lives longer than `longest` seconds. Raises NotVerified.

    `grace` is how many seconds after its end it is still taken.
    """
    expires = _instant(claims, "exp")
    if expires is None:
        raise NotVerified("it does not say when it expires (exp)")
    if expires <= now - grace:
        raise NotVerified("it has expired (exp)")
    if expires > now + longest + CLOCK_SKEW:
        raise NotVerified(f"it lives too long: at most {longest:.0f} seconds (exp)")
    for name in ("iat", "nbf"):
        if (_instant(claims, name) or 0) > now + CLOCK_SKEW:
            raise NotVerified(f"it is from the future ({name})")


def meant_for(claims: dict[str, Any], audiences: Collection[str]) -> bool:
    """Whether its `aud`, one or several, names one of these."""
    aud = claims.get("aud")
    named = aud if isinstance(aud, list) else [aud]
    return any(isinstance(one, str) and one in audiences for one in named)


def _instant(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotVerified(f"it holds what is no time ({name})")
    return value

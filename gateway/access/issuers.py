"""Tokens of outside issuers (OpenID Connect): who is believed, and what their claims give here. Nothing by default.

An issuer is believed about its own tokens only, and for no more than its description grants; that some claim holds
`national` or `*` means nothing unless the description says what it gives. Nobody comes in this way who could change
clients or webhooks: those belong to registered clients, which can be revoked here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from gateway.access.jose import NotVerified, claims_of, unverified_payload
from gateway.access.queries import RANK
from gateway.access.remote import RemoteKeys
from gateway.access.roster import OUTSIDE
from gateway.access.schemas import ORGANISATION, Organisation, ScopeName
from gateway.access.tokens import AccessToken, check_times, meant_for
from gateway.outward.documents import NotFetched
from gateway.routes import SCOPES
from shared.principal import EVERYONE, Audience, Principal

DISCOVERY = "/.well-known/openid-configuration"
ONLY_REGISTERED = frozenset({"clients:read", "clients:write", "webhooks:read", "webhooks:write", "audit:read"})
MOST_ORGANISATIONS = 1000
_SUBJECT = re.compile(r"[A-Za-z0-9_.|@+=:/-]{1,120}")
_ORGANISATION = re.compile(ORGANISATION)

FetchDocument = Callable[[str], Mapping[str, Any]]
"""The JSON object at a URL; raises NotFetched."""


def _grantable(scopes: tuple[str, ...]) -> tuple[str, ...]:
    wrong = sorted(set(scopes) - (SCOPES - ONLY_REGISTERED))
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: no scope, or one for registered clients only")
    return scopes


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GivesScopes(_Described):
    """A claim, and the scopes that each of its values gives."""

    claim: str
    gives: dict[str, Annotated[tuple[ScopeName, ...], AfterValidator(_grantable)]]


class GivesOrganisations(_Described):
    """A claim, and the organisations that each of its values gives; or, `as_written`, it holds their codes itself."""

    claim: str
    gives: dict[str, tuple[Organisation, ...]] = {}
    as_written: bool = False


class GivesAudience(_Described):
    """A claim, and how exactly each of its values lets figures be seen; `public` where none does."""

    claim: str
    gives: dict[str, Audience]


class OutsideIssuer(_Described):
    """An issuer whose tokens are believed. `algorithms` are those it signs with; `seconds` the longest life taken."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,29}$")]
    issuer: str = Field(description="The `iss` of its tokens, to the letter; discovery is at this address.")
    audience: str = Field(min_length=1, description="What it puts into `aud` of tokens that are for this platform.")
    algorithms: tuple[Annotated[str, StringConstraints(pattern="^(RS256|RS512|ES256|EdDSA)$")], ...] = ("RS256",)
    seconds: int = Field(default=3600, ge=60, le=86400)
    subject: str = Field(default="sub", description="The claim that says who it is.")
    scopes: GivesScopes
    organisations: GivesOrganisations | None = None
    figures: GivesAudience | None = None

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """Who the claims say it is, and what they give here. Raises NotVerified where that is nothing."""
        subject = claims.get(self.subject)
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise NotVerified(f"it does not say who it is ({self.subject})")
        scopes = frozenset(
            one for value in _values(claims, self.scopes.claim) for one in self.scopes.gives.get(value, ())
        )
        if not scopes:
            raise NotVerified(f"it gives nothing here ({self.scopes.claim})")
        return Principal(f"{self.name}:{subject}", scopes, self._organisations(claims), self._figures(claims))

    def _organisations(self, claims: Mapping[str, Any]) -> frozenset[str]:
        told = self.organisations
        if told is None:
            return frozenset()
        values = _values(claims, told.claim)
        given = {code for value in values for code in told.gives.get(value, ())}
        if told.as_written:
            given |= {value for value in values if value != EVERYONE and _ORGANISATION.fullmatch(value)}
        if len(given) > MOST_ORGANISATIONS:
            raise NotVerified(f"too many organisations ({told.claim})")
        return frozenset(given)

    def _figures(self, claims: Mapping[str, Any]) -> Audience:
        told = self.figures
        given = [told.gives[value] for value in _values(claims, told.claim) if value in told.gives] if told else []
        return max(given, key=RANK.__getitem__, default="public")


def _values(claims: Mapping[str, Any], name: str) -> Sequence[str]:
    """The values of a claim: a list's strings, or the words of a string."""
    value = claims.get(name)
    if isinstance(value, str):
        return value.split()
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def discovered(issuer: OutsideIssuer, fetch: FetchDocument) -> Mapping[str, Any]:
    """The keys that an issuer publishes (JWKS), where its discovery says they are. Raises NotFetched."""
    told = fetch(issuer.issuer.rstrip("/") + DISCOVERY)
    if told.get("issuer") != issuer.issuer:
        raise NotFetched(f"what is at {DISCOVERY} speaks for another issuer")
    address = told.get("jwks_uri")
    if not isinstance(address, str):
        raise NotFetched("it does not say where its keys are (jwks_uri)")
    return fetch(address)


def told_apart(issuers: tuple[OutsideIssuer, ...]) -> tuple[OutsideIssuer, ...]:
    """The issuers, if their names and addresses differ. Raises ValueError."""
    for named in ([one.name for one in issuers], [one.issuer for one in issuers]):
        if len(set(named)) != len(named):
            raise ValueError("two issuers have the same name or address")
    return issuers


class Believed:
    """One issuer and its keys, found by discovery. Its tokens are read with the keys there are: `prepare` first."""

    def __init__(self, issuer: OutsideIssuer, fetch: FetchDocument) -> None:
        self._issuer = issuer
        self._keys = RemoteKeys(partial(discovered, issuer, fetch), issuer.algorithms)

    def due(self, token: str) -> bool:
        """Whether its keys should be fetched before this token is read."""
        return self._keys.due(token)

    def prepare(self, token: str) -> None:
        """Fetch its keys if that is due; takes seconds when it must."""
        self._keys.prepare(token)

    def read(self, token: str, *, now: float) -> AccessToken:
        """What the token gives here. Raises NotVerified or KeysUnavailable."""
        _, payload = self._keys.verify(token)
        claims = claims_of(payload)
        check_times(claims, now=now, longest=self._issuer.seconds, grace=0)
        if claims.get("iss") != self._issuer.issuer or not meant_for(claims, {self._issuer.audience}):
            raise NotVerified("made by or for somebody else")
        return AccessToken(self._issuer.principal(claims), OUTSIDE, float(claims["exp"]))


class Issuers:
    """Finds the issuer that a token says it is from, before anything about it is believed."""

    def __init__(self, issuers: Iterable[OutsideIssuer], fetch: FetchDocument) -> None:
        self._by_address = {one.issuer: Believed(one, fetch) for one in issuers}

    def of(self, token: str) -> Believed | None:
        """The outside issuer it names; None where it names none that is believed."""
        if not self._by_address:
            return None
        try:
            named = claims_of(unverified_payload(token)).get("iss")
        except NotVerified:
            return None
        return self._by_address.get(named) if isinstance(named, str) else None

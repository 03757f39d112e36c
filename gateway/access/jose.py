"""Signed tokens and the keys that verify them: one narrow way in, whoever signed.

Only public-key algorithms, each named by whoever calls: a token says which it uses and never decides that it may.
The algorithm must belong to the key's type, so a public key never serves as an HMAC secret; `none` is no algorithm.
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from joserfc import jws
from joserfc._rfc7515.model import JWSAlgModel
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

PublicKey = RSAKey | ECKey | OKPKey
KEY_TYPES: Mapping[str, tuple[str, str | None]] = {  # algorithm -> key type, curve
    "RS256": ("RSA", None),
    "RS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
SMALLEST_RSA_BITS = 2048
ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
LARGEST_TOKEN = 16 * 1024
PRIVATE_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class _Registry(jws.JWSRegistry):
    """joserfc's algorithms, where `EdDSA` is another name of `Ed25519`: it warns of the old name, which clients use."""

    def get_alg(self, name: str) -> JWSAlgModel:
        if name == "EdDSA" and self.allowed and name in self.allowed:
            return self.algorithms["Ed25519"]
        return super().get_alg(name)


class UnusableKeys(ValueError):
    """These keys cannot verify anything; the message says which and why."""


class NotVerified(Exception):
    """The token was not signed by any of these keys in an allowed way."""


class Keys:
    """Public keys, found by `kid`. Raises UnusableKeys for a set that is empty, ambiguous, weak or not public."""

    def __init__(self, jwks: Sequence[Mapping[str, Any]], algorithms: Collection[str]) -> None:
        if not jwks or not all(isinstance(jwk, Mapping) for jwk in jwks):
            raise UnusableKeys("there must be keys, each a JSON object (JWK)")
        self._algorithms = frozenset(algorithms)
        self._keys = [(jwk.get("kid"), jwk.get("alg"), _public_key(jwk, self._algorithms)) for jwk in jwks]
        names = self.names
        if len(set(names)) != len(names) or (None in names and len(names) > 1):
            raise UnusableKeys("where there are several keys, each needs a `kid` of its own")

    @property
    def names(self) -> list[str | None]:
        """The `kid` of each; None for a key alone that has none."""
        return [kid for kid, _, _ in self._keys]

    def verify(self, token: str) -> tuple[dict[str, Any], bytes]:
        """The header and payload of a compact JWS. Raises NotVerified."""
        if len(token) > LARGEST_TOKEN or not token.isascii():
            raise NotVerified("too large or not ASCII")
        header = _header(token)
        key = self._key(header)
        try:
            signed = jws.deserialize_compact(token, key, registry=_Registry(algorithms=[header["alg"]]))
        except (JoseError, ValueError, TypeError) as error:
            raise NotVerified("the signature is wrong") from error
        return dict(signed.headers()), signed.payload

    def may_verify(self, token: str) -> bool:
        """Whether there is a key for it: where not, another set of keys may have one. False for what is no token."""
        try:
            self._key(_header(token))
        except NotVerified:
            return False
        return True

    def _key(self, header: Mapping[str, Any]) -> PublicKey:
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._algorithms:
            raise NotVerified("this algorithm is not taken")
        for name, only, key in self._keys:
            if (kid == name or (kid is None and len(self._keys) == 1)) and only in (None, algorithm):
                if KEY_TYPES[algorithm] != _type_of(key):
                    raise NotVerified("the algorithm does not belong to the key")
                return key
        raise NotVerified("no key has this `kid`")


def _header(token: str) -> dict[str, Any]:
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise NotVerified("not a signed token") from error
    if not isinstance(header, dict) or {"crit", "b64"} & header.keys() or not isinstance(header.get("alg"), str):
        raise NotVerified("not a header that is understood")
    return header


def _public_key(jwk: Mapping[str, Any], algorithms: frozenset[str]) -> PublicKey:
    name = jwk.get("kid", "without kid")
    if PRIVATE_PARTS & jwk.keys():
        raise UnusableKeys(f"key {name} is private or shared: send only the public half, and make a new pair")
    uses = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(uses, list) or "verify" not in uses:
        raise UnusableKeys(f"key {name} is not for signatures")
    if jwk.get("kty") == "RSA":
        _refuse_weak_rsa(str(name), jwk.get("n"))
    try:
        key = JWKRegistry.import_key(dict(jwk))
        key.check_use("sig")
        type_ = _type_of(key)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise UnusableKeys(f"key {name} cannot be read") from error
    taken = {algorithm for algorithm in algorithms if KEY_TYPES[algorithm] == type_}
    if not taken or jwk.get("alg", next(iter(taken))) not in taken:
        raise UnusableKeys(f"key {name} is of a type or for an algorithm that is not taken")
    assert isinstance(key, PublicKey)  # noqa: S101 - the types of the table above
    return key


def _refuse_weak_rsa(name: str, modulus: Any) -> None:
    try:
        n = int.from_bytes(base64.urlsafe_b64decode(str(modulus) + "=="), "big")
    except ValueError as error:
        raise UnusableKeys(f"key {name} cannot be read") from error
    if n.bit_length() < SMALLEST_RSA_BITS:
        raise UnusableKeys(f"key {name} is shorter than {SMALLEST_RSA_BITS} bits")
    if all(n % prime in _powers_of_65537(prime) for prime in ROCA_PRIMES):
        raise UnusableKeys(f"key {name} was made by a chip whose keys can be factored (CVE-2017-15361)")


@cache
def _powers_of_65537(prime: int) -> frozenset[int]:
    return frozenset(pow(65537, exponent, prime) for exponent in range(prime - 1))


def _type_of(key: Any) -> tuple[str, str | None]:
    return key.key_type, None if isinstance(key, RSAKey) else getattr(key, "curve_name", None)


def claims_of(payload: bytes) -> dict[str, Any]:
    """The claims in a JWT's payload. Raises NotVerified where it is no JSON object."""
    try:
        claims = orjson.loads(payload)
    except ValueError as error:
        raise NotVerified("the claims are not JSON") from error
    if not isinstance(claims, dict):
        raise NotVerified("the claims are not an object")
    return claims


def unverified_payload(token: str) -> bytes:
    """The payload of a JWT before anything about it is believed. Raises NotVerified for what is no JWT."""
    try:
        middle = token.split(".")[1]
        return base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))
    except (IndexError, ValueError) as error:
        raise NotVerified("not a signed token") from error

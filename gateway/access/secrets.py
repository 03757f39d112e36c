"""Client secrets: made here, shown once, kept only as an argon2id hash."""

import secrets
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PREFIX = "psip_"  # lets a scanner of leaked secrets recognise one


def new_secret() -> str:
    """A secret with 256 bits of chance in it."""
    return PREFIX + secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is stored of a secret."""
    return _hasher().hash(secret)


def matches(secret: str, hashes: Iterable[str]) -> bool:
    """Whether it is one of these; takes as long when there are none, so the clock does not tell which clients exist."""
    verdicts = [_verifies(secret, one) for one in hashes]
    return any(verdicts) if verdicts else _verifies(secret, _decoy()) and False


def _verifies(secret: str, stored: str) -> bool:
    try:
        return _hasher().verify(stored, secret)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's least: 19 MiB, about 20 ms


@cache
def _decoy() -> str:
    return hashed(new_secret())

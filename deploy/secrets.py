"""The secrets of an installation: one file each in a private folder, so that each process can be given only its own.

`psip secrets DIR` makes those that are missing. The gateway needs `principal.private.jwk` and `token.private.jwk`;
the services need `principal.public.jwk`; ingest alone needs `pseudonym.key`. The gateway and the worker of webhooks
share `webhooks.key`. `NAME.password` is the password of the
account NAME on the PostgreSQL server: `postgres` owns it, and each service has an account of its own.
"""

import os
import secrets
from pathlib import Path

import orjson
from joserfc.jwk import ECKey

from deploy.databases import SERVICE_DATABASES
from shared.principal import new_key

PRINCIPAL_PRIVATE = "principal.private.jwk"
PRINCIPAL_PUBLIC = "principal.public.jwk"
TOKEN_PRIVATE = "token.private.jwk"  # noqa: S105 - a file's name
TOKEN_NEXT = "token.next.jwk"  # noqa: S105 - likewise; there only while the key is being changed
PSEUDONYM = "pseudonym.key"
WEBHOOKS = "webhooks.key"


def password(account: str) -> str:
    """The secret that holds the password of an account on the PostgreSQL server."""
    return f"{account}.password"


RANDOM = (PSEUDONYM, WEBHOOKS, *map(password, ("postgres", *SERVICE_DATABASES)))
NAMES = (PRINCIPAL_PRIVATE, PRINCIPAL_PUBLIC, TOKEN_PRIVATE, *RANDOM)
"""Every secret of an installation."""


def ensure(folder: Path) -> None:
    """Make the folder and whatever secret it lacks; what is there stays as it is, but for half a pair of keys."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pair = folder / PRINCIPAL_PUBLIC, folder / PRINCIPAL_PRIVATE
    if not all(one.exists() for one in pair):
        for one in pair:
            one.unlink(missing_ok=True)
        private, public = new_key()
        _write(folder / PRINCIPAL_PUBLIC, public)
        _write(folder / PRINCIPAL_PRIVATE, private)
    _ensure_token_key(folder / TOKEN_PRIVATE)
    for name in RANDOM:
        if not (folder / name).exists():
            _write(folder / name, secrets.token_hex(32))


def ensure_next_token_key(folder: Path) -> None:
    """Make the key that is to sign tokens next, if there is none yet."""
    _ensure_token_key(folder / TOKEN_NEXT)


def use_next_token_key(folder: Path) -> None:
    """Put the next key in the place of the one that signs tokens. Raises SystemExit when there is none."""
    try:
        (folder / TOKEN_NEXT).replace(folder / TOKEN_PRIVATE)
    except FileNotFoundError as error:
        raise SystemExit(f"there is no next key: make it with `psip token-key next {folder}`") from error


def _ensure_token_key(path: Path) -> None:
    if not path.exists():
        key = ECKey.generate_key("P-256", auto_kid=True)
        _write(path, orjson.dumps(key.as_dict(private=True)).decode())


def read(folder: Path, name: str) -> str:
    """One secret. Raises SystemExit, with the remedy, when it is not there."""
    try:
        return (folder / name).read_text().strip()
    except OSError as error:
        raise SystemExit(f"the secret {name} cannot be read ({error}): make it with `psip secrets {folder}`") from error


def _write(path: Path, text: str) -> None:
    # The folder is what keeps others out; a container that is handed one file reads it as a user of its own.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)

"""`psip token-key`: the key that signs access tokens is changed without a token being refused."""

from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer
from joserfc.jwk import ECKey

from deploy import secrets


def change_token_key(
    step: Annotated[Literal["next", "use"], typer.Argument(help="next makes the next key; use signs with it.")],
    folder: Annotated[Path, typer.Argument(help="The folder of secrets.")],
) -> None:
    """Change the key that signs access tokens, in two steps, so that no replica is shown a token it cannot read.

    Each prints the public keys that every replica must believe meanwhile, for PSIP_MORE_TOKEN_KEYS.
    """
    before = _public(secrets.read(folder, secrets.TOKEN_PRIVATE))
    if step == "next":
        secrets.ensure_next_token_key(folder)
        after = _public(secrets.read(folder, secrets.TOKEN_NEXT))
    else:
        secrets.use_next_token_key(folder)
        after = _public(secrets.read(folder, secrets.TOKEN_PRIVATE))
    typer.echo(orjson.dumps([before, after]).decode())


def _public(private: str) -> dict[str, Any]:
    return dict(ECKey.import_key(orjson.loads(private)).as_dict(private=False))

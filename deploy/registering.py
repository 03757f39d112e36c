"""`psip register`: a client registered on the installation's authority, before any client could."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from pydantic import ValidationError

from deploy.settings import Environment
from gateway.access.commands import register_client, register_signer
from gateway.access.schemas import NewClient
from shared.db import Database
from shared.problems import Problem


def register(
    client_id: Annotated[str, typer.Argument(help="What the client is called.")],
    name: Annotated[str, typer.Option(help="Whose it is, in words.")],
    scopes: Annotated[str, typer.Option(help="What it may do, with spaces between.")],
    organisations: Annotated[str, typer.Option(help="Codes it acts for, with spaces between; * for all.")] = "",
    audience: Annotated[str, typer.Option(help="public, member or national.")] = "public",
    jwks: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A file of its public keys: it signs, with no secret."),
    ] = None,
    jwks_uri: Annotated[str | None, typer.Option(help="Where it publishes its public keys: likewise.")] = None,
) -> None:
    """Register a client with the gateway and print its secret, which is kept nowhere; one that signs has none."""
    given = {"client_id": client_id, "name": name, "scopes": scopes.split(), "organisations": organisations.split()}
    environment = Environment()
    with closing(Database(environment.url("gateway"), pool_size=1)) as database:
        try:
            keys = {"jwks": orjson.loads(jwks.read_bytes()) if jwks else None, "jwks_uri": jwks_uri}
            wanted = NewClient.model_validate(given | keys | {"audience": audience})
            typer.echo(_registered(database, wanted, sandbox=environment.sandbox))
        except ValidationError as error:
            # Without what was given: a key that was meant to stay private could be among it.
            wrong = ("/".join(map(str, one["loc"])) + f": {one['msg']}" for one in error.errors())
            raise SystemExit(f"the client cannot be registered: {'; '.join(wrong)}") from None
        except (Problem, orjson.JSONDecodeError) as error:
            raise SystemExit(f"the client cannot be registered: {error}") from None


def _registered(database: Database, wanted: NewClient, *, sandbox: bool) -> Any:
    """Its secret, or where its keys are."""
    with database.session() as session:
        if wanted.jwks is not None or wanted.jwks_uri is not None:
            return register_signer(session, wanted, sandbox=sandbox).jwks_uri or "it signs with its own key"
        return register_client(session, **wanted.model_dump(exclude={"jwks", "jwks_uri"}))

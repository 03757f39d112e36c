"""`psip issuers`: whether the outside issuers that are believed can be asked for their keys from here."""

from functools import partial

import typer

from deploy.settings import Environment
from gateway.access.issuers import FetchDocument, OutsideIssuer, discovered
from gateway.access.jose import UnusableKeys
from gateway.access.remote import usable
from gateway.outward.addresses import look_up
from gateway.outward.documents import NotFetched, fetch


def check_issuers() -> None:
    """Ask each outside issuer in PSIP_ISSUERS for its keys, and say which it has; fails when one has none."""
    environment = Environment()
    ask = partial(fetch, resolve=look_up, sandbox=environment.sandbox)
    told = [_told(one, ask) for one in environment.issuers or ()]
    for _, line in told:
        typer.echo(line)
    if not told:
        typer.echo("no outside issuer is believed: PSIP_ISSUERS is not set")
    if not all(well for well, _ in told):
        raise SystemExit(1)


def _told(issuer: OutsideIssuer, ask: FetchDocument) -> tuple[bool, str]:
    try:
        keys = usable(discovered(issuer, ask).get("keys"), frozenset(issuer.algorithms))
    except (NotFetched, UnusableKeys) as error:
        return False, f"{issuer.name}: {issuer.issuer} gives no keys: {error}"
    names = ", ".join(str(one) for one in keys.names)
    return True, f"{issuer.name}: {issuer.issuer} signs {', '.join(issuer.algorithms)} with {names}"

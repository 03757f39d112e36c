"""Tests of what operators do about access from a terminal."""

import re
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from deploy.cli import app
from deploy.serving import Server
from deploy.settings import Environment
from gateway.access.jose import NotVerified
from gateway.access.models import Client
from gateway.access.tokens import Tokens
from shared.db import Database
from shared.principal import Principal
from tests.gateway.access.publishing import RSA, Publisher

GUIDE = (Path(__file__).parents[2] / "docs" / "operators.md").read_text()
NOW = 1_800_000_000.0
SIGNER = ["--name", "A system that signs", "--scopes", "measures:read"]


def psip(*arguments, **environment):
    given = {f"PSIP_{name.upper()}": value for name, value in environment.items()}
    return CliRunner().invoke(app, list(arguments), env=given)


@pytest.fixture(scope="module")
def server(new_database):
    """The one database of an installation that has a gateway only."""
    url = new_database("gateway")
    patch = pytest.MonkeyPatch()
    patch.setattr(Environment, "url", lambda *_: url)
    yield url
    patch.undo()


def client(url, client_id):
    with closing(Database(url)) as database, database.session() as session:
        return session.get(Client, client_id)


def test_a_client_that_signs_is_registered_with_the_file_of_its_keys(server, tmp_path):
    key = ECKey.generate_key("P-256", auto_kid=True)
    (tmp_path / "keys.json").write_bytes(orjson.dumps({"keys": [key.as_dict(private=False)]}))

    done = psip("register", "with-keys", *SIGNER, "--jwks", str(tmp_path / "keys.json"))

    assert (done.exit_code, done.output) == (0, "it signs with its own key\n")
    assert [one["kid"] for one in client(server, "with-keys").keys] == [key.kid]


@pytest.mark.parametrize(
    ("content", "says"), [(None, "jwks/keys: Field required"), (b"-----BEGIN", "not be registered")]
)
def test_what_is_no_file_of_public_keys_is_refused_and_not_repeated(server, tmp_path, content, says):
    private = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)
    (tmp_path / "keys.json").write_bytes(content or orjson.dumps(private))

    done = psip("register", "with-keys", *SIGNER, "--jwks", str(tmp_path / "keys.json"))

    assert done.exit_code == 1
    assert says in done.output
    assert private["d"] not in done.output


def test_a_client_that_publishes_its_keys_is_registered_with_their_address(server):
    done = psip("register", "with-address", *SIGNER, "--jwks-uri", "https://keys.example/jwks")

    assert (done.exit_code, client(server, "with-address").jwks_uri) == (0, "https://keys.example/jwks")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["one-client", *SIGNER, "--jwks-uri", "http://keys.example"], "only https"),
        (["one-client", "--name", "x", "--scopes", "nothing:read"], "is no scope"),
        (["One Client", *SIGNER], "client_id"),
    ],
)
def test_a_client_that_cannot_be_is_told_why(server, arguments, says):
    done = psip("register", *arguments)

    assert done.exit_code == 1
    assert says in done.output


def described(url):
    return orjson.dumps(
        [{"name": "icb", "issuer": url, "audience": "psip", "scopes": {"claim": "roles", "gives": {}}}]
    ).decode()


def test_operators_see_which_keys_an_outside_issuer_has():
    publisher = Publisher()
    with Server(publisher) as outside:
        publisher.url = outside.url
        done = psip("issuers", issuers=described(outside.url), sandbox="true")

    assert (done.exit_code, done.output) == (0, f"icb: {outside.url} signs RS256 with {RSA.kid}\n")


def test_operators_see_why_an_outside_issuer_cannot_be_asked():
    done = psip("issuers", issuers=described("https://127.0.0.1"))

    assert done.exit_code == 1
    assert "icb: https://127.0.0.1 gives no keys: the host is not in the public" in done.output


def test_the_issuer_in_the_guide_of_operators_can_be_copied():
    (example,) = re.findall(r"^```json\n(\[\{.*?\}\])\n```", GUIDE, re.MULTILINE | re.DOTALL)

    (issuer,) = Environment(issuers=orjson.loads(example)).issuers or ()

    told = issuer.principal({"sub": "ann", "roles": ["safety.analyst"], "systems": ["east"]})
    assert (told.client_id, told.organisations, told.audience) == ("icb:ann", {"QH8", "QJG"}, "member")


# The key that signs tokens


def gateway_with(folder, *more):
    return Tokens((folder / "token.private.jwk").read_text(), issuer="i", audience="a", seconds=600, more_keys=more)


def reads(gateway, token):
    try:
        gateway.read(token, now=NOW)
    except NotVerified:
        return False
    return True


def issued(gateway):
    return gateway.issue(Principal("c", frozenset()), generation=1, now=NOW)


def test_while_the_key_changes_every_replica_reads_the_tokens_of_every_other(tmp_path):
    assert psip("secrets", str(tmp_path)).exit_code == 0
    before = gateway_with(tmp_path)
    told = psip("token-key", "next", str(tmp_path)).output
    more = [orjson.dumps(one).decode() for one in orjson.loads(told)]
    told_and_old = gateway_with(tmp_path, *more)
    used = psip("token-key", "use", str(tmp_path))
    told_and_new = gateway_with(tmp_path, *more)
    after = gateway_with(tmp_path)

    rollouts = [(before, told_and_old), (told_and_old, told_and_new), (told_and_new, after)]

    assert orjson.loads(used.output) == orjson.loads(told)
    assert all(reads(one, issued(two)) and reads(two, issued(one)) for one, two in rollouts)
    assert not reads(after, issued(before))
    assert [len(one.jwks()["keys"]) for one in (before, told_and_old, told_and_new, after)] == [1, 2, 2, 1]
    assert not (tmp_path / "token.next.jwk").exists()


def test_the_next_key_stays_the_same_until_it_is_used(tmp_path):
    psip("secrets", str(tmp_path))
    once, again = (psip("token-key", "next", str(tmp_path)).output for _ in range(2))
    assert once == again


def test_a_key_that_was_not_made_cannot_be_used(tmp_path):
    psip("secrets", str(tmp_path))
    done = psip("token-key", "use", str(tmp_path))
    assert done.exit_code == 1
    assert "psip token-key next" in done.output

"""Those who change the registry."""

import pytest

from services.programmes.rules.catalogue import load
from tests.programmes.writing.samples import A_MEASURE, A_PROGRAMME, good

CATALOGUE = load()
READ_AND_WRITE = "programmes:read programmes:write"


@pytest.fixture(scope="module")
def untouched(new_registry):
    """A registry with the catalogue, for what must not change it."""
    registry = new_registry()
    registry.load(CATALOGUE)
    return registry


@pytest.fixture
def registry(registry):
    registry.load(CATALOGUE)
    registry.forget_events()
    return registry


class Caller:
    """Somebody who may read and write, for some organisations."""

    def __init__(self, registry, client, *organisations, scopes=READ_AND_WRITE):
        self.registry, self.client, self.organisations, self.scopes = registry, client, organisations, scopes

    def __call__(self, method, path, body=None, **more):
        sent = {} if body is None else {"json": body}
        return self.registry.ask(
            method,
            f"/v1{path}",
            scopes=self.scopes,
            organisations=self.organisations,
            client=self.client,
            **sent,
            **more,
        )


@pytest.fixture
def lead(registry):
    return Caller(registry, "lead", "EAST")


@pytest.fixture
def second(registry):
    return Caller(registry, "second", "EAST")


@pytest.fixture
def elsewhere(registry):
    return Caller(registry, "elsewhere", "NENC")


@pytest.fixture
def national(registry):
    return Caller(registry, "national", "*")


@pytest.fixture
def drafted(lead):
    good(lead("POST", "/programmes", A_PROGRAMME), 201)
    return good(lead("POST", "/measures", A_MEASURE), 201)

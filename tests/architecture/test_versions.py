"""There is one version: of the distribution, the reference, the events and the clients."""

import json
import tomllib
from pathlib import Path

from deploy import contracts, openapi

ROOT = Path(__file__).parents[2]


def test_everything_that_has_a_version_has_the_one_of_the_distribution() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    client = ROOT / "clients" / "typescript"
    lock = json.loads((client / "package-lock.json").read_text())

    told = {
        "openapi.json": json.loads(openapi.FILE.read_text())["info"]["version"],
        "asyncapi.json": json.loads(contracts.FILE.read_text())["info"]["version"],
        "package.json": json.loads((client / "package.json").read_text())["version"],
        "package-lock.json": lock["packages"][""]["version"],
    }

    assert told == dict.fromkeys(told, version), "give all of them the version of pyproject.toml, then: make contracts"

"""The client in TypeScript: its types are those of the reference, and on a real platform it does as its guide says."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.examples import ROOT, examples, printed_by, script
from tests.journeys.journey import Journey

pytestmark = pytest.mark.node

CLIENT = ROOT / "clients" / "typescript"
REFERENCE = ROOT / "gateway" / "openapi.json"
BUILT = ("node_modules", "dist")
OLDEST_NODE = 20
QUIET = ("--prefer-offline", "--ignore-scripts", "--loglevel=error")


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client with its packages, built with the examples of its guide, away from the checkout."""
    folder = tmp_path_factory.mktemp("client") / "typescript"
    shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns(*BUILT))
    if reason := why_unavailable(folder):
        (pytest.fail if os.environ.get("PSIP_REQUIRE_NODE") == "1" else pytest.skip)(reason)
    (folder / "journey" / "readme.ts").write_text(script(list(examples(CLIENT / "README.md"))))
    ran = run(["npm", "run", "--silent", "build"], folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def why_unavailable(folder: Path) -> str | None:
    """Why the client cannot be built here, in one sentence; None when its packages are in place."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "the client in TypeScript needs Node.js, and there is no node with npm on the PATH"
    version = run(["node", "--version"], folder).stdout
    if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        return f"the client in TypeScript needs Node.js {OLDEST_NODE} or newer, and this is {version.strip()}"
    installed = run(["npm", "ci", *QUIET], folder)
    return f"its packages cannot be had: {installed.stderr[-500:]}" if installed.returncode else None


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)


def run_beside(journey: Journey, command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """What a program prints while the platform works on what it sends; it must succeed."""
    printed = folder / "printed"
    with printed.open("w") as output:
        program = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while program.poll() is None:
                journey.settle()
        finally:
            program.kill()
            program.wait()
    assert program.returncode == 0, printed.read_text()
    return printed.read_text()


def test_the_types_are_those_of_the_reference(client: Path) -> None:
    made = client / "made.ts"
    ran = run(["npx", "--no-install", "openapi-typescript", str(REFERENCE), "--output", str(made)], client)

    assert ran.returncode == 0, ran.stderr
    assert (client / "src" / "generated.ts").read_text() == made.read_text(), "run: make contracts"


def test_the_packages_are_locked_by_hash_and_by_no_address() -> None:
    lock = json.loads((CLIENT / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}

    assert packages
    assert all("integrity" in one and "resolved" not in one for one in packages.values())


def test_nothing_but_the_platform_is_needed_at_run_time() -> None:
    about = json.loads((CLIENT / "package.json").read_text())

    assert "dependencies" not in about
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in about["devDependencies"].values())


def test_its_own_tests_hold(client: Path) -> None:
    ran = run(["npm", "run", "--silent", "unit"], client)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_page_goes_from_a_token_to_a_chart(client: Path, journey: Journey) -> None:
    journey.introduce("page", "RTE", like="trust")
    environment = {"PSIP_URL": journey.url, "PSIP_CLIENT": ":".join(journey.credentials("page"))}

    run_beside(journey, ["npm", "run", "--silent", "journey"], client, environment)


def test_the_examples_of_its_guide_run_in_order_and_print_what_it_says(client: Path, journey: Journey) -> None:
    client_id, client_secret = journey.credentials("trust")
    told = {"base_url": journey.url, "clients": {"trust": {"client_id": client_id, "client_secret": client_secret}}}
    (client / ".psip").mkdir(exist_ok=True)
    (client / ".psip" / "demo.json").write_text(json.dumps(told))

    printed = run_beside(journey, ["node", "dist/journey/readme.js"], client, {})

    for one in examples(CLIENT / "README.md"):
        missing = one.missing(printed_by(one, printed))
        assert missing is None, f"README.md, line {one.line}, does not print {missing!r}:\n{printed}"

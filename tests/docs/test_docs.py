"""The documentation is true: its examples run, its links lead somewhere, and nothing there is is left out."""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.main import get_command

from deploy import cli
from deploy.services import APPS
from deploy.settings import Environment
from gateway.openapi import METHODS
from shared.problems import Problem
from tests.docs.examples import LANGUAGES, ROOT, Example, examples, printed_by, script

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(one.relative_to(ROOT)) for one in DOCUMENTS]
SESSIONS = [
    (name, language)
    for name, document in zip(NAMES, DOCUMENTS, strict=True)
    for language in LANGUAGES
    if any(one.language == language for one in examples(document))
]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:\.?[\w-]+/)+[\w.-]+\.(?:py|toml|csv|md|yml|svg|ini|json|xml)|(?:[\w-]+/){2,}")
_ADDRESS = re.compile(r"(?:(GET|POST|PUT|DELETE) )?(/(?:v1|oauth2)/[\w{}./-]*[\w}])")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


@pytest.mark.parametrize(("name", "language"), SESSIONS, ids=[" ".join(one) for one in SESSIONS])
def test_the_examples_of_a_document_run_in_order_and_print_what_it_says(
    name: str, language: str, sandbox: Path, environment: dict[str, str]
) -> None:
    session = [one for one in examples(ROOT / name) if one.language == language]
    command = ["bash", "-c"] if language == "bash" else [sys.executable, "-c"]

    ran = subprocess.run(
        [*command, script(session)], cwd=sandbox, env=environment, capture_output=True, text=True, timeout=120
    )

    assert ran.returncode == 0, f"{name}: the example of line {_last(session, ran.stdout)} fails:\n{ran.stderr}"
    for one in session:
        missing = one.missing(printed_by(one, ran.stdout))
        assert missing is None, f"{name}, line {one.line}, does not print {missing!r}:\n{printed_by(one, ran.stdout)}"


def _last(session: list[Example], output: str) -> int:
    return max((one.line for one in session if f"line {one.line}\n" in output), default=0)


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    document = ROOT / name
    for target in _LINK.findall(_FENCED.sub("", document.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in {_anchor(one) for one in _HEADING.findall(found.read_text())}, f"{name} links to {target}"


def _anchor(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return plain.strip().replace(" ", "-")


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_is_named_exists(name: str) -> None:
    for code in _CODE.findall(_FENCED.sub("", (ROOT / name).read_text())):
        if _PATH.fullmatch(code) and not code.startswith((".psip/", ".secrets/", ".venv/")):
            assert (ROOT / code).exists(), f"{name} names {code}"


def test_every_address_that_is_named_is_one_the_gateway_serves(sandbox: Path) -> None:
    paths = httpx.get(f"{_base(sandbox)}/openapi.json").json()["paths"]
    served = {_shape(path): METHODS & operations.keys() for path, operations in paths.items()}
    for name in NAMES:
        for method, address in _ADDRESS.findall((ROOT / name).read_text()):
            found = [methods for shape, methods in served.items() if _fits(address, shape)]
            assert found, f"{name} names {address}"
            assert not method or any(method.lower() in methods for methods in found), f"{name} names {method} {address}"


def _base(sandbox: Path) -> str:
    return str(json.loads((sandbox / ".psip/demo.json").read_text())["base_url"])


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _fits(address: str, shape: str) -> bool:
    """Whether an address, with names or values in the places of a path, is of this shape."""
    wanted, steps = shape.split("/"), address.split("/")
    return len(wanted) == len(steps) and all(w == "{}" or w == s for w, s in zip(wanted, steps, strict=True))


def test_every_variable_of_the_environment_is_explained_to_operators() -> None:
    told = set(re.findall(r"`(PSIP_[A-Z_]+)`", (ROOT / "docs/operators.md").read_text()))
    there = {f"PSIP_{name.upper()}" for name in Environment.model_fields}
    assert there <= told, "docs/operators.md leaves out a variable of deploy/settings.py"


def test_every_variable_that_is_named_is_one_somebody_reads() -> None:
    settings = {f"PSIP_{name.upper()}" for name in Environment.model_fields}
    code = "".join(path.read_text() for path in (ROOT / "docker-compose.yml", ROOT / "tests/conftest.py"))
    for name in NAMES:
        named = set(re.findall(r"\bPSIP_[A-Z_]+[A-Z]\b", (ROOT / name).read_text()))
        unknown = {one for one in named - settings if one not in code}
        assert not unknown, f"{name} names {unknown}"


def test_every_command_is_explained_to_operators() -> None:
    text = (ROOT / "docs/operators.md").read_text()
    for command in _commands(get_command(cli.app), "psip"):
        assert command in text, f"docs/operators.md leaves out `{command}`"


def _commands(command: object, name: str) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield name
    for step, one in inner.items():
        yield from _commands(one, f"{name} {step}")


def test_every_problem_has_a_title_and_a_line_in_the_list_of_problems() -> None:
    text = (ROOT / "docs/problems.md").read_text()
    listed = set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE))
    there = {kind.slug: kind for kind in _problems()}
    for slug, kind in there.items():
        assert kind.__doc__, f"{kind.__name__} has no docstring, which is its title"
        assert slug in listed, f"docs/problems.md leaves out {slug}: {kind.title()}"
    assert listed <= there.keys(), "docs/problems.md lists what is no problem"


def _problems() -> Iterator[type[Problem]]:
    for package in ("services", "gateway", "shared"):
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if module.name.endswith((".problems", ".caching")):
                importlib.import_module(module.name)
    waiting = [Problem]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        yield from (one for one in kinds if one.__module__.partition(".")[0] in ("services", "gateway", "shared"))
        waiting += kinds


def test_every_service_has_a_charter_that_says_what_it_owns_publishes_hears_and_leaves_alone() -> None:
    for name in APPS:
        module = importlib.import_module("gateway" if name == "gateway" else f"services.{name}")
        for word in ("Owns", "Publishes", "Listens to", "Does not"):
            assert f"\n{word} " in (module.__doc__ or ""), f"{module.__name__} does not say what it {word.lower()}"


@pytest.mark.parametrize("name", NAMES)
def test_a_document_speaks_of_no_machine_but_the_readers(name: str) -> None:
    text = (ROOT / name).read_text()
    for pattern in (r"/(?:home|root|work|Users|tmp)/\w", r"\blocalhost:\d", r"https?://[^\s/)]*(?:pypi|artifactory|nexus)"):
        assert not re.search(pattern, text), f"{name}: {re.search(pattern, text)}"

"""The documentation is true: its examples run, its links lead somewhere, and nothing there is is left out."""

import ast
import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.main import get_command

from deploy import cli
from deploy.credentials import Credentials
from deploy.settings import Environment
from gateway.openapi import METHODS
from services.measures.queries import exports
from services.measures.rules import drawing
from shared.problems import Problem
from tests.docs.examples import LANGUAGES, ROOT, Example, examples, printed_by, script

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "clients").glob("*/README.md")])
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
    if any("curl " in one.code for one in session) and shutil.which("curl") is None:
        pytest.skip("there is no curl on the PATH, which these examples call")
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
    settings = {f"PSIP_{name.upper()}" for name in (*Environment.model_fields, *Credentials.model_fields)}
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


_OTHER_WORDS = re.compile(r"(?<![a-z])(?:metric|indicator|kpi)s?(?![a-z])", re.IGNORECASE)
_OF_THE_MACHINE = frozenset({"Metrics", "metrics", "show_metrics", "metrics_enabled"})
"""Prometheus calls its own figures metrics, and so do Kafka's clients."""
_BY_THE_NAME_OF_A_METHOD = frozenset({"indicators"})
"""The module of the methods of PHEindicatormethods."""


def test_a_measure_is_called_a_measure_in_the_code() -> None:
    allowed = _OF_THE_MACHINE | _BY_THE_NAME_OF_A_METHOD
    for package in ("services", "gateway", "shared", "deploy", "psip"):
        for file in (ROOT / package).rglob("*.py"):
            named = {name for name in _identifiers(file) if _OTHER_WORDS.search(_apart(name))} - allowed
            assert not named, f"{file.relative_to(ROOT)} has another word for a measure: {named}"


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_is_called_a_measure_in_the_documentation(name: str) -> None:
    for line in (ROOT / name).read_text().splitlines():
        if "Prometheus" not in line and "/metrics" not in line:
            assert not _OTHER_WORDS.search(line), f"{name}: {line}"


def _identifiers(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        for field in ("name", "id", "attr", "arg"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value


def _apart(name: str) -> str:
    """The words of a name: `KpiOfTrust` is `Kpi Of Trust`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name)


def test_every_column_that_can_be_taken_away_is_in_the_data_dictionary() -> None:
    text = "".join((ROOT / "docs" / name).read_text() for name in ("data-dictionary.md", "exports.md"))
    columns = {*drawing.COLUMNS, *exports.SCHEMA, *_columns_of_tables()}
    told = set(re.findall(r"`([a-z0-9_]+)`", text))
    assert columns <= told, f"docs/data-dictionary.md and docs/exports.md leave out {columns - told}"


def _columns_of_tables() -> Iterator[str]:
    """The fields of the items of every list that the reference gives as CSV too."""
    document = json.loads((ROOT / "gateway/openapi.json").read_text())
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        content = path.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if {"text/csv", "application/json"} <= content.keys():
            answer = content["application/json"]["schema"].get("$ref", "")
            fields = schemas.get(answer.rpartition("/")[2], {}).get("properties", {})
            listed = fields.get("items", {}).get("items", {}).get("$ref", "")
            yield from schemas.get(listed.rpartition("/")[2], {}).get("properties", ())


def test_the_variables_have_the_defaults_that_operators_are_told() -> None:
    text = (ROOT / "docs/operators.md").read_text()
    for name, field in Environment.model_fields.items():
        told = re.search(rf"^\| `PSIP_{name.upper()}` \| (.*?) ?\|", text, re.MULTILINE)
        default = "" if field.default is None else f"`{field.default}`"
        assert told is not None, f"docs/operators.md has no line for PSIP_{name.upper()}"
        assert told[1] == default, f"PSIP_{name.upper()} is {default}"

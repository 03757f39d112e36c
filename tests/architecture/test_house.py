"""The rules of the house that a reader relies on: charters tell the truth, names say what things are."""

import ast
import re
import subprocess
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.landing_stages import STAGES
from shared.messaging.cloudevents import EVENTS

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("shared", "services", "gateway", "deploy", "psip", "benchmarks")
SERVICES = ("programmes", "ingest", "measures")
CHARTER = ("Owns", "Publishes", "Listens to", "Does not")
UNTOLD = {"util", "utils", "helper", "helpers", "common", "manager", "handler", "handlers", "processor", "base", "misc"}
LOCKS = ("requirements.lock", "requirements-dev.lock")
# Assembled, so that this file does not hold what it looks for.
MACHINE = re.compile("|".join(f"/{folder}/" for folder in ("work", "home", "root", "Users")))
REGISTRY = re.compile(
    "|".join(
        (
            "index" + "-url",
            "extra-" + "index",
            "py" + r"pi\.",
            "python" + "hosted",
            "arti" + "factory",
            r"npmjs\.",
            r"repo[0-9]*\.maven",
        )
    )
)
BINARY = {".gz", ".parquet", ".png", ".xlsx", ".ico", ".woff2"}


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the project, as git knows it; of an unpacked archive, which git does not know, none."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: which files belong to the project is git's to say")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def texts() -> list[tuple[str, str]]:
    return [(name, (ROOT / name).read_text(encoding="utf-8")) for name in tracked() if Path(name).suffix not in BINARY]


def modules() -> list[Path]:
    return [one for package in PACKAGES for one in sorted((ROOT / package).rglob("*.py"))]


def charter(package: str) -> dict[str, str]:
    """The entries of a charter by their headings; an entry may go over several lines."""
    doc = import_module(package).__doc__ or ""
    found = re.findall(rf"^({'|'.join(CHARTER)}) +(.+(?:\n {{8,}}.+)*)", doc, flags=re.M)
    return {heading: re.sub(r"\s+", " ", entry) for heading, entry in found}


def names(entry: str) -> set[str]:
    """The events that an entry of a charter names."""
    return set(re.findall(r"\b[A-Z]\w+", entry))


@pytest.mark.parametrize(
    "file", [one for one in modules() if one.name == "__init__.py"], ids=lambda f: str(f.parent.relative_to(ROOT))
)
def test_every_package_says_what_it_is(file: Path) -> None:
    doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""

    assert len(doc.split()) >= 4, f"{file.relative_to(ROOT)}: say in a sentence what is in here"


@pytest.mark.parametrize("package", [*(f"services.{name}" for name in SERVICES), "gateway"])
def test_every_service_has_a_charter(package: str) -> None:
    assert tuple(charter(package)) == CHARTER


@pytest.mark.parametrize("package", [*(f"services.{name}" for name in SERVICES), "gateway"])
def test_a_charter_lists_what_the_service_listens_to(package: str) -> None:
    heard = {event.__name__ for event in import_module(f"{package}.events").HANDLERS}

    entry = charter(package)["Listens to"]

    assert names(entry) == heard
    assert bool(heard) != (entry == "nothing")


@pytest.mark.parametrize("service", SERVICES)
def test_a_charter_lists_what_the_service_publishes(service: str) -> None:
    published = {event.__name__ for event in import_module(f"shared.contracts.{service}").PUBLISHED}

    assert names(charter(f"services.{service}")["Publishes"]) == published


def test_every_event_that_is_heard_is_one_that_is_published() -> None:
    for service in SERVICES:
        assert set(import_module(f"services.{service}.events").HANDLERS) <= set(EVENTS)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_publishes_every_event_of_its_contract(service: str) -> None:
    """An event that nobody makes is a promise to those who listen."""
    code = "\n".join(
        file.read_text(encoding="utf-8")
        for file in (ROOT / "services" / service).rglob("*.py")
        if file.name != "__init__.py"
    )

    for event in import_module(f"shared.contracts.{service}").PUBLISHED:
        assert re.search(rf"\b{event.__name__}\b", code), f"{service} never makes {event.__name__}"


def test_a_module_is_named_for_the_idea_it_holds() -> None:
    assert [str(one) for one in modules() if one.stem in UNTOLD or one.parent.name in UNTOLD] == []


def test_nothing_speaks_of_the_machine_it_was_written_on() -> None:
    assert [name for name, text in texts() if MACHINE.search(text)] == []


def test_nothing_speaks_of_where_packages_were_fetched() -> None:
    assert [name for name, text in texts() if name != "Makefile" and REGISTRY.search(text)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_requirements_are_locked_by_hash_and_by_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    requirements = re.findall(r"^[a-z0-9][^ ]*==", text, flags=re.M | re.I)

    assert "://" not in text
    assert not re.search(r"^--?\w", text, flags=re.M)
    assert requirements
    assert len(re.findall(r"^\S.*==.*\\\n +--hash=sha256:", text, flags=re.M)) == len(requirements)


def test_what_is_locked_for_work_is_locked_for_those_who_work_on_it() -> None:
    plain, dev = (set(re.findall(r"^(\S+==\S+)", (ROOT / lock).read_text(), flags=re.M)) for lock in LOCKS)

    assert plain <= dev


@pytest.mark.parametrize(("place", "name", "label"), STAGES)
def test_every_stage_that_a_benchmark_times_is_there(place: object, name: str, label: str) -> None:
    assert callable(getattr(place, name, None)), f"{label.strip()}: {place} has no {name}"

"""The national catalogue: reviewed text files, read into plain values; every fault names its file and the remedy."""

import csv
import tomllib
from collections.abc import Collection, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

from services.programmes.rules import definitions, examples, feeds, organisations, programmes, targets
from services.programmes.rules.national_organisations import national_organisations
from services.programmes.rules.organisations import Organisation

Value = dict[str, Any]

FACTS = (
    "numerator", "denominator", "rules", "unit", "periodicity", "data_source", "chart", "baseline_value",
    "baseline_period", "target_value", "target_date", "latest_known",
)  # fmt: skip
"""What measures.csv says of a measure in words; carried as `facts` of its definition."""


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """The catalogue as plain values, keyed by id and in the order of the files; everything in it is JSON but for dates.

    `feeds` are whole specifications with their code lists embedded. `measures` are definitions (API.md) with `facts`,
    `source` and `unverified`. `programmes` carry the `principles` of the sets they belong to and the ids of their
    `measures` and `targets`.
    """

    organisations: tuple[Organisation, ...]
    code_lists: dict[str, dict[str, str]]
    feeds: dict[str, Value]
    measures: dict[str, Value]
    programmes: dict[str, Value]
    programme_sets: tuple[Value, ...]
    targets: dict[str, Value]


class Fault(msgspec.Struct, frozen=True):
    """Something wrong in a file: `key` is a JSON Pointer, a code or an id within it; `message` says what to mend."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}, {self.key}: {self.message}"


class InvalidCatalogue(ValueError):
    """The catalogue cannot be used; `faults` are all that is wrong with it."""

    def __init__(self, faults: Collection[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def load(root: Traversable | None = None) -> Catalogue:
    """The catalogue of a folder (the one shipped with this service, unless another is named).

    Raises InvalidCatalogue with every fault of a readable catalogue, or with the first file that cannot be read.
    """
    folder = root if root is not None else resources.files("services.programmes.catalogue")
    catalogue, faults = _read(folder)
    faults += _faults(catalogue)
    if faults:
        raise InvalidCatalogue(faults)
    return catalogue


def _read(folder: Traversable) -> tuple[Catalogue, list[Fault]]:
    faults: list[Fault] = []
    lists: dict[str, dict[str, str]] = {}
    for row in _table(folder, "codelists.csv"):
        lists.setdefault(row["list"], {})[row["code"]] = row["label"]
    sets = _toml(folder, "programme_sets.toml")
    measures = _measures(folder, faults)
    aims = _by_id(_toml(folder, "targets.toml").get("target", ()), "targets.toml", faults)
    catalogue = Catalogue(
        organisations=tuple(_organisations(folder)),
        code_lists=lists,
        feeds=_by_id((_with_lists(spec, lists) for _, spec in _files(folder, "feeds")), "feeds", faults),
        measures=measures,
        programmes=_programmes(folder, sets, measures, aims, faults),
        programme_sets=tuple(sets.get("set", ())),
        targets=aims,
    )
    return catalogue, faults


def _organisations(folder: Traversable) -> list[Organisation]:
    return national_organisations(
        regions=_table(folder, "regions.csv"),
        icbs=_table(folder, "icbs.csv"),
        hins=_table(folder, "hins.csv"),
        trusts=_table(folder, "trusts.csv"),
        successors=_table(folder, "org_successors.csv"),
        systems=_table(folder, "systems.csv"),
    )


def _with_lists(spec: Value, lists: Mapping[str, dict[str, str]]) -> Value:
    used = {field[key] for field in spec.get("field", ()) for key in ("codes", "each_of") if key in field}
    return {**spec, "code_lists": {name: lists[name] for name in sorted(used) if name in lists}}


def _measures(folder: Traversable, faults: list[Fault]) -> dict[str, Value]:
    facts = {row["id"]: row for row in _table(folder, "measures.csv")}
    written = [entry for _, file in _files(folder, "measures") for entry in file.get("measure", ())]
    measures = _by_id(written, "measures", faults)
    faults += (
        Fault("measures.csv", key, "has no definition: write one in measures/")
        for key in sorted(facts.keys() - measures.keys())
    )
    faults += (
        Fault("measures", key, "is not in measures.csv: say there what it counts, and its source")
        for key in sorted(measures.keys() - facts.keys())
    )
    return {
        key: {"denominator": None, **one, **_told(facts[key])} if key in facts else one for key, one in measures.items()
    }


def _told(row: Mapping[str, str]) -> Value:
    return {
        "source": row["source"],
        "unverified": row["unverified"] == "true",
        "facts": {name: row[name] for name in FACTS if row[name]},
    }


def _programmes(
    folder: Traversable,
    sets: Value,
    measures: Mapping[str, Value],
    aims: Mapping[str, Value],
    faults: list[Fault],
) -> dict[str, Value]:
    national = {one for group in sets.get("set", ()) for one in group["programmes"]}
    written = _by_id((file for _, file in _files(folder, "programmes")), "programmes", faults)
    return {
        key: {
            **one,
            "principle": sets.get("principle", []) if key in national else [],
            "sets": [group["id"] for group in sets.get("set", ()) if key in group["programmes"]],
            "measures": [name for name, measure in measures.items() if measure.get("programme") == key],
            "targets": [name for name, target in aims.items() if target.get("programme") == key],
        }
        for key, one in written.items()
    }


def _faults(catalogue: Catalogue) -> Iterator[Fault]:
    codes = {one.code for one in catalogue.organisations}
    for code, message in organisations.problems(catalogue.organisations):
        yield Fault("organisation tables", code, message)
    for name, spec in catalogue.feeds.items():
        yield from _placed(f"feeds/{name}.toml", "", feeds.problems(spec))
    for name, measure in catalogue.measures.items():
        file = f"measures/{measure.get('programme')}.toml"
        found = definitions.problems(measure, catalogue.feeds)
        yield from _placed(file, name, found or examples.problems(measure, catalogue.feeds))
        if measure.get("programme") not in catalogue.programmes:
            yield Fault(file, name, f"{measure.get('programme')!r} is not a programme")
    for name, programme in catalogue.programmes.items():
        yield from _placed(f"programmes/{name}.toml", "", programmes.problems(programme, catalogue.measures))
    for name, target in catalogue.targets.items():
        found = targets.problems(target, measures=catalogue.measures, organisations=codes, targets=catalogue.targets)
        yield from _placed("targets.toml", name, found)
    for group in catalogue.programme_sets:
        for one in group["programmes"]:
            if one not in catalogue.programmes:
                yield Fault("programme_sets.toml", group["id"], f"{one!r} is not a programme")


def _placed(file: str, key: str, found: Collection[tuple[str, str]]) -> Iterator[Fault]:
    yield from (Fault(file, f"{key}{pointer}" or "/", message) for pointer, message in found)


def _by_id(entries: Any, file: str, faults: list[Fault]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for number, entry in enumerate(entries):
        key = entry.get("id")
        if not isinstance(key, str):
            faults.append(Fault(file, f"/{number}/id", "is needed"))
        elif key in found:
            faults.append(Fault(file, key, "is there twice: keep one"))
        else:
            found[key] = entry
    return found


def _files(folder: Traversable, name: str) -> Iterator[tuple[str, Value]]:
    inside = sorted(
        (one for one in folder.joinpath(name).iterdir() if one.name.endswith(".toml")), key=lambda f: f.name
    )
    yield from ((one.name, _toml(folder, f"{name}/{one.name}")) for one in inside)


def _toml(folder: Traversable, name: str) -> Value:
    try:
        return tomllib.loads(folder.joinpath(*name.split("/")).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as reason:
        raise InvalidCatalogue([Fault(name, "/", f"is not TOML: {reason}")]) from None
    except OSError:
        raise InvalidCatalogue([Fault(name, "/", "cannot be read: the catalogue needs it")]) from None


def _table(folder: Traversable, name: str) -> list[dict[str, str]]:
    try:
        text = folder.joinpath(name).read_text(encoding="utf-8")
    except OSError:
        raise InvalidCatalogue([Fault(name, "/", "cannot be read: the catalogue needs it")]) from None
    return list(csv.DictReader(text.splitlines()))

"""A feed: an agreed shape of rows. Its reviewed file becomes a frozen object that the rules read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Self, get_args

from services.ingest.rules import news2
from shared.contracts.windows import Window

FieldType = Literal["text", "code", "integer", "decimal", "boolean", "date", "datetime", "period", "organisation"]
Identifier = Literal["nhs_number", "birth_date", "local"]
Mode = Literal["replace", "merge"]

_TYPES = frozenset(get_args(FieldType))
_IDENTIFIERS = frozenset(get_args(Identifier))
_RECOMPUTED = {news2.NAME: news2.COLUMNS}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_BETWEEN_WORDS = re.compile(r"[\s_\-\ufeff\u200b\u00a0]+")
_AGAIN = re.compile(r" \(\d+\)$")


def plain(name: str) -> str:
    """A column name as it is compared: without case, spaces, underscores, hyphens or a byte-order mark; and without
    the number that the second of a name is given."""
    return _BETWEEN_WORDS.sub("", _AGAIN.sub("", name)).casefold()


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a feed.

    `codes` maps each allowed code to its display text (empty unless `type` is `code`), `each_of` likewise in a text
    of several codes with a bar between; `weekday` is the day on which a date must fall (0 is Monday).
    """

    name: str
    title: str
    type: FieldType
    required: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    each_of: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    example: str = ""
    description: str = ""
    hint: str = ""
    recommended: bool = False
    minimum: float | None = None
    maximum: float | None = None
    longest: int | None = None
    weekday: int | None = None
    default: str | None = None
    identifier: Identifier | None = None
    keep: bool = True

    @property
    def expected(self) -> str:
        """What a value must look like, in words."""
        return _expected(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """A cross-field rule: where `where` holds, `check` must not be false."""

    code: str
    columns: tuple[str, ...]
    check: Mapping[str, Any]
    where: Mapping[str, Any] | None = None
    severity: Literal["error", "warning"] = "error"
    expected: str = ""
    hint: str = ""


@dataclass(frozen=True, eq=False)
class Feed:
    """A version of a feed, ready to check rows. Build it with `Feed.from_spec`.

    What is worked out of one is kept by the object itself (`functools.lru_cache`): equal is only what is the same.
    """

    id: str
    version: str
    title: str
    period: str
    mode: Mode
    modes: tuple[Mode, ...]
    key: tuple[str, ...]
    organisation: tuple[str, ...]
    period_columns: tuple[str, ...]
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    extracted_at: str | None = None
    status_column: str | None = None
    nil_column: str | None = None
    action_column: str | None = None
    refuse_above: float = 1.0
    grace_days: int = 0
    disclosure: str | None = None
    window: Window = field(default_factory=Window)
    recomputed: str | None = None
    """The score that is worked out again from its parameters and compared with what was sent (`NEWS2`)."""

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Self:
        """Compile a published spec (code lists embedded). Raises ValueError naming what is wrong with it."""
        lists = spec.get("code_lists", {})
        fields = tuple(_field(one, lists) for one in spec.get("field", []))
        mode = spec.get("mode", "replace")
        feed = cls(
            id=spec["id"],
            version=spec["version"],
            title=spec.get("title", spec["id"]),
            period=spec["period"],
            mode=mode,
            modes=tuple(spec.get("modes", [mode])),
            key=tuple(spec.get("key", ())),
            organisation=tuple(spec.get("organisation", ())),
            period_columns=tuple(spec.get("period_columns", ())),
            fields=fields,
            rules=tuple(_rule(one) for one in spec.get("rule", [])),
            refuse_above=float(spec.get("refuse_above", 1.0)),
            grace_days=int(spec.get("grace_days", 0)),
            window=Window.from_spec(spec),
            action_column=spec.get("action_column", _action_column(fields)),
            **{
                name: spec.get(name)
                for name in ("extracted_at", "status_column", "nil_column", "disclosure", "recomputed")
            },
        )
        _refuse_unknown_names(feed)
        return feed

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """The fields by their canonical names."""
        return MappingProxyType({one.name: one for one in self.fields})

    @cached_property
    def by_plain_name(self) -> Mapping[str, Field]:
        """The fields by every name a header may give them (see `plain`); a canonical name beats an alias."""
        names: dict[str, Field] = {}
        for read in (lambda f: (f.name,), lambda f: (f.title,), lambda f: f.aliases):
            for one in self.fields:
                for name in read(one):
                    if name.strip("- "):
                        names.setdefault(plain(name), one)
        return MappingProxyType(names)

    def field_for(self, header: str) -> Field | None:
        """The field that a column header means, or None."""
        return self.by_plain_name.get(plain(header))


def _field(spec: Mapping[str, Any], lists: Mapping[str, Mapping[str, str]]) -> Field:
    name, kind, identifier = spec["name"], spec["type"], spec.get("identifier")
    if kind not in _TYPES:
        raise ValueError(f"field {name}: {kind!r} is not a type")
    if identifier is not None and identifier not in _IDENTIFIERS:
        raise ValueError(f"field {name}: {identifier!r} is not a kind of identifier")
    default = spec.get("default")
    return Field(
        name=name,
        title=spec.get("title", name),
        type=kind,
        required=bool(spec.get("required", False)),
        codes=MappingProxyType(_codes(spec, lists) if kind == "code" else {}),
        each_of=MappingProxyType(_listed(spec, "each_of", lists) if "each_of" in spec else {}),
        aliases=tuple(spec.get("aliases", ())),
        example=str(spec.get("example", "")),
        description=spec.get("description", ""),
        hint=spec.get("hint", ""),
        recommended=bool(spec.get("recommended", False)),
        minimum=spec.get("min"),
        maximum=spec.get("max") if kind != "text" else None,
        longest=spec.get("max") if kind == "text" else None,
        weekday=WEEKDAYS.index(spec["weekday"]) if "weekday" in spec else None,
        default=None if default is None else _as_text(default),
        identifier=identifier,
        keep=bool(spec.get("keep", True)),
    )


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _codes(spec: Mapping[str, Any], lists: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    if "values" in spec:
        return {str(value): str(value) for value in spec["values"]}
    return _listed(spec, "codes", lists)


def _listed(spec: Mapping[str, Any], key: str, lists: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    try:
        return {str(code): str(display) for code, display in lists[spec[key]].items()}
    except KeyError as missing:
        raise ValueError(f"field {spec['name']}: there is no code list {missing}") from None


def _rule(spec: Mapping[str, Any]) -> Rule:
    return Rule(
        code=spec["code"],
        columns=tuple(spec["columns"]),
        check=spec["check"],
        where=spec.get("where"),
        severity=spec.get("severity", "error"),
        expected=spec.get("expected", ""),
        hint=spec.get("hint", ""),
    )


def _action_column(fields: tuple[Field, ...]) -> str | None:
    """A `record_action` column says what becomes of each record, unless the spec names another."""
    return next((one.name for one in fields if one.name == "record_action"), None)


def _refuse_unknown_names(feed: Feed) -> None:
    known = set(feed.by_name)
    named = {*feed.key, *feed.organisation, *feed.period_columns}
    named |= {name for rule in feed.rules for name in rule.columns}
    named |= {n for n in (feed.extracted_at, feed.status_column, feed.nil_column, feed.action_column) if n}
    if feed.recomputed is not None:
        named |= {*_RECOMPUTED.get(feed.recomputed, ("a score of this name",))}
    if named - known:
        raise ValueError(f"feed {feed.id}: no such field: {', '.join(sorted(named - known))}")


def _expected(one: Field) -> str:
    if one.type == "code":
        return _one_of(one.codes)
    if one.type in ("integer", "decimal"):
        return _WORDS[one.type] + _between(one.minimum, one.maximum)
    if one.each_of:
        return f"codes with a bar between, each {_one_of(one.each_of)}"
    if one.type == "text" and one.longest is not None:
        return f"text of at most {one.longest} characters"
    if one.weekday is not None:
        return f"a {WEEKDAYS[one.weekday].capitalize()}, yyyy-mm-dd"
    return _WORDS[one.type]


def _between(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f", {low:g} or more"
    return f", {high:g} or less" if high is not None else ""


def _one_of(codes: Mapping[str, str]) -> str:
    listed = list(codes)
    return f"one of {', '.join(listed[:12])}{', ...' if len(listed) > 12 else ''}"


_WORDS: dict[str, str] = {
    "text": "text",
    "integer": "a whole number",
    "decimal": "a number",
    "boolean": "true or false",
    "date": "a date, yyyy-mm-dd",
    "datetime": "a date and time, yyyy-mm-ddThh:mm",
    "period": "a period, like 2026-10 or 2026-W41",
    "organisation": "an organisation code, like RGT",
}

"""What measures need to know of a feed: its fields and their types, the grain of its returns, its dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import polars as pl

Family = Literal["text", "number", "boolean", "time"]

DTYPES: dict[str, tuple[pl.DataType, Family]] = {
    "text": (pl.String(), "text"),
    "code": (pl.String(), "text"),
    "organisation": (pl.String(), "text"),
    "period": (pl.String(), "text"),
    "integer": (pl.Int64(), "number"),
    "decimal": (pl.Float64(), "number"),
    "boolean": (pl.Boolean(), "boolean"),
    "date": (pl.Date(), "time"),
    "datetime": (pl.Datetime("us"), "time"),
}
"""How a field's type is held in a frame, and with which other types it may be compared."""

COUNTED = "measure-counts"
"""The feed of figures that were counted elsewhere; every measure accepts it."""


class InvalidDefinition(ValueError):
    """A definition that cannot be computed: `pointer` (JSON Pointer) says where, `message` what to mend."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer or '/'}: {message}")
        self.pointer = pointer
        self.message = message


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a feed. `codes` maps each allowed code to its label (None: any value)."""

    name: str
    type: str
    codes: Mapping[str, str] | None = None

    @property
    def dtype(self) -> pl.DataType:
        """The polars type of the column."""
        return DTYPES[self.type][0]

    @property
    def family(self) -> Family:
        """What the column may be compared with."""
        return DTYPES[self.type][1]


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """The part of a feed's specification that figures depend on.

    `dates` are the date and datetime columns that give a row's period; the first that is filled does.
    """

    id: str
    period: str
    fields: Mapping[str, Field]
    dates: tuple[str, ...]

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Self:
        """Read a published feed specification (`FeedPublished.spec`). Raises InvalidDefinition for an unknown type."""
        lists: Mapping[str, Mapping[str, str]] = spec.get("code_lists", {})
        fields = {}
        for number, entry in enumerate(spec["field"]):
            if entry.get("keep", True) and entry.get("identifier") != "birth_date":
                fields[entry["name"]] = _field(entry, lists, f"/field/{number}/type")
        dates = tuple(name for name in spec.get("period_columns", ()) if _is_date(fields.get(name)))
        return cls(spec["id"], spec.get("period", "any"), fields, dates)

    def field(self, name: object, pointer: str) -> Field:
        """The field of that name; raises InvalidDefinition, pointing at `pointer`, when the feed has none."""
        found = self.fields.get(name) if isinstance(name, str) else None
        if found is None:
            raise InvalidDefinition(pointer, f"{name!r} is not a field of the feed {self.id}")
        return found


def _field(entry: Mapping[str, Any], lists: Mapping[str, Mapping[str, str]], pointer: str) -> Field:
    # A pseudonym is text, whatever type the identifier had at the door.
    kind = "text" if entry.get("identifier") else entry["type"]
    if kind not in DTYPES:
        raise InvalidDefinition(pointer, f"{kind!r} is not a type of field; the types are {', '.join(DTYPES)}")
    codes: Mapping[str, str] | None = lists.get(entry["codes"]) if "codes" in entry else None
    if codes is None and "values" in entry:
        codes = {str(value): str(value) for value in entry["values"]}
    return Field(entry["name"], kind, codes)


def _is_date(field: Field | None) -> bool:
    return field is not None and field.family == "time"

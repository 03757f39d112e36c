"""Numbers that cannot be what they claim to be, and where they stand."""

from collections.abc import Mapping
from math import isfinite


class InvalidRow(ValueError):
    """A number in the input is wrong.

    `index` is the row (or the position in an array), or None where an option is at fault; `field` is the field's name,
    with `/` between the parts of a nested one (`bands/3/denominator`); `message` says in English what was wrong.
    """

    def __init__(self, index: int | None, field: str, message: str) -> None:
        """Name the place and what is wrong with it."""
        self.index = index
        self.field = field
        self.message = message
        place = field if index is None else f"{field} of row {index}"
        super().__init__(f"{place} {message}")


TOO_FAR_APART = "have numbers too large, or too far apart, to compute with"


def finite(value: object, index: int | None, field: str) -> float:
    """`value` as a float; text, booleans, nothing, infinities and NaN raise `InvalidRow`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRow(index, field, "must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise InvalidRow(index, field, "must be finite")
    return number


def not_negative(value: object, index: int | None, field: str) -> float:
    """`value` as a finite float of 0 or more, or `InvalidRow`."""
    number = finite(value, index, field)
    if number < 0:
        raise InvalidRow(index, field, "must not be negative")
    return number


def positive(value: object, index: int | None, field: str) -> float:
    """`value` as a finite float above 0, or `InvalidRow`."""
    number = finite(value, index, field)
    if number <= 0:
        raise InvalidRow(index, field, "must be greater than zero")
    return number


def share(value: object, index: int | None, field: str) -> float:
    """`value` as a finite float from 0 to 1, or `InvalidRow`."""
    number = finite(value, index, field)
    if not 0 <= number <= 1:
        raise InvalidRow(index, field, "must be from 0 to 1")
    return number


def counts(row: Mapping[str, object], index: int, *, within: bool) -> tuple[float, float]:
    """The numerator (0 or more) and denominator (above 0) of a row.

    `within` asks that the events are no more than the denominator, as for a proportion. Raises `InvalidRow`.
    """
    numerator = not_negative(row.get("numerator"), index, "numerator")
    denominator = positive(row.get("denominator"), index, "denominator")
    if within and numerator > denominator:
        raise InvalidRow(index, "numerator", "must not be more than the denominator")
    return numerator, denominator


def given(row: Mapping[str, object], index: int, field: str, *, under: str = "") -> object:
    """What stands in a field of a row, None where it is missing; a row without the field raises `InvalidRow`.

    `under` is the place of the row within row `index`, where it is a nested one (`bands/3/`).
    """
    if field not in row:
        raise InvalidRow(index, under + field, "must be given: null where it is missing")
    return row[field]


def same_length(name: str, length: int, other: str, other_length: int) -> None:
    """Raise `InvalidRow` at the first position that only one of two arrays has."""
    if length != other_length:
        longer = name if length > other_length else other
        sizes = f"{name} has {length}, {other} has {other_length}"
        raise InvalidRow(min(length, other_length), longer, f"has no partner: {sizes}")

"""Which column of a file is which field of its feed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.ingest.rules.blocks import LINE
from services.ingest.rules.feeds import Feed

OUR_LINE, OUR_FAULTS = "psip_line", "psip_faults"
OUR_ORGANISATION, OUR_PERIOD, OUR_CODES = "psip_organisation", "psip_period", "psip_codes"
OUR_MENDS = "psip_mends"
"""In rows to be mended: the submission in which they were rejected."""

OURS = frozenset({LINE, OUR_LINE, OUR_FAULTS, OUR_MENDS, OUR_ORGANISATION, OUR_PERIOD, OUR_CODES})
"""Columns that are added to rows as sent, and passed over where they come back."""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file, told apart.

    `columns` maps each understood column, as sent, to its field's name; `repeated` likewise those that come again.
    """

    columns: Mapping[str, str]
    unknown: tuple[str, ...]
    repeated: Mapping[str, str]
    absent: tuple[str, ...]


def match_header(feed: Feed, names: Iterable[str]) -> Header:
    """Match column names (any order, case, spacing; titles, aliases). Of two with one meaning the first counts."""
    columns: dict[str, str] = {}
    repeated: dict[str, str] = {}
    unknown = []
    for name in names:
        if name in OURS:
            continue
        field = feed.field_for(name)
        if field is None:
            unknown.append(name)
        elif field.name in columns.values():
            repeated[name] = field.name
        else:
            columns[name] = field.name
    present = set(columns.values())
    absent = tuple(one.name for one in feed.fields if one.name not in present)
    return Header(columns, tuple(unknown), repeated, absent)

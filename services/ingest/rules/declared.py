"""Cells of columns declared for identifiers: numbers that can be none are refused, our own pseudonyms taken back."""

import polars as pl

from services.ingest.rules.casts import Typed
from services.ingest.rules.faults import WITHHELD
from services.ingest.rules.feeds import Field
from services.ingest.rules.identity import GAP, nhs_numbers
from services.ingest.rules.pseudonyms import SEAL, SEALABLE

BROUGHT_BACK = r"^\[(?:withheld|pseudonym .*)\]$"
"""What we put ourselves in place of what identifies."""

_ONE_DIGIT = f"^(?:{'|'.join(digit + '{10}' for digit in '0123456789')})$"


def checked_numbers(one: Typed) -> Typed:
    """NHS numbers in the column declared for them, without spaces and hyphens; those that cannot be are refused."""
    bare = Typed(one.values.str.replace_all(GAP, ""), one.code, one.hint)
    wrong = ~nhs_numbers(bare.values) & bare.values.is_not_null()
    if not wrong.any():
        return bare
    same = bare.values.str.contains(_ONE_DIGIT) & wrong
    return bare.but(wrong & ~same, "not-an-nhs-number").but(same, "implausible-nhs-number")


def brought_back(field: Field, cells: pl.Series, one: Typed) -> Typed:
    """Sealed pseudonyms are taken as they are; what was withheld is not to be had from us."""
    one = one.but(cells == WITHHELD, "withheld-value")
    if field.identifier not in SEALABLE:
        return one
    seals = cells.str.contains(SEAL).fill_null(value=False)
    codes = None if one.code is None else one.code.set(seals, None)
    return Typed(one.values.zip_with(~seals, cells), codes, one.hint)
